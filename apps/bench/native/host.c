// What single steps and whole round trips take on the computer at hand.
//
//   host ROUNDS
//
// Every round runs every measurement once, in a process of its own, so that a disturbance that lasts touches all of them alike. One
// line each on the standard output:
//
//   fact NAME VALUE          about this computer
//   sample NAME NS           nanoseconds of one operation, or of one round trip
//   absent NAME WHY          this computer, or this kernel, does not do it
//   doubt WHAT               why a figure may not be trusted
//   round N                  N rounds are over
//
// Names with slashes are composites: MECHANISM/PLACEMENT/BYTES, with the endpoints of the mechanism of that name in @rpal/compare.
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, LARGEST = 1 << 20, CHASE = 128 << 20, LINE = 64, PATIENCE = 10, TEXT = 160 };

// Bytes of the area for restartable sequences that the C library has registered; none before glibc 2.35, and with tunables.
extern const unsigned int __rseq_size __attribute__((weak));

// What a measurement leaves to the process that started it.
struct outcome {
  double ns;
  double switches; // of a yield; 0 where none are counted
  char why[TEXT];
};

// Shared with every process below: the outcome, and what two sides tell each other, each on lines of its own.
struct shared {
  struct outcome outcome;
  _Alignas(LINE) volatile uint32_t flag;
  _Alignas(LINE) volatile uint32_t other_flag;
  _Alignas(LINE) volatile uint64_t stamp;
  _Alignas(LINE) volatile uint64_t other_stamp;
  _Alignas(LINE) volatile uint32_t ready;
};

static struct shared *shared;
static char *buffer, *target, *chase; // chase: lines in random order, and null if there was no memory for them
static int first_cpu = -1, second_cpu = -1;

static void give_up(const char *what) {
  if (shared->outcome.why[0] == 0) snprintf(shared->outcome.why, TEXT, "%s: %s", what, strerror(errno));
  _exit(1);
}

static void need(int condition, const char *what) {
  if (!condition) give_up(what);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC_RAW, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

static inline uint64_t rdtsc(void) {
  uint32_t low, high;
  __asm__ volatile("rdtscp" : "=a"(low), "=d"(high) : : "ecx", "memory");
  return (uint64_t)high << 32 | low;
}

// By the call: what the C library remembers is wrong in a thread that it did not make.
static int cpu_here(void) {
  unsigned cpu = 0;
  return syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 ? (int)cpu : -1;
}

static int pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0 && cpu_here() == cpu;
}

