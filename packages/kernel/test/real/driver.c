// Runs programs of system calls on the real kernel, one call at a time, in up to four processes.
//
// Reads lines from standard input: "reset", or "[expire | collect] <process> <call> <arguments...>". After each call, and after
// timers have expired that it led to, or sockets have been collected that nobody can receive any more, it waits until every
// process either has answered or sleeps inside its call, and prints what became of them:
//   = <process> <result>   the call has returned
//   ~ <process>            it sleeps
//   + <process> <result>   an earlier call of another process has returned now
//   .                      that was all
// A process sleeps if /proc says so and it has not answered: it waits for its next call only after the answer is out.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 4, CONTROL = 200, LIMIT = 40, BUFFER = 1 << 18, TEXT = 1024, EXPIRY_US = 15000, ROUNDS = 4 };

struct command {
  char call[16];
  long self;
  long a[8];
};

static int fd_command_read(int p) { return CONTROL + 4 * p; }
static int fd_command_write(int p) { return CONTROL + 4 * p + 1; }
static int fd_answer_read(int p) { return CONTROL + 4 * p + 2; }
static int fd_answer_write(int p) { return CONTROL + 4 * p + 3; }

// Of each worker its own, also of those that are threads of one process.
static __thread unsigned char *buffer;
static long run_id; // Unique on this computer: part of the names of sockets.

static int append(char *text, int at, const char *format, long value) {
  return at + snprintf(text + at, TEXT - at, format, value);
}

static unsigned hash(const unsigned char *bytes, long length) {
  unsigned h = 2166136261u;
  for (long i = 0; i < length; i++) h = (h ^ bytes[i]) * 16777619u;
  return h;
}

static void pattern(long length, long seed) {
  for (long i = 0; i < length; i++) buffer[i] = (unsigned char)(seed + i);
}

static socklen_t name_of(struct sockaddr_un *address, long number) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  int length = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "rpal-model-%ld-%ld", run_id, number);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
}

static long result(long value) { return value < 0 ? -errno : value; }

static void pair_result(char *text, long value, const int *fds) {
  int at = append(text, 0, "%ld", value);
  if (value == 0) {
    at = append(text, at, " %ld", fds[0]);
    append(text, at, " %ld", fds[1]);
  }
}

// Of a record of a signalfd the model fills in the signal's number and what sigqueue sent along; who sent it is left out here too.
static void strip_records(long fd, long length) {
  char path[64], link[64];
  snprintf(path, sizeof path, "/proc/self/fd/%ld", fd);
  long n = readlink(path, link, sizeof link - 1);
  if (n <= 0 || strncmp(link, "anon_inode:[signalfd]", (size_t)n) != 0) return;
  for (long at = 0; at + 128 <= length; at += 128) {
    memset(buffer + at + 4, 0, 40);
    memset(buffer + at + 48, 0, 80);
  }
}

static void data_result(char *text, long value, long length) {
  int at = append(text, 0, "%ld", value);
  if (value <= 0) return;
  long stored = value > length ? length : value;
  // Who is to be told of a message has another process id in the model.
  unsigned char *owner = memmem(buffer, (size_t)stored, "NOTIFY_PID:", 11);
  if (owner != NULL) memset(owner, 0, (size_t)(stored - (owner - buffer)));
  append(text, at, " %lx", hash(buffer, stored));
}

static void worker(int self);

static int is(const struct command *c, const char *name) { return strcmp(c->call, name) == 0; }

static volatile long seen[65];
// What real-time signals came in what order, and with what value.
static volatile unsigned order;

static void on_signal(int signal, siginfo_t *info, void *context) {
  (void)context;
  seen[signal]++;
  if (signal >= 32) order = order * 31 + (unsigned)(signal * 256) + (info->si_code == SI_QUEUE || info->si_code == SI_MESGQ ? (unsigned)info->si_value.sival_int : 0);
}

// Signals 1 to 32 are bits of one word, those up to 64 of a second one.
static void put_bits(char *text, const sigset_t *set) {
  long low = 0, high = 0;
  for (int signal = 1; signal <= 64; signal++) {
    if (sigismember(set, signal) != 1) continue;
    if (signal <= 32) low |= 1L << (signal - 1);
    else high |= 1L << (signal - 33);
  }
  append(text, append(text, (int)strlen(text), "%lx", low), " %lx", high);
}

