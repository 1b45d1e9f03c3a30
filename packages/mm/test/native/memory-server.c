// Executes sequences of memory calls in child processes and reports, after each call, its result and the state of two
// windows of the address space: an arena at a fixed place and the heap. Everything else is filled with inaccessible
// memory first, so that a mapping without a fixed address can only go to a window and every placement is predictable.
// The protocol is described in ../real-kernel.ts.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define ARENA 0x600000000000ul
#ifndef UNIT
#define UNIT 1
#endif
// Huge pages for memory that asks for them.
#ifndef HUGE
#define HUGE 0
#endif
#define ARENA_PAGES (128 * UNIT)
#define HEAP_PAGES (64 * UNIT)
#define LOCKED_PAGES (32 * UNIT)
#define PAGES (ARENA_PAGES + HEAP_PAGES)
#define USER_END 0x7ffffffff000ul
#define WINDOW (1l << 40)
#define MAX_CALLS 4096
#define FILES 3
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum { MMAP, MUNMAP, MPROTECT, MREMAP, MADVISE, BRK, LOAD, STORE, FTRUNCATE, PWRITE, PREAD, MLOCK, MUNLOCK, FORK, LIMIT, READ, WRITE };
enum { ADDRESS_SPACE, LOCKED, DATA };

struct call { int64_t op, a, b, c, d, e, f, unused; };

static struct call calls[MAX_CALLS];
static unsigned char output[1 << 20];
static size_t used;
static unsigned char maps[1 << 16];
static uint64_t pagemap[ARENA_PAGES];
static unsigned long heap;
static int files[FILES];
static ino_t inodes[2];
static int pagemap_works;
// What the process has beside the windows.
static int64_t own_tables, own_huge;
static sigjmp_buf escape;
static volatile sig_atomic_t probing;

static void die(const char *what) {
  if (write(2, what, strlen(what)) < 0) _exit(3);
  _exit(2);
}

static void read_all(void *to, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t n = read(0, (char *)to + done, length - done);
    if (n == 0 && done == 0) _exit(0);
    if (n <= 0) die("the input ends within a sequence\n");
    done += n;
  }
}

static void flush(void) {
  for (size_t done = 0; done < used;) {
    ssize_t n = write(1, output + done, used - done);
    if (n <= 0) die("cannot write\n");
    done += n;
  }
  used = 0;
}

static void put(const void *from, size_t length) {
  if (used + length > sizeof output) flush();
  memcpy(output + used, from, length);
  used += length;
}

static void put64(int64_t value) { put(&value, 8); }

// Addresses travel as offset in their window plus WINDOW for the heap.
static unsigned long real(int64_t address) {
  return address >= WINDOW ? heap + (address - WINDOW) : ARENA + address;
}

static int64_t travelling(unsigned long address) {
  if (address >= ARENA && address <= ARENA + ARENA_PAGES * PAGE) return address - ARENA;
  if (address >= heap && address <= heap + HEAP_PAGES * PAGE) return WINDOW + (address - heap);
  return -1000000;
}

static void caught(int signal, siginfo_t *info, void *context) {
  (void)context;
  if (!probing) die("a fault outside of a probe\n");
  siglongjmp(escape, signal | info->si_code << 8);
}

static unsigned long number(unsigned char **at, int base) {
  return strtoul((char *)*at, (char **)at, base);
}

// Calls `visit` for every mapping up to `end`, in address order.
static void each_mapping(unsigned long end, void (*visit)(unsigned long, unsigned long, const char *, unsigned long, unsigned long)) {
  int fd = open("/proc/self/maps", O_RDONLY);
  size_t length = 0;
  if (fd < 0) die("cannot open /proc/self/maps\n");
  for (;;) {
    ssize_t n = read(fd, maps + length, sizeof maps - 1 - length);
    if (n < 0) die("cannot read /proc/self/maps\n");
    length += n;
    maps[length] = 0;
    if (n == 0) break;
    // Lines are in order: stop once one beyond the end has been seen.
    unsigned char *line = maps + length - 1;
    while (line > maps && line[-1] != '\n') line--;
    if (strtoul((char *)line, NULL, 16) >= end) break;
  }
  close(fd);
  for (unsigned char *at = maps; *at != 0;) {
    unsigned long from = number(&at, 16);
    at++;
    unsigned long to = number(&at, 16);
    char rights[5];
    memcpy(rights, at + 1, 4);
    rights[4] = 0;
    at += 6;
    unsigned long offset = number(&at, 16);
    at = (unsigned char *)strchr((char *)at + 1, ' ');
    unsigned long inode = number(&at, 10);
    if (from >= end) break;
    visit(from, to, rights, offset, inode);
    at = (unsigned char *)strchr((char *)at, '\n') + 1;
  }
}