static int futex(volatile uint32_t *word, int operation, uint32_t value) {
  return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static double tsc_ghz;

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// The median of some intervals in time stamps, as nanoseconds: other processes that get in between do not move it.
static double typical(double *intervals, int count) {
  qsort(intervals, count, sizeof *intervals, by_value);
  return intervals[count / 2] / tsc_ghz;
}

// ---- Single steps: each returns the nanoseconds of one operation ----

#define TIMES(count, ...)                                  \
  do {                                                     \
    for (int i_ = 0; i_ < (count) / 10; i_++) __VA_ARGS__; \
    double began_ = now();                                 \
    for (int i_ = 0; i_ < (count); i_++) __VA_ARGS__;      \
    return (now() - began_) / (count);                     \
  } while (0)

// A chain of additions: one core cycle each.
static double core_cycle(long unused) {
  (void)unused;
  uint64_t x = 1;
#define ADD "add %0, %0\n\t"
#define ADD10 ADD ADD ADD ADD ADD ADD ADD ADD ADD ADD
#define CHAIN __asm__ volatile(ADD10 ADD10 ADD10 ADD10 ADD10 ADD10 ADD10 ADD10 ADD10 ADD10 : "+r"(x))
  for (int i = 0; i < 2000; i++) CHAIN;
  double began = now();
  for (int i = 0; i < 10000; i++) CHAIN;
  return (now() - began) / 1e6;
}

static double null_call(long unused) { (void)unused; TIMES(5000, syscall(SYS_getppid)); }
static double read_tsc(long unused) { (void)unused; TIMES(20000, __asm__ volatile("rdtsc" : : : "eax", "edx")); }
static double locked_add(long unused) { (void)unused; TIMES(20000, __asm__ volatile("lock addl $1, %0" : "+m"(*buffer))); }
static double lfence(long unused) { (void)unused; TIMES(20000, __asm__ volatile("lfence" : : : "memory")); }
static double mfence(long unused) { (void)unused; TIMES(10000, __asm__ volatile("mfence" : : : "memory")); }
static double pause_instruction(long unused) { (void)unused; TIMES(10000, __asm__ volatile("pause")); }

static double fp_control(long unused) {
  (void)unused;
  uint32_t mxcsr;
  uint16_t word;
  TIMES(10000, __asm__ volatile("stmxcsr %0\n\tldmxcsr %0\n\tfnstcw %1\n\tfldcw %1" : "=m"(mxcsr), "=m"(word)));
}

static double rdfsbase(long unused) { (void)unused; uint64_t x; TIMES(20000, __asm__ volatile("rdfsbase %0" : "=r"(x))); }

static double wrfsbase(long unused) {
  (void)unused;
  uint64_t base;
  __asm__ volatile("rdfsbase %0" : "=r"(base));
  TIMES(10000, __asm__ volatile("wrfsbase %0" : : "r"(base)));
}

static double rdpkru(long unused) { (void)unused; TIMES(20000, __asm__ volatile("rdpkru" : : "c"(0) : "eax", "edx")); }

static double wrpkru(long unused) {
  (void)unused;
  uint32_t pkru;
  __asm__ volatile("rdpkru" : "=a"(pkru) : "c"(0) : "edx");
  TIMES(10000, __asm__ volatile("wrpkru" : : "a"(pkru), "c"(0), "d"(0) : "memory"));
}

// A function that returns at once, and a retpoline to it as Linux's: the speculation of its return waits in a loop.
__asm__(".pushsection .text\n\t.balign 64\nreturns_at_once:\n\tret\n\t.balign 64\nindirect_thunk:\n\tcall 2f\n1:\n\tpause\n\tlfence\n\tjmp 1b\n2:\n\t"
        "mov %rax, (%rsp)\n\tret\n\tint3\n\t.popsection");
extern const char returns_at_once[];
static double indirect_call(long unused) { (void)unused; TIMES(20000, __asm__ volatile("call *%%rax" : : "a"(returns_at_once) : "memory")); }
static double retpoline(long unused) { (void)unused; TIMES(20000, __asm__ volatile("call indirect_thunk" : : "a"(returns_at_once) : "memory")); }

// A stamp as text and back, as the RFC's sample does it: of as many digits as a time-stamp counter has after a day.
static double format_stamp(long unused) {
  (void)unused;
  char text[32];
  TIMES(5000, sprintf(text, "0x%lx", 0xb4a1c7d29f3e5ul + i_); __asm__ volatile("" : : "r"(text) : "memory"));
}

static double parse_stamp(long unused) {
  (void)unused;
  char text[32] = "0xb4a1c7d29f3e5";
  unsigned long stamp;
  TIMES(5000, sscanf(text, "0x%lx", &stamp); __asm__ volatile("" : : "r"(text) : "memory"));
}

// As the kernel copies and clears: with string instructions.
static double copy(long bytes) {
  int times = bytes < 4096 ? 20000 : (8 << 20) / bytes;
  TIMES(times, {
    void *to = target, *from = buffer;
    long left = bytes;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(left) : : "memory");
  });
}

static double clear(long bytes) {
  int times = bytes < 4096 ? 20000 : (8 << 20) / bytes;
  TIMES(times, {
    void *to = target;
    long left = bytes;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(left) : "a"(0) : "memory");
  });
}