// A message of two segments with up to two descriptors: pass <fd> <length> <seed> <flags> <count> <first> <second>
static void send_descriptors(const long *a, char *text) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(2 * sizeof(int))];
  } control;
  long half = a[1] / 2;
  struct iovec segments[2] = {{buffer, (size_t)half}, {buffer + half, (size_t)(a[1] - half)}};
  struct msghdr message = {.msg_iov = segments, .msg_iovlen = 2};
  pattern(a[1], a[2]);
  if (a[4] > 0) {
    int fds[2] = {(int)a[5], (int)a[6]};
    memset(&control, 0, sizeof control);
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE((size_t)a[4] * sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN((size_t)a[4] * sizeof(int));
    memcpy(CMSG_DATA(&control.header), fds, (size_t)a[4] * sizeof(int));
  }
  append(text, 0, "%ld", result(sendmsg((int)a[0], &message, (int)a[3] | MSG_NOSIGNAL)));
}

// take <fd> <length> <flags> <room for descriptors>
static void take_descriptors(const long *a, char *text) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(4 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
  } control;
  long half = a[1] / 2;
  struct iovec segments[2] = {{buffer, (size_t)half}, {buffer + half, (size_t)(a[1] - half)}};
  struct msghdr message = {.msg_iov = segments, .msg_iovlen = 2};
  // Who sent it comes first, and does not use up what is meant for descriptors.
  int credentials = 0;
  socklen_t size = sizeof credentials;
  if (getsockopt((int)a[0], SOL_SOCKET, SO_PASSCRED, &credentials, &size) < 0) credentials = 0;
  if (a[3] > 0 || credentials) {
    message.msg_control = &control;
    message.msg_controllen = (a[3] > 0 ? CMSG_LEN((size_t)a[3] * sizeof(int)) : 0) + (credentials ? CMSG_SPACE(sizeof(struct ucred)) : 0);
  }
  long n = result(recvmsg((int)a[0], &message, (int)a[2]));
  long stored = n > a[1] ? a[1] : n;
  int at = append(text, 0, "%ld", n);
  if (n < 0) return;
  at = append(text, at, " %lx", stored > 0 ? hash(buffer, stored) : 0);
  at = append(text, at, " flags %lx", message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_type == SCM_CREDENTIALS) {
      struct ucred sender;
      memcpy(&sender, CMSG_DATA(c), sizeof sender);
      at = append(text, at, " from %ld", sender.pid == getpid() ? 1 : sender.pid == 0 ? 0 : 2);
      at = append(text, at, " %ld", (long)sender.uid);
    }
    if (c->cmsg_type != SCM_RIGHTS) continue;
    int fds[4];
    size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(c), count * sizeof(int));
    for (size_t i = 0; i < count; i++) at = append(text, at, " fd %ld", fds[i]);
  }
}

#include "driver-ipc.h"

static void start_thread(int self, char *text);

