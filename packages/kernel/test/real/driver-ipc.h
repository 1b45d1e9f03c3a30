// The calls of the driver that are about shared memory, message queues, signal files and futexes. Included by driver.c.
#include <linux/futex.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/shm.h>

enum { WORDS_FD = CONTROL + 40, SLOTS = 4, KEYS = 4, NAMES = 3, PAGE = 4096 };
// The answer where there is no piece of memory to work on, or one already: no result of a system call.
enum { NOTHING_THERE = -1000 };

// Words that all workers share: of a memory file that stays open over exec.
static unsigned *words;

// System V identifiers and pieces of shared memory, by number: inherited by children, lost by exec.
static int segments[SLOTS] = {-1, -1, -1, -1};
static struct {
  unsigned char *at;
  long bytes;
  int writable;
} pieces[SLOTS];

static void map_words(void) {
  words = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, WORDS_FD, 0);
  if (words == MAP_FAILED) _exit(5);
}

static const char *queue_name(long number) {
  static __thread char name[64];
  snprintf(name, sizeof name, "rpal-model-%ld-%ld", run_id, number);
  return name;
}

static const char *memory_name(long number) {
  static __thread char name[64];
  snprintf(name, sizeof name, "/dev/shm/rpal-model-%ld-%ld", run_id, number);
  return name;
}

static key_t key_of(long number) { return (key_t)(0x52000000 + (run_id * 8 + number) % 0x1000000); }

// What a run has left behind.
static void forget_names(void) {
  for (int i = 0; i < NAMES; i++) {
    syscall(SYS_mq_unlink, queue_name(i));
    unlink(memory_name(i));
  }
  for (int i = 0; i < KEYS; i++) {
    int id = shmget(key_of(i), 0, 0);
    if (id >= 0) shmctl(id, IPC_RMID, NULL);
  }
}

static long add_piece(int which, void *at, long bytes, int writable) {
  if (at == MAP_FAILED || at == (void *)-1) return -errno;
  pieces[which].at = at;
  pieces[which].bytes = bytes;
  pieces[which].writable = writable;
  return 0;
}

static long remove_piece(int which, long removed) {
  if (removed == 0) pieces[which].at = NULL;
  return result(removed);
}

static long futex_call(const long *a, int operation, long value, long value2, long second, long value3) {
  return result(syscall(SYS_futex, words + a[0], operation, value, value2, words + second, value3));
}