// Makes one circle through the first lines of `chase`, in random order (Sattolo's algorithm, with a plain generator and a fixed seed).
static void shuffle(long lines) {
  uint64_t seed = 88172645463325252u;
  for (long i = 0; i < lines; i++) *(char **)(chase + i * LINE) = chase + i * LINE;
  for (long i = lines - 1; i > 0; i--) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    char **a = (char **)(chase + i * LINE), **b = (char **)(chase + (long)(seed % i) * LINE), *kept = *a;
    *a = *b, *b = kept;
  }
}

// Loads that wait for each other, through the first `bytes` of `chase`.
static double load(long bytes) {
  long lines = bytes / LINE, times = 50000;
  // The circle through all of it is there already.
  if (bytes < CHASE) shuffle(lines);
  char *at = chase;
  for (long i = 0; i < (bytes < CHASE ? lines : 1000); i++) at = *(char **)at;
  double began = now();
  for (long i = 0; i < times; i++) at = *(char **)at;
  double taken = (now() - began) / times;
  __asm__ volatile("" : : "r"(at));
  return taken;
}

static double page_fault(long unused) {
  (void)unused;
  enum { PAGES = 512 };
  char *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(pages != MAP_FAILED, "mmap");
  madvise(pages, PAGES * PAGE, MADV_NOHUGEPAGE);
  double began = now();
  for (int i = 0; i < PAGES; i++) pages[i * PAGE] = 1;
  return (now() - began) / PAGES;
}

static double protect(long unused) {
  (void)unused;
  char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(page != MAP_FAILED, "mmap");
  page[0] = 1;
  TIMES(500, (mprotect(page, PAGE, i_ & 1 ? PROT_READ | PROT_WRITE : PROT_READ), i_ & 1 ? page[0]++ : 0));
}

static double futex_wake(long unused) { (void)unused; TIMES(5000, futex(&shared->flag, FUTEX_WAKE, 1)); }

// A process beside this one, which ends with it.
static pid_t beside(int cpu) {
  pid_t parent = getpid(), pid = fork();
  need(pid >= 0, "fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    need(pin(cpu), "pin");
  }
  return pid;
}

// Two processes on one CPU that give way to each other.
static double yield(long unused) {
  (void)unused;
  enum { YIELDS = 1000 };
  static double taken[YIELDS];
  if (beside(first_cpu) == 0) {
    shared->ready = 1;
    for (;;) sched_yield();
  }
  while (!shared->ready) sched_yield();
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  for (int i = 0; i < YIELDS; i++) {
    uint64_t began = rdtsc();
    sched_yield();
    taken[i] = rdtsc() - began;
  }
  getrusage(RUSAGE_SELF, &after);
  long switches = after.ru_nvcsw - before.ru_nvcsw + after.ru_nivcsw - before.ru_nivcsw;
  shared->outcome.switches = (double)switches / YIELDS;
  // To the other and back.
  return typical(taken, YIELDS) / 2;
}

// A line that two CPUs write in turn: one way.
static double line_transfer(long unused) {
  (void)unused;
  enum { TURNS = 2000 };
  if (beside(second_cpu) == 0) {
    for (uint32_t i = 1;; i += 2) {
      while (shared->flag != i) ;
      shared->flag = i + 1;
    }
  }
  double began = 0;
  for (uint32_t i = 0; i < 2 * (TURNS + 200); i += 2) {
    if (i == 400) began = now();
    shared->flag = i + 1;
    while (shared->flag != i + 2) ;
  }
  return (now() - began) / (2 * TURNS);
}

// A thread on each CPU, one of which asks for a memory barrier on the other: an interrupt there, and its acknowledgement.
static int spin_thread(void *unused) {
  (void)unused;
  need(pin(second_cpu), "pin");
  shared->ready = 1;
  for (;;) __asm__ volatile("pause");
  return 0;
}