static void execute(const struct command *c, char *text) {
  const long *a = c->a;
  int fds[2];
  struct sockaddr_un address;
  if (is(c, "pipe")) {
    pair_result(text, result(pipe2(fds, (int)a[0])), fds);
  } else if (is(c, "eventfd")) {
    append(text, 0, "%ld", result(syscall(SYS_eventfd2, a[0], a[1])));
  } else if (is(c, "socketpair")) {
    pair_result(text, result(socketpair(AF_UNIX, (int)a[0], 0, fds)), fds);
  } else if (is(c, "socket")) {
    append(text, 0, "%ld", result(socket(AF_UNIX, (int)a[0], 0)));
  } else if (is(c, "bind")) {
    socklen_t length = name_of(&address, a[1]);
    append(text, 0, "%ld", result(bind((int)a[0], (struct sockaddr *)&address, length)));
  } else if (is(c, "listen")) {
    append(text, 0, "%ld", result(listen((int)a[0], (int)a[1])));
  } else if (is(c, "connect")) {
    socklen_t length = name_of(&address, a[1]);
    append(text, 0, "%ld", result(connect((int)a[0], (struct sockaddr *)&address, length)));
  } else if (is(c, "accept")) {
    append(text, 0, "%ld", result(accept((int)a[0], NULL, NULL)));
  } else if (is(c, "shutdown")) {
    append(text, 0, "%ld", result(shutdown((int)a[0], (int)a[1])));
  } else if (is(c, "dup")) {
    append(text, 0, "%ld", result(dup((int)a[0])));
  } else if (is(c, "dup2")) {
    append(text, 0, "%ld", result(dup2((int)a[0], (int)a[1])));
  } else if (is(c, "fcntl")) {
    append(text, 0, "%ld", result(fcntl((int)a[0], (int)a[1], a[2])));
  } else if (is(c, "close")) {
    append(text, 0, "%ld", result(close((int)a[0])));
  } else if (is(c, "read")) {
    long n = result(read((int)a[0], buffer, (size_t)a[1]));
    if (n >= 128) strip_records(a[0], n);
    data_result(text, n, a[1]);
  } else if (is(c, "badread")) {
    // No memory at the address.
    append(text, 0, "%ld", result(syscall(SYS_read, a[0], 8L, a[1])));
  } else if (is(c, "badwrite")) {
    append(text, 0, "%ld", result(syscall(SYS_write, a[0], 8L, a[1])));
  } else if (is(c, "badwait")) {
    append(text, 0, "%ld", result(syscall(SYS_epoll_wait, a[0], 8L, a[1], 0)));
  } else if (is(c, "waitpid")) {
    append(text, 0, "%ld", result(waitpid(-1, NULL, (int)a[0])));
  } else if (is(c, "write")) {
    pattern(a[1], a[2]);
    append(text, 0, "%ld", result(write((int)a[0], buffer, (size_t)a[1])));
  } else if (is(c, "count")) {
    uint64_t value = ((uint64_t)a[1] << 32) | (uint32_t)a[2];
    append(text, 0, "%ld", result(write((int)a[0], &value, sizeof value)));
  } else if (is(c, "recv")) {
    data_result(text, result(recv((int)a[0], buffer, (size_t)a[1], (int)a[2])), a[1]);
  } else if (is(c, "send")) {
    pattern(a[1], a[2]);
    append(text, 0, "%ld", result(send((int)a[0], buffer, (size_t)a[1], (int)a[3] | MSG_NOSIGNAL)));
  } else if (is(c, "sendto")) {
    socklen_t length = name_of(&address, a[4]);
    pattern(a[1], a[2]);
    append(text, 0, "%ld", result(sendto((int)a[0], buffer, (size_t)a[1], (int)a[3] | MSG_NOSIGNAL, (struct sockaddr *)&address, length)));
  } else if (is(c, "pass")) {
    send_descriptors(a, text);
  } else if (is(c, "take")) {
    take_descriptors(a, text);
  } else if (is(c, "getopt")) {
    int value = 0;
    socklen_t length = sizeof value;
    long r = result(getsockopt((int)a[0], SOL_SOCKET, (int)a[1], &value, &length));
    append(text, 0, "%ld", r < 0 ? r : value);
  } else if (is(c, "setopt")) {
    int value = (int)a[2];
    append(text, 0, "%ld", result(setsockopt((int)a[0], SOL_SOCKET, (int)a[1], &value, sizeof value)));
  } else if (is(c, "splice")) {
    append(text, 0, "%ld", result(splice((int)a[0], NULL, (int)a[1], NULL, (size_t)a[2], (unsigned)a[3])));
  } else if (is(c, "tee")) {
    append(text, 0, "%ld", result(tee((int)a[0], (int)a[1], (size_t)a[2], (unsigned)a[3])));
  } else if (is(c, "readv")) {
    struct iovec segments[2] = {{buffer, (size_t)(a[1] / 2)}, {buffer + a[1] / 2, (size_t)(a[1] - a[1] / 2)}};
    long n = result(readv((int)a[0], segments, 2));
    if (n >= 128) strip_records(a[0], n);
    data_result(text, n, a[1]);
  } else if (is(c, "writev")) {
    struct iovec segments[2] = {{buffer, (size_t)(a[1] / 2)}, {buffer + a[1] / 2, (size_t)(a[1] - a[1] / 2)}};
    pattern(a[1], a[2]);
    append(text, 0, "%ld", result(writev((int)a[0], segments, 2)));
  } else if (is(c, "kill")) {
    append(text, 0, "%ld", result(kill((pid_t)a[7], (int)a[1])));
  } else if (is(c, "action")) {
    struct sigaction action = {.sa_flags = (int)a[2]};
    if (a[1] == 0) action.sa_handler = SIG_DFL;
    else if (a[1] == 1) action.sa_handler = SIG_IGN;
    else {
      action.sa_sigaction = on_signal;
      action.sa_flags |= SA_SIGINFO;
    }
    append(text, 0, "%ld", result(sigaction((int)a[0], &action, NULL)));
  } else if (is(c, "mask")) {
    sigset_t set, old;
    sigemptyset(&set);
    for (int signal = 1; signal <= 64; signal++) {
      if ((signal <= 32 ? a[1] >> (signal - 1) : a[2] >> (signal - 33)) & 1) sigaddset(&set, signal);
    }
    append(text, 0, "%ld ", result(sigprocmask((int)a[0], &set, &old)));
    put_bits(text, &old);
  } else if (is(c, "pending")) {
    sigset_t set;
    sigpending(&set);
    put_bits(text, &set);
  } else if (is(c, "seen")) {
    int at = append(text, append(text, append(text, 0, "%ld", seen[SIGUSR1]), " %ld", seen[SIGUSR2]), " %ld", seen[SIGCHLD]);
    append(text, at, " %lx", order);
  } else if (is(c, "queue")) {
    union sigval value = {.sival_int = (int)a[2]};
    append(text, 0, "%ld", result(sigqueue((pid_t)a[7], (int)a[1], value)));
  } else if (is(c, "reap")) {
    int status = 0;
    long pid = result(waitpid(-1, &status, WNOHANG | (int)a[1]));
    int at = append(text, 0, pid > 0 ? "who %ld" : "%ld", pid);
    if (pid > 0) append(text, at, " %lx", status);
  } else if (is(c, "exec")) {
    char self[16], run[32];
    append(self, 0, "%ld", c->self);
    append(run, 0, "%ld", run_id);
    execl("/proc/self/exe", "driver", "worker", self, run, (char *)NULL);
    append(text, 0, "%ld", result(-1));
  } else if (is(c, "timerfd")) {
    append(text, 0, "%ld", result(timerfd_create(CLOCK_MONOTONIC, (int)a[0])));
  } else if (is(c, "arm")) {
    struct itimerspec times = {{a[2] / 1000000000, a[2] % 1000000000}, {a[1] / 1000000000, a[1] % 1000000000}};
    append(text, 0, "%ld", result(timerfd_settime((int)a[0], 0, &times, NULL)));
  } else if (is(c, "memfd")) {
    append(text, 0, "%ld", result(memfd_create("random", (unsigned)a[0])));
  } else if (is(c, "seek")) {
    append(text, 0, "%ld", result(lseek((int)a[0], a[1], (int)a[2])));
  } else if (is(c, "truncate")) {
    append(text, 0, "%ld", result(ftruncate((int)a[0], a[1])));
  } else if (is(c, "pread")) {
    data_result(text, result(pread((int)a[0], buffer, (size_t)a[1], a[2])), a[1]);
  } else if (is(c, "pwrite")) {
    pattern(a[1], a[2]);
    append(text, 0, "%ld", result(pwrite((int)a[0], buffer, (size_t)a[1], a[3])));
  } else if (is(c, "unread")) {
    int n = -1;
    long r = result(ioctl((int)a[0], FIONREAD, &n));
    append(text, 0, "%ld", r < 0 ? r : n);
  } else if (is(c, "epoll")) {
    append(text, 0, "%ld", result(epoll_create1(0)));
  } else if (is(c, "ctl")) {
    struct epoll_event event = {.events = (uint32_t)a[3], .data.u64 = (uint64_t)a[4]};
    append(text, 0, "%ld", result(epoll_ctl((int)a[0], (int)a[1], (int)a[2], &event)));
  } else if (is(c, "wait") || is(c, "nap")) {
    struct epoll_event events[64];
    long n = result(is(c, "nap") ? epoll_wait((int)a[0], events, 16, 4) : epoll_wait((int)a[0], events, (int)a[1], (int)a[2]));
    int at = append(text, 0, "%ld", n);
    for (long i = 0; i < n; i++) {
      at = append(text, at, " %ld", (long)events[i].data.u64);
      at = append(text, at, ":%lx", events[i].events);
    }
  } else if (is(c, "poll")) {
    struct pollfd set = {.fd = (int)a[0], .events = (short)a[1]};
    long n = result(poll(&set, 1, (int)a[2]));
    append(text, append(text, 0, "%ld", n), " %lx", n > 0 ? set.revents : 0);
  } else if (execute_ipc(c, text)) {
    return;
  } else if (is(c, "thread")) {
    start_thread((int)a[0], text);
  } else if (is(c, "fork")) {
    int child = fork();
    if (child == 0) worker((int)a[0]);
    append(text, 0, "pid %ld", child);
  } else {
    append(text, 0, "unknown", 0);
  }
}