// Returns 0 if it is none of its calls.
static int execute_ipc(const struct command *c, char *text) {
  const long *a = c->a;
  long r;
  if (is(c, "signalfd")) {
    unsigned long mask = ((unsigned long)a[3] << 32) | (uint32_t)a[1];
    r = result(syscall(SYS_signalfd4, a[0], &mask, 8L, a[2]));
  } else if (is(c, "mqopen")) {
    struct mq_attr attributes = {.mq_maxmsg = a[2], .mq_msgsize = a[3]};
    r = result(syscall(SYS_mq_open, queue_name(a[0]), a[1], 0600L, a[2] == 0 ? NULL : &attributes));
  } else if (is(c, "mqunlink")) {
    r = result(syscall(SYS_mq_unlink, queue_name(a[0])));
  } else if (is(c, "mqsend")) {
    pattern(a[1], a[2]);
    r = result(syscall(SYS_mq_timedsend, a[0], buffer, a[1], a[3], NULL));
  } else if (is(c, "mqrecv")) {
    unsigned priority = 0;
    long n = result(syscall(SYS_mq_timedreceive, a[0], buffer, a[1], &priority, NULL));
    data_result(text, n, a[1]);
    if (n >= 0) append(text, (int)strlen(text), " prio %ld", priority);
    return 1;
  } else if (is(c, "mqnotify")) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = (int)a[1], .sigev_value.sival_int = (int)a[2]};
    r = result(syscall(SYS_mq_notify, a[0], a[1] == 0 ? NULL : &event));
  } else if (is(c, "shmopen")) {
    r = result(open(memory_name(a[0]), (int)a[1] | O_CLOEXEC, 0600));
  } else if (is(c, "shmunlink")) {
    r = result(unlink(memory_name(a[0])));
  } else if (is(c, "shmget")) {
    r = result(shmget(key_of(a[1]), (size_t)a[2], (int)a[3] | 0600));
    if (r >= 0) segments[a[0]] = (int)r;
    if (r > 0) r = 0;
  } else if (is(c, "shmat")) {
    struct shmid_ds status = {0};
    if (pieces[a[1]].at != NULL) {
      r = NOTHING_THERE;
    } else {
      shmctl(segments[a[0]], IPC_STAT, &status);
      r = add_piece((int)a[1], shmat(segments[a[0]], NULL, a[2] ? SHM_RDONLY : 0), (long)status.shm_segsz, !a[2]);
    }
  } else if (is(c, "mapfd")) {
    if (pieces[a[0]].at != NULL) {
      r = NOTHING_THERE;
    } else {
      int prot = PROT_READ | (a[2] ? 0 : PROT_WRITE);
      r = add_piece((int)a[0], mmap(NULL, 2 * PAGE, prot, MAP_SHARED, (int)a[1], 0), 2 * PAGE, !a[2]);
    }
  } else if (is(c, "shmdt")) {
    r = pieces[a[0]].at == NULL ? NOTHING_THERE : remove_piece((int)a[0], shmdt(pieces[a[0]].at));
  } else if (is(c, "unmap")) {
    r = pieces[a[0]].at == NULL ? NOTHING_THERE : remove_piece((int)a[0], munmap(pieces[a[0]].at, (size_t)pieces[a[0]].bytes));
  } else if (is(c, "shmrm")) {
    r = result(shmctl(segments[a[0]], IPC_RMID, NULL));
  } else if (is(c, "shmstat")) {
    struct shmid_ds status = {0};
    r = result(shmctl(segments[a[0]], IPC_STAT, &status));
    int at = append(text, 0, "%ld", r);
    if (r < 0) return 1;
    at = append(text, at, " size %ld", (long)status.shm_segsz);
    at = append(text, at, " attached %ld", (long)status.shm_nattch);
    append(text, at, " mode %lx", status.shm_perm.mode);
    return 1;
  } else if (is(c, "poke") || is(c, "peek")) {
    int write = is(c, "poke");
    volatile unsigned char *byte = pieces[a[0]].at + a[1];
    if (pieces[a[0]].at == NULL || a[1] >= pieces[a[0]].bytes || (write && !pieces[a[0]].writable)) {
      r = NOTHING_THERE;
    } else if (write) {
      *byte = (unsigned char)a[2];
      r = 0;
    } else {
      r = *byte;
    }
  } else if (is(c, "fset")) {
    words[a[0]] = (unsigned)a[1];
    r = 0;
  } else if (is(c, "fget")) {
    r = words[a[0]];
  } else if (is(c, "fwait")) {
    r = futex_call(a, FUTEX_WAIT_BITSET | (int)a[3], a[1], 0, 0, a[2]);
  } else if (is(c, "fwake")) {
    r = futex_call(a, FUTEX_WAKE_BITSET | (int)a[3], a[1], 0, 0, a[2]);
  } else if (is(c, "flock")) {
    r = futex_call(a, FUTEX_LOCK_PI, 0, 0, 0, 0);
  } else if (is(c, "ftry")) {
    r = futex_call(a, FUTEX_TRYLOCK_PI, 0, 0, 0, 0);
  } else if (is(c, "funlock")) {
    r = futex_call(a, FUTEX_UNLOCK_PI, 0, 0, 0, 0);
  } else if (is(c, "fmove")) {
    r = futex_call(a, FUTEX_CMP_REQUEUE | (int)a[5], a[2], a[3], a[1], a[4]);
  } else if (is(c, "fop")) {
    r = futex_call(a, FUTEX_WAKE_OP | (int)a[5], a[2], a[3], a[1], a[4]);
  } else {
    return 0;
  }
  append(text, 0, "%ld", r);
  return 1;
}