static double interrupt_other(long unused) {
  (void)unused;
  need(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0, "membarrier");
  char *stack = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  need(stack != MAP_FAILED, "mmap");
  int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  need(clone(spin_thread, stack + 16 * PAGE, flags, NULL) > 0, "clone");
  while (!shared->ready) ;
  TIMES(200, syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
}

static void wait_ns(double ns) {
  for (double end = now() + ns; now() < end;) __asm__ volatile("pause");
}

// A wake-up of a process on the other CPU, which was idle, the median of some: to its first instruction; or, for the waker, the call.
static double wake_idle(long call) {
  enum { WAKES = 60, REST = 60000 };
  static double taken[WAKES];
  if (beside(second_cpu) == 0) {
    for (uint32_t i = 0;; i++) {
      while (shared->flag == i) futex(&shared->flag, FUTEX_WAIT, i);
      shared->other_stamp = rdtsc();
      shared->other_flag = i + 1;
    }
  }
  for (uint32_t i = 0; i < WAKES; i++) {
    wait_ns(REST);
    shared->stamp = rdtsc();
    shared->flag = i + 1;
    futex(&shared->flag, FUTEX_WAKE, 1);
    uint64_t called = rdtsc();
    while (shared->other_flag != i + 1) ;
    taken[i] = (double)(int64_t)((call ? called : shared->other_stamp) - shared->stamp);
  }
  return typical(taken, WAKES);
}

// ---- Composites: a client and a server, as the mechanisms of @rpal/compare ----

struct ring {
  _Alignas(LINE) volatile uint32_t put;
  _Alignas(LINE) volatile uint32_t taken;
  _Alignas(LINE) char bytes[LARGEST];
};

// One side's end. Which members are in use is up to the mechanism.
struct end {
  int from, to, epfd;
  struct ring *in, *out;
  uint32_t sent, got;
  int wakes_me, wakes_other;
  mqd_t mq_from, mq_to;
  pid_t peer;
};

struct mechanism {
  const char *name;
  void (*open)(struct end *client, struct end *server, long size);
  void (*begin)(struct end *end); // in the side's own process; may be null
  void (*send)(struct end *end, char *bytes, long size);
  void (*receive)(struct end *end, char *bytes, long size);
};

static void open_pipes(struct end *client, struct end *server, long size) {
  (void)size;
  int there[2], back[2];
  need(pipe(there) == 0 && pipe(back) == 0, "pipe");
  client->from = back[0], client->to = there[1];
  server->from = there[0], server->to = back[1];
}

static void open_sockets(struct end *client, struct end *server, int type) {
  int pair[2];
  need(socketpair(AF_UNIX, type, 0, pair) == 0, "socketpair");
  client->from = client->to = pair[0];
  server->from = server->to = pair[1];
}

static void open_stream(struct end *client, struct end *server, long size) { (void)size; open_sockets(client, server, SOCK_STREAM); }
static void open_datagram(struct end *client, struct end *server, long size) { (void)size; open_sockets(client, server, SOCK_DGRAM); }
static void open_seqpacket(struct end *client, struct end *server, long size) { (void)size; open_sockets(client, server, SOCK_SEQPACKET); }

static void send_plain(struct end *end, char *bytes, long size) {
  for (long sent = 0; sent < size;) {
    long n = write(end->to, bytes + sent, size - sent);
    need(n > 0, "write");
    sent += n;
  }
}

static void receive_plain(struct end *end, char *bytes, long size) {
  for (long got = 0; got < size;) {
    long n = read(end->from, bytes + got, size - got);
    need(n > 0, "read");
    got += n;
  }
}

static void begin_epoll(struct end *end) {
  struct epoll_event event = {.events = EPOLLIN};
  end->epfd = epoll_create1(0);
  need(end->epfd >= 0 && epoll_ctl(end->epfd, EPOLL_CTL_ADD, end->from, &event) == 0, "epoll");
}

static void receive_epoll(struct end *end, char *bytes, long size) {
  struct epoll_event events[4];
  for (long got = 0; got < size;) {
    need(epoll_wait(end->epfd, events, 4, -1) >= 0, "epoll_wait");
    long n = read(end->from, bytes + got, size - got);
    need(n > 0, "read");
    got += n;
  }
}

static void *map_shared(long size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  need(memory != MAP_FAILED, "mmap");
  return memory;
}

static void open_rings(struct end *client, struct end *server, long size) {
  long bytes = sizeof(struct ring) - LARGEST + size;
  client->out = server->in = map_shared(bytes);
  client->in = server->out = map_shared(bytes);
}

static void open_eventfd_rings(struct end *client, struct end *server, long size) {
  open_rings(client, server, size);
  client->wakes_other = server->wakes_me = eventfd(0, 0);
  client->wakes_me = server->wakes_other = eventfd(0, 0);
  need(client->wakes_me >= 0 && client->wakes_other >= 0, "eventfd");
}

static void put(struct end *end, const char *bytes, long size) {
  while (end->out->taken != end->sent) sched_yield();
  memcpy(end->out->bytes, bytes, size);
  end->out->put = ++end->sent;
}

static void take(struct end *end, char *bytes, long size) {
  memcpy(bytes, end->in->bytes, size);
  end->in->taken = ++end->got;
}

static void send_eventfd(struct end *end, char *bytes, long size) {
  uint64_t one = 1;
  put(end, bytes, size);
  need(write(end->wakes_other, &one, 8) == 8, "write");
}

static void receive_eventfd(struct end *end, char *bytes, long size) {
  uint64_t count;
  while (end->in->put == end->got) need(read(end->wakes_me, &count, 8) == 8, "read");
  take(end, bytes, size);
}

static void send_futex(struct end *end, char *bytes, long size) {
  put(end, bytes, size);
  need(futex(&end->out->put, FUTEX_WAKE, 1) >= 0, "futex");
}

static void receive_futex(struct end *end, char *bytes, long size) {
  while (end->in->put == end->got) futex(&end->in->put, FUTEX_WAIT, end->got);
  take(end, bytes, size);
}

static void open_queues(struct end *client, struct end *server, long size) {
  struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = size};
  mqd_t queues[2];
  for (int i = 0; i < 2; i++) {
    char name[64];
    snprintf(name, sizeof name, "/rpal-host-%d-%d", getpid(), i);
    queues[i] = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    need(queues[i] != (mqd_t)-1, "mq_open");
    mq_unlink(name);
  }
  client->mq_to = server->mq_from = queues[0];
  client->mq_from = server->mq_to = queues[1];
}