static void worker(int self) {
  struct command command;
  char text[TEXT];
  if (buffer == NULL) buffer = malloc(BUFFER);
  for (;;) {
    long got = read(fd_command_read(self), &command, sizeof command);
    if (got < 0 && errno == EINTR) continue;
    if (got != sizeof command) break;
    if (is(&command, "exit") && gettid() != getpid()) syscall(SYS_exit, 0L);
    if (is(&command, "exit")) _exit(0);
    memset(text, 0, sizeof text);
    execute(&command, text);
    if (write(fd_answer_write(self), text, sizeof text) != sizeof text) _exit(1);
  }
  _exit(0);
}

struct beginning {
  int self;
  volatile int tid;
};

static void *begin_thread(void *argument) {
  struct beginning *beginning = argument;
  int self = beginning->self;
  beginning->tid = gettid();
  worker(self);
  return NULL;
}

static void start_thread(int self, char *text) {
  static struct beginning beginning;
  pthread_t thread;
  beginning.self = self;
  beginning.tid = 0;
  int failed = pthread_create(&thread, NULL, begin_thread, &beginning);
  while (failed == 0 && beginning.tid == 0) sched_yield();
  append(text, 0, "tid %ld", failed == 0 ? beginning.tid : -failed);
}

// By which each worker is found in /proc; and its process, by which it is sent signals.
static int pids[PROCESSES];
static int process_of[PROCESSES];
// Processes by process id, also those that are gone.
static struct {
  int pid, number;
} known[1024];
static int known_count;
static int waiting[PROCESSES];
// Told to stop by one of us: others may be stopped, for a while, by somebody who measures something else on this computer.
static int may_stop[PROCESSES];

