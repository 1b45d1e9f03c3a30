// What the drivers that make any system call share. Included by cases.c and edges.c.
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Where /proc of the namespace is open.
enum { PROC = 202 };

static long raw(long nr, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}

// The letter of /proc/TID/stat; X if there is no such thread.
static char state_of(long tid) {
  char path[40], text[256];
  snprintf(path, sizeof path, "%ld/stat", tid);
  int fd = openat(PROC, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 'X';
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 'X';
  text[n] = 0;
  char *end = strrchr(text, ')');
  return end == NULL ? 'X' : end[2];
}

// Takes a capability away for good. Returns 0 if that is not possible.
static int drop_right(int capability) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  raw(SYS_capget, (long)&header, (long)data, 0, 0, 0, 0);
  unsigned bit = 1u << capability;
  data[0].effective &= ~bit, data[0].permitted &= ~bit, data[0].inheritable &= ~bit;
  int is_out = prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;
  return raw(SYS_capset, (long)&header, (long)data, 0, 0, 0, 0) == 0 && is_out;
}

// Leaves this computer's tree for an empty one on root, in mounts of its own. A case that calls chroot may climb out of a changed root
// by "..", and change the mode or the owner of what it finds there: above the new tree there is nothing. Returns 0 if that is not possible.
static int leave_tree(const char *root) {
  if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return 0;
  if (mount("tmpfs", root, "tmpfs", 0, NULL) < 0 || chdir(root) < 0) return 0;
  return syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
}