static void send_queue(struct end *end, char *bytes, long size) { need(mq_send(end->mq_to, bytes, size, 0) == 0, "mq_send"); }
static void receive_queue(struct end *end, char *bytes, long size) {
  need(mq_receive(end->mq_from, bytes, size, NULL) == size, "mq_receive");
}

static void open_signals(struct end *client, struct end *server, long size) {
  (void)client, (void)server, (void)size;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  // Before the fork: the server inherits the mask, and no signal comes too early.
  need(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "sigprocmask");
}

static void send_signal(struct end *end, char *bytes, long size) {
  (void)size;
  union sigval value;
  memcpy(&value.sival_int, bytes, 4);
  need(sigqueue(end->peer, SIGRTMIN, value) == 0, "sigqueue");
}

static void receive_signal(struct end *end, char *bytes, long size) {
  (void)end, (void)size;
  sigset_t set;
  siginfo_t info;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  while (sigwaitinfo(&set, &info) < 0) need(errno == EINTR, "sigwaitinfo");
  memcpy(bytes, &info.si_value.sival_int, 4);
}

// Counts of messages that each side has taken are in the rings, as in the mechanism; the bytes do not go through them.
static void open_process_vm(struct end *client, struct end *server, long size) {
  (void)size;
  open_pipes(client, server, 0);
  open_rings(client, server, LINE);
}

static void begin_process_vm(struct end *end) {
  (void)end;
  // Where Yama restricts who may read whose memory; elsewhere it fails and is not needed.
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
}