static char state_of(int pid) {
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY);
  if (fd < 0) return 'Z';
  long n = read(fd, line, sizeof line - 1);
  close(fd);
  if (n <= 0) return 'Z';
  line[n] = 0;
  char *end = strrchr(line, ')');
  return end == NULL ? 'Z' : end[2];
}

// Does it really sleep? A state of 'S' is also that of one that is about to look whether it has to.
static int is_inactive(int pid) {
  char path[64], line[64];
  snprintf(path, sizeof path, "/proc/%d/syscall", pid);
  int fd = open(path, O_RDONLY);
  if (fd < 0) return 1;
  long n = read(fd, line, sizeof line);
  close(fd);
  return n <= 0 || line[0] != 'r';
}

// It makes exec.
static int execing[PROCESSES];

// A process had to be waited for: it may have done something to another one, as one that stops does to its parent.
static int moved;

// Waits until a process has answered (1), sleeps in its call (0), or is gone (-1).
static int settle(int p, char *text) {
  for (;; moved = 1) {
    if (read(fd_answer_read(p), text, TEXT) == TEXT) return 1;
    char state = state_of(pids[p]);
    if (state == 'Z' || state == 'X') {
      // A thread that was not the first has the id of its process after exec.
      if (!execing[p] || pids[p] == process_of[p]) return -1;
      pids[p] = process_of[p];
      continue;
    }
    if ((state == 'S' || (state == 'T' && may_stop[p])) && is_inactive(pids[p])) return read(fd_answer_read(p), text, TEXT) == TEXT ? 1 : 0;
    sched_yield();
  }
}