static unsigned long filled;

static void fill_up_to(unsigned long end) {
  unsigned long from = filled;
  // Both windows stay free.
  if (from < heap && end > heap) {
    fill_up_to(heap);
    from = filled = heap + HEAP_PAGES * PAGE;
  }
  if (from < ARENA && end > ARENA) {
    fill_up_to(ARENA);
    from = filled = ARENA + ARENA_PAGES * PAGE;
  }
  if (from < end) {
    if (mmap((void *)from, end - from, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
      die("cannot fill the address space\n");
    // Sets it apart from what the calls map, so that nothing merges with it.
    if (madvise((void *)from, end - from, MADV_DONTDUMP) != 0) die("cannot mark the filling\n");
  }
  filled = end;
}

static struct { unsigned long from, to; int writable; } present[256];
static int mappings;

static void remember(unsigned long from, unsigned long to, const char *rights, unsigned long offset, unsigned long inode) {
  (void)offset, (void)inode;
  if (mappings == 256) die("too many mappings\n");
  present[mappings].from = from;
  present[mappings].writable = rights[1] == 'w';
  present[mappings++].to = to;
}

// Makes everything of the process's own present, so that all later faults and page tables are those of the windows.
// Some mappings of the kernel refuse; they are not used.
static void settle(void) {
  for (int i = 0; i < mappings; i++)
    madvise((void *)present[i].from, present[i].to - present[i].from, present[i].writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

// The number behind `name` in a file of /proc/self, in KiB.
static int64_t kilobytes(const char *path, const char *name) {
  static char text[8192];
  int fd = open(path, O_RDONLY);
  size_t length = 0;
  for (ssize_t n; fd >= 0 && (n = read(fd, text + length, sizeof text - 1 - length)) > 0;) length += n;
  close(fd);
  text[length] = 0;
  char *at = strstr(text, name);
  return at == NULL ? -1 : strtol(at + strlen(name), NULL, 10);
}

static int64_t tables(void) { return kilobytes("/proc/self/status", "\nVmPTE:"); }

static int64_t huge(void) { return HUGE ? kilobytes("/proc/self/smaps_rollup", "\nAnonHugePages:") : 0; }

static int64_t faults(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

static int areas;

static void report(unsigned long from, unsigned long to, const char *rights, unsigned long offset, unsigned long inode) {
  int64_t start = travelling(from), end = travelling(to);
  if (start < 0 || end < 0 || start == end || (from < ARENA) != (to <= ARENA)) return;
  if (from >= ARENA ? from == ARENA + ARENA_PAGES * PAGE : from == heap + HEAP_PAGES * PAGE) return;
  int64_t kind = 0;
  if (inode != 0) kind = inode == inodes[0] ? 1 : inode == inodes[1] ? 2 : 3;
  // Private anonymous memory shows no offset.
  int64_t flags = (rights[0] == 'r') | (rights[1] == 'w') << 1 | (rights[2] == 'x') << 2 | (rights[3] == 's') << 3 | kind << 8;
  put64(start);
  put64(end);
  put64(flags | (int64_t)(offset / PAGE) << 16);
  areas++;
}

static void report_pages(int fd, unsigned long start, int pages) {
  unsigned char bits[ARENA_PAGES];
  if (pread(fd, pagemap, pages * 8, start / PAGE * 8) != pages * 8) die("cannot read /proc/self/pagemap\n");
  // Present, page of a file, mapped once.
  for (int i = 0; i < pages; i++)
    bits[i] = !(pagemap[i] >> 63) ? 0 : 1 | (pagemap[i] >> 61 & 1) << 1 | (pagemap[i] >> 56 & 1) << 2;
  put(bits, pages);
}

static void report_state(void) {
  if (used + 64 * 1024 > sizeof output) flush();
  put64(tables() - own_tables);
  put64(huge() - own_huge);
  size_t at = used;
  put64(0);
  areas = 0;
  each_mapping(ARENA + ARENA_PAGES * PAGE, report);
  int64_t count = areas;
  memcpy(output + at, &count, 8);
  if (pagemap_works) {
    int fd = open("/proc/self/pagemap", O_RDONLY);
    report_pages(fd, ARENA, ARENA_PAGES);
    report_pages(fd, heap, HEAP_PAGES);
    close(fd);
  }
}

static unsigned long asked_from, asked_to;
static int maps_files;

static void look_for_files(unsigned long from, unsigned long to, const char *rights, unsigned long offset, unsigned long inode) {
  (void)rights, (void)offset;
  maps_files |= inode != 0 && from < asked_to && to > asked_from;
}

// Huge pages of files are not modelled: neither kernel is asked for them.
static int collapses_files(const struct call *c) {
  if (c->c != MADV_COLLAPSE) return 0;
  asked_from = real(c->a);
  asked_to = asked_from + c->b;
  maps_files = 0;
  each_mapping(ARENA + ARENA_PAGES * PAGE, look_for_files);
  return maps_files;
}

static int64_t result_of(long result) { return result == -1 ? -errno : 0; }

static int64_t bytes_or_errno(ssize_t bytes) { return bytes < 0 ? -errno : bytes; }

static int64_t address_of(void *address) { return address == MAP_FAILED ? -errno : travelling((unsigned long)address); }

static int64_t probe(int64_t address, int64_t value, int store) {
  volatile unsigned char *byte = (volatile unsigned char *)real(address);
  int fault = sigsetjmp(escape, 0);
  if (fault != 0) {
    probing = 0;
    return -100000 - fault;
  }
  probing = 1;
  if (store) *byte = value;
  else value = *byte;
  probing = 0;
  return value;
}

static int64_t limit(int what, int64_t pages) {
  static const int resources[] = {RLIMIT_AS, RLIMIT_MEMLOCK, RLIMIT_DATA};
  struct rlimit limit;
  getrlimit(resources[what], &limit);
  limit.rlim_cur = limit.rlim_max;
  if (pages >= 0) {
    if (what == ADDRESS_SPACE) pages += kilobytes("/proc/self/status", "\nVmSize:") / 4;
    if (what == DATA) pages += kilobytes("/proc/self/status", "\nVmData:") / 4;
    limit.rlim_cur = pages * PAGE;
  }
  return result_of(setrlimit(resources[what], &limit));
}

// Locks no more than LOCKED_PAGES, as others than root do.
static void limit_locked(void) {
  struct { uint32_t version; int pid; } header = {0x20080522, 0};
  struct { uint32_t effective, permitted, inheritable; } sets[2];
  struct rlimit limit = {LOCKED_PAGES * PAGE, LOCKED_PAGES * PAGE};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) die("the limit of locked memory is too low\n");
  if (syscall(SYS_capget, &header, sets) != 0) die("cannot read capabilities\n");
  sets[0].effective &= ~(1u << 14);
  sets[0].permitted &= ~(1u << 14);
  if (syscall(SYS_capset, &header, sets) != 0) die("cannot give up CAP_IPC_LOCK\n");
}

// The child goes on. The parent waits, with its memory, or having given up what is in the windows before the child does anything.
static int64_t fork_and_go_on(int leave) {
  int gone[2];
  char none;
  if (pipe(gone) != 0) die("cannot make a pipe\n");
  pid_t child = fork();
  if (child < 0) return -errno;
  if (child == 0) {
    close(gone[1]);
    if (read(gone[0], &none, 1) != 0) die("cannot wait for the parent\n");
    close(gone[0]);
    settle();
    return 0;
  }
  close(gone[0]);
  if (leave && (munmap((void *)ARENA, ARENA_PAGES * PAGE) != 0 || munmap((void *)heap, HEAP_PAGES * PAGE) != 0))
    die("cannot leave the windows\n");
  close(gone[1]);
  int status;
  waitpid(child, &status, 0);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 4);
}

static int64_t perform(const struct call *c) {
  unsigned char byte = c->c;
  switch (c->op) {
    case MMAP:
      // The hint 0 is no address.
      return address_of(mmap(c->a == -1 ? NULL : (void *)real(c->a), c->b, c->c, c->d, c->e < 0 ? -1 : files[c->e], c->f * PAGE));
    case MUNMAP: return result_of(munmap((void *)real(c->a), c->b));
    case MPROTECT: return result_of(mprotect((void *)real(c->a), c->b, c->c));
    case MREMAP: return address_of((void *)syscall(SYS_mremap, real(c->a), c->b, c->c, c->d, real(c->e)));
    case MADVISE: return collapses_files(c) ? -EINVAL : result_of(madvise((void *)real(c->a), c->b, c->c));
    case BRK: return syscall(SYS_brk, heap + c->a) - heap;
    case LOAD: return probe(c->a, 0, 0);
    case STORE: return probe(c->a, c->b, 1);
    case FTRUNCATE: return result_of(ftruncate(files[c->a], c->b));
    case PWRITE: return pwrite(files[c->a], &byte, 1, c->b) == 1 ? 1 : -errno;
    case PREAD: return pread(files[c->a], &byte, 1, c->b) == 1 ? byte : -1;
    case MLOCK: return result_of(mlock((void *)real(c->a), c->b));
    case MUNLOCK: return result_of(munlock((void *)real(c->a), c->b));
    case FORK: return fork_and_go_on(c->a);
    case LIMIT: return limit(c->a, c->b);
    case READ: return bytes_or_errno(pread(files[c->a], (void *)real(c->c), c->d, c->b));
    case WRITE: return bytes_or_errno(pwrite(files[c->a], (void *)real(c->c), c->d, c->b));
  }
  die("an unknown call\n");
  return 0;
}

static void run_sequence(int64_t count) {
  char path[32] = "/proc/self/fd/";
  files[0] = memfd_create("f0", 0);
  files[1] = memfd_create("f1", 0);
  if (files[0] < 0 || files[1] < 0) die("cannot make memory files\n");
  path[14] = '0' + files[0];
  files[2] = open(path, O_RDONLY);
  struct stat stat;
  for (int i = 0; i < 2; i++) {
    fstat(files[i], &stat);
    inodes[i] = stat.st_ino;
  }
  settle();
  own_tables = tables();
  own_huge = huge();
  for (int64_t i = 0; i < count; i++) {
    int64_t before = faults();
    int64_t result = perform(&calls[i]);
    put64(result);
    // A child begins to count anew.
    put64(calls[i].op == FORK ? 0 : faults() - before);
    report_state();
  }
  flush();
  _exit(0);
}

int main(int argc, char **argv) {
  // Without randomisation the heap shares its upper page tables with the program in the same way each time.
  if (argc == 1 && personality(ADDR_NO_RANDOMIZE) >= 0) {
    execl("/proc/self/exe", argv[0], "again", NULL);
    die("cannot execute itself again\n");
  }
  struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  limit_locked();
  if (!HUGE) prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  // The heap begins at a 2 MiB border, as faults map what is around a page within such borders.
  unsigned long start = (unsigned long)sbrk(0);
  heap = (start + 0x1fffff) & ~0x1ffffful;
  if (brk((void *)heap) != 0) die("cannot align the heap\n");
  start = (start + PAGE - 1) & ~(PAGE - 1);
  if (heap > start && munmap((void *)start, heap - start) != 0) die("cannot unmap the start of the heap\n");
  int fd = open("/proc/self/pagemap", O_RDONLY);
  pagemap_works = fd >= 0 && pread(fd, pagemap, 8, ARENA / PAGE * 8) == 8;
  close(fd);
  each_mapping(USER_END, remember);
  filled = 0x10000;
  for (int i = 0; i < mappings; i++) {
    fill_up_to(present[i].from);
    filled = present[i].to;
  }
  fill_up_to(USER_END);
  // The files of a sequence are the descriptors from here on.
  put64(pagemap_works);
  flush();
  for (;;) {
    int64_t count;
    read_all(&count, 8);
    if (count < 0 || count > MAX_CALLS) die("too many calls in a sequence\n");
    read_all(calls, count * sizeof *calls);
    pid_t child = fork();
    if (child < 0) die("cannot fork\n");
    if (child == 0) run_sequence(count);
    int status;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) die("a sequence ended early\n");
  }
}