static void send_process_vm(struct end *end, char *bytes, long size) {
  (void)size;
  while (end->out->taken != end->sent) sched_yield();
  end->sent++;
  need(write(end->to, &bytes, 8) == 8, "write");
}

static void receive_process_vm(struct end *end, char *bytes, long size) {
  char *there;
  need(read(end->from, &there, 8) == 8, "read");
  struct iovec local = {bytes, size}, remote = {there, size};
  need(process_vm_readv(end->peer, &local, 1, &remote, 1, 0) == size, "process_vm_readv");
  end->in->taken = ++end->got;
}

static const struct mechanism mechanisms[] = {
    {"pipe", open_pipes, NULL, send_plain, receive_plain},
    {"stream", open_stream, NULL, send_plain, receive_plain},
    {"unix", open_stream, begin_epoll, send_plain, receive_epoll},
    {"pipe-epoll", open_pipes, begin_epoll, send_plain, receive_epoll},
    {"datagram", open_datagram, NULL, send_plain, receive_plain},
    {"seqpacket", open_seqpacket, NULL, send_plain, receive_plain},
    {"eventfd-ring", open_eventfd_rings, NULL, send_eventfd, receive_eventfd},
    {"futex", open_rings, NULL, send_futex, receive_futex},
    {"mq", open_queues, NULL, send_queue, receive_queue},
    {"signal", open_signals, NULL, send_signal, receive_signal},
    {"process-vm", open_process_vm, begin_process_vm, send_process_vm, receive_process_vm},
};

static double round_trip(const struct mechanism *how, int server_cpu, long size) {
  struct end client = {0}, server = {0};
  how->open(&client, &server, size);
  // Before the fork, so that the server's pages are its own once it writes.
  memset(buffer, 7, size);
  memset(target, 7, size);
  server.peer = getpid();
  pid_t pid = beside(server_cpu);
  if (pid == 0) {
    memset(buffer, 9, size);
    memset(target, 9, size);
    if (how->begin != NULL) how->begin(&server);
    for (;;) {
      how->receive(&server, target, size);
      how->send(&server, buffer, size);
    }
  }
  client.peer = pid;
  if (how->begin != NULL) how->begin(&client);
  enum { WARM_UP = 20, TRIPS = 200 };
  static double taken[TRIPS];
  int trips = size > 16384 ? TRIPS / 4 : TRIPS;
  for (int i = -WARM_UP; i < trips; i++) {
    uint64_t began = rdtsc();
    how->send(&client, buffer, size);
    how->receive(&client, target, size);
    if (i >= 0) taken[i] = rdtsc() - began;
  }
  return typical(taken, trips);
}

// ---- What is measured ----

struct measurement {
  char name[48];
  double (*step)(long argument); // null for a composite
  long argument;                 // bytes, or nothing
  const struct mechanism *mechanism;
  int two_cpus;
  int gone; // it was said to be absent
};

static struct measurement all[160];
static int count;

static struct measurement *add(const char *name, double (*step)(long), long argument, int two_cpus) {
  struct measurement *new = &all[count++];
  snprintf(new->name, sizeof new->name, "%s", name);
  new->step = step, new->argument = argument, new->two_cpus = two_cpus;
  return new;
}

static void add_sizes(const char *name, double (*step)(long)) {
  for (long bytes = 64; bytes <= LARGEST; bytes *= 4) {
    char text[48];
    snprintf(text, sizeof text, "%s-%ld", name, bytes);
    add(text, step, bytes, 0);
  }
}

static void add_composite(const struct mechanism *how, int two_cpus, long size) {
  char text[48];
  snprintf(text, sizeof text, "%s/%s/%ld", how->name, two_cpus ? "same-socket" : "same-cpu", size);
  add(text, NULL, size, two_cpus)->mechanism = how;
}