// Waits until the kernel has collected sockets in flight that nobody can receive: makes one itself, which holds a pipe.
static void await_collection(void) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(2 * sizeof(int))];
  } control;
  int pair[2], canary[2];
  char byte = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || pipe(canary) < 0) _exit(4);
  int held[2] = {pair[0], canary[1]};
  struct iovec segment = {&byte, 1};
  struct msghdr message = {.msg_iov = &segment, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
  memset(&control, 0, sizeof control);
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN(sizeof held);
  memcpy(CMSG_DATA(&control.header), held, sizeof held);
  if (sendmsg(pair[1], &message, 0) != 1) _exit(4);
  close(pair[0]);
  close(canary[1]);
  // Releasing a socket starts the collector.
  close(pair[1]);
  struct pollfd end = {.fd = canary[0], .events = POLLIN};
  poll(&end, 1, 10000);
  close(canary[0]);
}

// Ends the processes of a run.
static void end_run(void) {
  for (int p = 0; p < PROCESSES; p++) {
    if (pids[p] > 0) {
      kill(process_of[p], SIGKILL);
      pids[p] = 0;
    }
    waiting[p] = 0;
    may_stop[p] = 0;
    process_of[p] = 0;
    for (int i = 0; i < 4; i++) close(CONTROL + 4 * p + i);
  }
  while (waitpid(-1, NULL, 0) > 0) {
  }
  forget_names();
}

static void reset(void) {
  end_run();
  run_id++;
  known_count = 0;
  int memory = memfd_create("words", 0);
  if (memory < 0 || ftruncate(memory, PAGE) < 0 || dup2(memory, WORDS_FD) < 0) _exit(2);
  if (memory != WORDS_FD) close(memory);
  for (int p = 0; p < PROCESSES; p++) {
    int fds[2];
    for (int i = 0; i < 4; i += 2) {
      if (pipe(fds) < 0) _exit(2);
      dup2(fds[0], CONTROL + 4 * p + i);
      dup2(fds[1], CONTROL + 4 * p + i + 1);
      close(fds[0]);
      close(fds[1]);
    }
    fcntl(fd_answer_read(p), F_SETFL, O_NONBLOCK);
  }
  fflush(stdout);
  pids[0] = process_of[0] = fork();
  if (pids[0] == 0) {
    map_words();
    struct rlimit limit = {LIMIT, LIMIT};
    for (int fd = 0; fd < CONTROL; fd++) close(fd);
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    worker(0);
  }
}

// The number that the child of a process is to have, once it has forked.
static int forking[PROCESSES];

// If the answer of a process is that it has forked: who the child is.
static void note_child(int p, const char *text) {
  long child = -1;
  if (sscanf(text, "tid %ld", &child) == 1 && child > 0) {
    pids[forking[p]] = (int)child;
    process_of[forking[p]] = process_of[p];
    may_stop[forking[p]] = may_stop[p];
    return;
  }
  if (sscanf(text, "pid %ld", &child) != 1) return;
  pids[forking[p]] = (int)child;
  process_of[forking[p]] = (int)child;
  may_stop[forking[p]] = 0;
  if (known_count < 1024) {
    known[known_count].pid = (int)child;
    known[known_count++].number = forking[p];
  }
}

// A worker has a new image: it is the only thread of its process, by whose id it is found now; the others are gone.
static void note_exec(int p, int *gone) {
  for (int other = 0; other < PROCESSES; other++) {
    if (other == p || process_of[other] != process_of[p]) continue;
    if (pids[other] == 0) {
      process_of[other] = 0;
      continue;
    }
    gone[other] = 1;
    pids[other] = 0;
    process_of[other] = 0;
    waiting[other] = 0;
  }
  pids[p] = process_of[p];
}

static void stop_workers(int process, int may) {
  for (int p = 0; p < PROCESSES; p++) {
    if (process_of[p] == process) may_stop[p] = may;
  }
}

static void report(char mark, int p, int outcome, char *text) {
  long child;
  unsigned long status;
  if (outcome == 0) {
    printf("~ %d\n", p);
  } else if (outcome < 0) {
    printf("%c %d gone\n", mark, p);
  } else if (sscanf(text, "who %ld %lx", &child, &status) == 2) {
    int number = -1;
    for (int i = 0; i < known_count; i++) {
      if (known[i].pid == child) number = known[i].number;
    }
    printf("%c %d who %d %lx\n", mark, p, number, status);
  } else if (sscanf(text, "pid %ld", &child) == 1) {
    printf("%c %d %s\n", mark, p, child > 0 ? "child" : "no child");
  } else if (sscanf(text, "tid %ld", &child) == 1) {
    printf("%c %d %s\n", mark, p, child > 0 ? "thread" : "no thread");
  } else {
    printf("%c %d %s\n", mark, p, text);
  }
}