static void list_all(void) {
  add("core-cycle", core_cycle, 0, 0);
  add("null-call", null_call, 0, 0);
  add("rdtsc", read_tsc, 0, 0);
  add("locked-add", locked_add, 0, 0);
  add("lfence", lfence, 0, 0);
  add("mfence", mfence, 0, 0);
  add("pause", pause_instruction, 0, 0);
  add("fp-control", fp_control, 0, 0);
  add("rdfsbase", rdfsbase, 0, 0);
  add("wrfsbase", wrfsbase, 0, 0);
  add("rdpkru", rdpkru, 0, 0);
  add("wrpkru", wrpkru, 0, 0);
  add("indirect-call", indirect_call, 0, 0);
  add("retpoline", retpoline, 0, 0);
  add("sprintf-stamp", format_stamp, 0, 0);
  add("sscanf-stamp", parse_stamp, 0, 0);
  add_sizes("copy", copy);
  add_sizes("clear", clear);
  add("load-first-level", load, 16 << 10, 0);
  add("load-second-level", load, 256 << 10, 0);
  add("load-memory", load, CHASE, 0);
  add("page-fault", page_fault, 0, 0);
  add("mprotect", protect, 0, 0);
  add("futex-wake", futex_wake, 0, 0);
  add("yield", yield, 0, 0);
  add("line-transfer", line_transfer, 0, 1);
  add("interrupt-other", interrupt_other, 0, 1);
  add("wake-idle", wake_idle, 0, 1);
  add("wake-idle-call", wake_idle, 1, 1);
  for (int two = 0; two < 2; two++) {
    for (const struct mechanism *how = mechanisms; how < mechanisms + sizeof mechanisms / sizeof *mechanisms; how++) {
      if (strcmp(how->name, "signal") == 0) {
        add_composite(how, two, 4);
        continue;
      }
      add_composite(how, two, 32);
      if (strcmp(how->name, "process-vm") == 0) add_composite(how, two, 4096), add_composite(how, two, 16384);
      if (strcmp(how->name, "pipe") == 0 || strcmp(how->name, "stream") == 0 || strcmp(how->name, "process-vm") == 0) {
        if (strcmp(how->name, "process-vm") != 0) add_composite(how, two, 4096);
        add_composite(how, two, 65536);
      }
    }
  }
}

static void absent(struct measurement *it, const char *why) {
  it->gone = 1;
  printf("absent %s %s\n", it->name, why);
}

static int is(const struct measurement *it, const char *name) { return strcmp(it->name, name) == 0; }

static void leave_out(void) {
  uint32_t a, b, c = 0, d;
  int keys = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & 1 << 4) != 0;
  int bases = (getauxval(AT_HWCAP2) & 2) != 0;
  for (struct measurement *it = all; it < all + count; it++) {
    if (it->two_cpus && second_cpu < 0) absent(it, "this process may use one CPU only");
    else if (!keys && (is(it, "rdpkru") || is(it, "wrpkru"))) absent(it, "CPUID does not say OSPKE: no protection keys");
    else if (!bases && (is(it, "rdfsbase") || is(it, "wrfsbase"))) absent(it, "the kernel does not allow FSGSBASE");
    else if (chase == NULL && it->step == load) absent(it, "no memory for it");
  }
}

// In a process of its own: what fails, hangs or is no instruction here ends that one alone.
static void measure(struct measurement *it) {
  memset(shared, 0, sizeof *shared);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // So that two sides of a composite can be killed as one.
    setpgid(0, 0);
    alarm(PATIENCE);
    need(pin(first_cpu), "pin");
    shared->outcome.ns =
        it->mechanism == NULL ? it->step(it->argument) : round_trip(it->mechanism, it->two_cpus ? second_cpu : first_cpu, it->argument);
    if (cpu_here() != first_cpu) snprintf(shared->outcome.why, TEXT, "the process was moved to another CPU");
    _exit(0);
  }
  int status = 0;
  if (pid > 0) waitpid(pid, &status, 0), kill(-pid, SIGKILL);
  if (pid < 0) absent(it, strerror(errno));
  else if (shared->outcome.why[0] != 0) absent(it, shared->outcome.why);
  else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) absent(it, "was not through after 10 s");
  else if (WIFSIGNALED(status)) absent(it, strsignal(WTERMSIG(status)));
  else if (!(shared->outcome.ns > 0)) printf("doubt %s: %.1f ns, which cannot be; left out\n", it->name, shared->outcome.ns);
  else {
    printf("sample %s %.4f\n", it->name, shared->outcome.ns);
    if (shared->outcome.switches > 0) printf("sample switches-per-yield %.4f\n", shared->outcome.switches);
  }
}