int main(int argc, char **argv) {
  char line[256], text[TEXT];
  if (argc == 4 && strcmp(argv[1], "worker") == 0) {
    // The second image of a worker.
    int self = atoi(argv[2]);
    run_id = atol(argv[3]);
    memset(text, 0, sizeof text);
    strcpy(text, "execed");
    map_words();
    if (write(fd_answer_write(self), text, sizeof text) != sizeof text) _exit(1);
    worker(self);
  }
  run_id = (long)getpid() * 1000000;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  // A process that dies of a fault leaves no core behind, and says so in its status.
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  // Message queues count for the user, whoever else on this computer has some.
  setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
  struct rlimit limit = {1024, 4096};
  setrlimit(RLIMIT_NOFILE, &limit);
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strncmp(line, "reset", 5) == 0) {
      reset();
      continue;
    }
    struct command command = {0};
    int expiring = strncmp(line, "expire ", 7) == 0;
    int collecting = strncmp(line, "collect ", 8) == 0;
    int p;
    long *a = command.a;
    int n = sscanf(line + (expiring ? 7 : collecting ? 8 : 0), "%d %15s %ld %ld %ld %ld %ld %ld %ld", &p, command.call, a, a + 1, a + 2, a + 3, a + 4, a + 5, a + 6);
    if (n < 2) continue;
    // Processes are named by number; a signal needs the process id.
    command.self = p;
    // One that is stopped itself sends it later.
    int sends = (is(&command, "kill") || is(&command, "queue")) && (a[1] == SIGSTOP || a[1] == SIGCONT);
    if (sends && (a[1] == SIGSTOP || state_of(pids[p]) != 'T')) stop_workers(process_of[a[0]], a[1] == SIGSTOP);
    if (is(&command, "kill") || is(&command, "queue")) command.a[7] = pids[a[0]] > 0 ? process_of[a[0]] : 0x3ffffffe;
    if (write(fd_command_write(p), &command, sizeof command) != sizeof command) return 3;
    execing[p] = is(&command, "exec");
    int outcome = settle(p, text);
    execing[p] = 0;
    if (expiring) usleep(EXPIRY_US);
    // What is freed by one round may have held what the next one finds.
    for (int round = 0; collecting && round < ROUNDS; round++) await_collection();
    if ((expiring || collecting) && outcome == 0) outcome = settle(p, text);
    if (is(&command, "fork") || is(&command, "thread")) forking[p] = (int)command.a[0];
    if (outcome == 1) note_child(p, text);
    int gone[PROCESSES] = {0};
    if (outcome == 1 && strcmp(text, "execed") == 0) note_exec(p, gone);
    waiting[p] = outcome == 0;
    if (outcome < 0) pids[p] = 0;
    report('=', p, outcome, text);
    // One that returns may wake another: until nothing changes any more.
    static char answers[PROCESSES][TEXT];
    int outcomes[PROCESSES] = {0};
    for (int changed = 1; changed;) {
      changed = 0;
      moved = 0;
      for (int other = 0; other < PROCESSES; other++) {
        if (other == p || pids[other] == 0 || outcomes[other] != 0) continue;
        // One without a call may still have died of a signal.
        int settled = settle(other, answers[other]);
        outcomes[other] = waiting[other] || settled < 0 ? settled : 0;
        if (outcomes[other] == 1) note_child(other, answers[other]);
        if (outcomes[other] == 0) continue;
        waiting[other] = 0;
        changed = 1;
        if (outcomes[other] < 0) pids[other] = 0;
      }
      changed |= moved;
    }
    for (int other = 0; other < PROCESSES; other++) {
      if (gone[other]) report('+', other, -1, answers[other]);
      if (outcomes[other] != 0) report('+', other, outcomes[other], answers[other]);
    }
    printf(".\n");
    fflush(stdout);
  }
  end_run();
  return 0;
}