// Both clocks at one moment, as well as it can be told: the reading with the shortest gap of some.
static void both_clocks(double *ns, uint64_t *tsc) {
  double best = 1e18;
  for (int i = 0; i < 20; i++) {
    double before = now();
    uint64_t between = rdtsc();
    double after = now();
    if (after - before >= best) continue;
    best = after - before, *ns = (before + after) / 2, *tsc = between;
  }
}

static double frequency(double ns_before, uint64_t tsc_before) {
  double ns = 0;
  uint64_t tsc = 0;
  both_clocks(&ns, &tsc);
  return (double)(int64_t)(tsc - tsc_before) / (ns - ns_before);
}

static void choose_cpus(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return;
  for (int cpu = 0; cpu < CPU_SETSIZE && second_cpu < 0; cpu++) {
    if (!CPU_ISSET(cpu, &set)) continue;
    if (!pin(cpu)) printf("doubt CPU %d is allowed, but nothing can be pinned to it; not used\n", cpu);
    else if (first_cpu < 0) first_cpu = cpu;
    else second_cpu = cpu;
  }
}

int main(int arguments, char **words) {
  int rounds = arguments > 1 ? atoi(words[1]) : 1;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Ahead of other work, where that is allowed: on a busy computer a yield would otherwise lead through the slices of strangers.
  setpriority(PRIO_PROCESS, 0, -20);
  choose_cpus();
  if (first_cpu < 0 || !pin(first_cpu)) {
    fprintf(stderr, "no CPU that a process can be pinned to\n");
    return 1;
  }
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  buffer = mmap(NULL, 2 * LARGEST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  // Huge pages, as far as there are any: otherwise the walks of page tables would be measured as well.
  chase = mmap(NULL, CHASE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED || buffer == MAP_FAILED) {
    fprintf(stderr, "mmap: %s\n", strerror(errno));
    return 1;
  }
  if (chase == MAP_FAILED) chase = NULL;
  else madvise(chase, CHASE, MADV_HUGEPAGE), shuffle(CHASE / LINE);
  target = buffer + LARGEST;

  double ns = 0;
  uint64_t tsc = 0;
  both_clocks(&ns, &tsc);
  usleep(50000);
  tsc_ghz = frequency(ns, tsc);
  uint32_t a, b, c = 0, d;
  __get_cpuid(1, &a, &b, &c, &d);
  printf("fact rseq %d\n", &__rseq_size != NULL && __rseq_size > 0);
  printf("fact tsc-ghz %.6f\nfact first-cpu %d\nfact second-cpu %d\nfact hypervisor %d\n", tsc_ghz, first_cpu, second_cpu, c >> 31);
  list_all();
  leave_out();
  for (int round = 1; round <= rounds; round++) {
    for (struct measurement *it = all; it < all + count; it++) {
      if (it->gone) continue;
      both_clocks(&ns, &tsc);
      measure(it);
      double here = frequency(ns, tsc);
      if (here < 0.99 * tsc_ghz || here > 1.01 * tsc_ghz)
        printf("doubt %s: the clock jumped: the time stamp counter ran at %.4f GHz, and at %.4f GHz at the beginning\n", it->name, here, tsc_ghz);
    }
    printf("round %d\n", round);
  }
  return 0;
}
