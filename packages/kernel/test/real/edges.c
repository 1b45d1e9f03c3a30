// Executes system calls with odd registers on the real kernel, each case, of up to eight calls, in a process of its own.
//
// Reads lines from standard input: "template <hex>" (what the page T holds), then cases:
//   <helpers> [<mode> <nr> <six registers>]...
// A register is a number of 64 bits, or v<k>: an id that is known at run time only (enum value). Per case one line is printed: of each
// call "<result> <hash of the memory>", and at the end of a case that did not get through, "killed <signal>", "exit <status>" or "sleeps".
//
// It is the first process of namespaces of its own (processes, IPC, network, mounts, names), in an empty tree: whatever a case
// kills, unlinks, changes or connects to is its own.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <mqueue.h>
#include "sandbox.h"

#define BASE 0x1000000000ul
enum { PAGE = 4096, CALLS = 8, LIMIT = 64, IN = 200, OUT = 201 };
enum helper { CHILD = 1, ZOMBIE = 2, THREAD = 4, REAPED = 8, SEGMENT = 16, TREE = 32, SEMAPHORES = 64, LETTERS = 128 };
enum value { SELF, LIVING, DEAD, OTHER_THREAD, GONE, SHM, PARENT, SEMAPHORES_ID, LETTERS_ID, VALUES };
enum mode { SCRUB = 2 };

static unsigned char *const B = (unsigned char *)BASE;
static unsigned char *const R = (unsigned char *)BASE + 0x10000;
static unsigned char *const N = (unsigned char *)BASE + 0x20000;
static unsigned char *const S = (unsigned char *)BASE + 0x40000;
static unsigned char *const T = (unsigned char *)BASE + 0x50000;

struct call {
  int mode;
  long nr;
  int variable[6];
  long a[6];
};

struct outcome {
  // Preparations are over.
  volatile int ready;
  volatile int done;
  // The second thread, if there is one.
  volatile long thread;
  struct {
    long result;
    unsigned hash;
  } calls[CALLS];
};

static unsigned char template[2 * PAGE], pattern[2 * PAGE], nothing[2 * PAGE];
static struct outcome *outcome;

// Pages that are not there, or may not be read, are part of the answer.
static unsigned hash_memory(void) {
  static unsigned char page[PAGE];
  static unsigned char *const pages[] = {(unsigned char *)BASE, (unsigned char *)BASE + PAGE, (unsigned char *)BASE + 0x40000, (unsigned char *)BASE + 0x50000, (unsigned char *)BASE + 0x51000};
  unsigned h = 2166136261u;
  for (unsigned i = 0; i < sizeof pages / sizeof *pages; i++) {
    struct iovec to = {page, PAGE}, from = {pages[i], PAGE};
    if (raw(SYS_process_vm_readv, getpid(), (long)&to, 1, (long)&from, 1, 0) != PAGE) {
      h = (h ^ 0xdead) * 16777619u;
      continue;
    }
    for (unsigned at = 0; at < PAGE; at += 4) {
      unsigned word;
      memcpy(&word, page + at, 4);
      h = (h ^ word) * 16777619u;
    }
  }
  return h;
}

static void put(unsigned char *to, const unsigned char *from) {
  for (int i = 0; i < 2; i++) {
    struct iovec there = {to + i * PAGE, PAGE}, here = {(void *)(from + i * PAGE), PAGE};
    raw(SYS_process_vm_writev, getpid(), (long)&here, 1, (long)&there, 1, 0);
  }
}

static void *map(unsigned char *at, int prot, int flags) {
  return mmap(at, 2 * PAGE, prot, flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void prepare_files(void) {
  int pair[2];
  close_range(0, IN - 1, 0);
  int memfd = memfd_create("m", 0);
  (void)!ftruncate(memfd, 3 * PAGE);
  (void)!pwrite(memfd, pattern, 2 * PAGE, 0);
  (void)!pipe2(pair, 0);
  (void)!write(2, pattern, 100);
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  (void)!write(4, pattern, 50);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
  (void)!write(6, pattern, 20);
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0edge"};
  socket(AF_UNIX, SOCK_STREAM, 0);
  bind(7, (struct sockaddr *)&address, 2 + 5);
  listen(7, 2);
  socket(AF_UNIX, SOCK_STREAM, 0);
  eventfd(3, 0);
  timerfd_create(CLOCK_MONOTONIC, 0);
  epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x12345678};
  epoll_ctl(11, EPOLL_CTL_ADD, 1, &event);
  sigset_t usr2;
  sigemptyset(&usr2);
  sigaddset(&usr2, SIGUSR2);
  signalfd(-1, &usr2, 0);
  struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 64};
  raw(SYS_mq_open, (long)"edge", O_RDWR | O_CREAT, 0600, (long)&attributes, 0, 0);
  raw(SYS_mq_unlink, (long)"edge", 0, 0, 0, 0, 0);
  raw(SYS_mq_timedsend, 13, (long)pattern, 3, 1, 0, 0);
  raw(SYS_pidfd_open, getpid(), 0, 0, 0, 0, 0);
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
  (void)!pipe2(pair, O_NONBLOCK);
  eventfd(0, EFD_NONBLOCK);
}

static void make_file(const char *path) {
  int fd = open(path, O_RDWR | O_CREAT, 0644);
  (void)!write(fd, pattern, 100);
  close(fd);
}

// What names are found: 20 is a directory, 21 a file, 22 watches.
static void prepare_tree(void) {
  make_file("file");
  mkdir("dir", 0755);
  make_file("dir/inner");
  (void)!symlink("file", "link");
  (void)!symlink("nowhere", "dangling");
  (void)!symlink("loop", "loop");
  mkfifo("fifo", 0644);
  open("dir", O_RDONLY | O_DIRECTORY);
  open("file", O_RDWR);
  inotify_init1(IN_NONBLOCK);
}

static void make_root(void) {
  chmod("/", 0755);
  (void)!chown("/", 0, 0);
  mkdir("/dev", 0755);
  mkdir("/dev/shm", 01777);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
  (void)status, (void)type;
  if (where->level > 0) remove(path);
  return 0;
}

// An empty tree again.
static void clear_tree(void) {
  nftw("/", remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
  make_root();
}

__attribute__((noreturn)) static void *wait_here(void *tid) {
  *(volatile int *)tid = gettid();
  for (;;) pause();
}

static void prepare_helpers(int helpers, long *values) {
  values[SELF] = getpid();
  values[PARENT] = getppid();
  if (helpers & CHILD) {
    pid_t child = fork();
    if (child == 0)
      for (;;) pause();
    values[LIVING] = child;
  }
  if (helpers & ZOMBIE) {
    pid_t child = fork();
    if (child == 0) _exit(5);
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    values[DEAD] = child;
  }
  if (helpers & REAPED) {
    pid_t child = fork();
    if (child == 0) _exit(5);
    waitpid(child, NULL, 0);
    values[GONE] = child;
  }
  if (helpers & THREAD) {
    static volatile int tid;
    pthread_t thread;
    pthread_create(&thread, NULL, wait_here, (void *)&tid);
    while (tid == 0) usleep(50);
    outcome->thread = values[OTHER_THREAD] = tid;
  }
  if (helpers & SEGMENT) values[SHM] = shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | 0600);
  if (helpers & SEMAPHORES) values[SEMAPHORES_ID] = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);
  if (helpers & LETTERS) {
    struct {
      long type;
      char text[4];
    } letter = {1, {1, 8, 15, 22}};
    values[LETTERS_ID] = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    msgsnd((int)values[LETTERS_ID], &letter, sizeof letter.text, 0);
  }
  if (helpers & TREE) prepare_tree();
}

static void run_case(int helpers, const struct call *calls, int count) {
  long values[VALUES] = {0};
  setsid();
  struct rlimit limit = {LIMIT, LIMIT}, none = {0, 0}, time = {3, 3}, signals = {100, 100};
  setrlimit(RLIMIT_NOFILE, &limit);
  setrlimit(RLIMIT_CORE, &none);
  setrlimit(RLIMIT_CPU, &time);
  setrlimit(RLIMIT_SIGPENDING, &signals);
  prepare_files();
  prepare_helpers(helpers, values);
  outcome->ready = 1;
  for (int i = 0; i < count; i++) {
    long a[6];
    for (int k = 0; k < 6; k++) a[k] = calls[i].variable[k] ? values[calls[i].a[k]] : calls[i].a[k];
    long result = raw(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (result == 0 && (calls[i].nr == SYS_fork || calls[i].nr == SYS_vfork || calls[i].nr == SYS_clone || calls[i].nr == SYS_clone3)) raw(SYS_exit_group, 0, 0, 0, 0, 0, 0);
    outcome->calls[i].result = result;
    if (calls[i].mode & SCRUB) {
      put(T, template);
      put(B, pattern);
      put(S, nothing);
      outcome->calls[i].hash = 0;
    } else {
      outcome->calls[i].hash = hash_memory();
    }
    outcome->done = i + 1;
  }
  raw(SYS_exit_group, 99, 0, 0, 0, 0, 0);
}

// Waits for the end of a case. Returns its status, or -1 if it sleeps.
static int finish_case(pid_t child, int count) {
  int status, done = -1, still = 0;
  for (int round = 0;; round++) {
    if (waitpid(child, &status, WNOHANG) == child) return status;
    usleep(round < 20 ? 50 : 500);
    if (round < 20) continue;
    char state = state_of(child);
    // The first thread may have ended, and its process live on in the second.
    if (state == 'Z' && done < count && outcome->thread != 0) state = state_of(outcome->thread);
    int same = outcome->ready && outcome->done == done && (state == 'S' || state == 'T');
    still = same ? still + 1 : 0;
    done = outcome->done;
    if (still == 5 || round > 2000) {
      if (waitpid(child, &status, WNOHANG) == child) return status;
      return -1;
    }
  }
}

static int parse(char *line, struct call *calls, int *helpers) {
  int count = 0;
  char *at = line;
  *helpers = (int)strtol(at, &at, 10);
  while (count < CALLS) {
    char *end;
    long mode = strtol(at, &end, 10);
    if (end == at) break;
    struct call *call = &calls[count++];
    at = end;
    call->mode = (int)mode;
    call->nr = strtol(at, &at, 10);
    for (int k = 0; k < 6; k++) {
      while (*at == ' ') at++;
      call->variable[k] = *at == 'v';
      if (*at == 'v') at++;
      call->a[k] = strtol(at, &at, 10);
    }
  }
  return count;
}

static void serve(void) {
  setsid();
  setpriority(PRIO_PROCESS, 0, 0);
  static char line[1 << 16];
  FILE *in = fdopen(IN, "r"), *out = fdopen(OUT, "w");
  for (unsigned i = 0; i < sizeof pattern; i++) pattern[i] = (unsigned char)(i * 7 + 1);
  map(B, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  map(R, PROT_READ, MAP_PRIVATE);
  map(N, PROT_NONE, MAP_PRIVATE);
  map(S, PROT_READ | PROT_WRITE, MAP_SHARED);
  map(T, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  memcpy(B, pattern, sizeof pattern);
  while (fgets(line, sizeof line, in) != NULL) {
    if (strncmp(line, "template ", 9) == 0) {
      for (unsigned i = 0; i < sizeof template; i++) sscanf(line + 9 + 2 * i, "%2hhx", &template[i]);
      memcpy(T, template, sizeof template);
      continue;
    }
    struct call calls[CALLS];
    int helpers, count = parse(line, calls, &helpers);
    memset(S, 0, 2 * PAGE);
    memset(outcome, 0, sizeof *outcome);
    pid_t child = fork();
    if (child == 0) run_case(helpers, calls, count);
    int status = finish_case(child, count);
    int done = outcome->done;
    for (int i = 0; i < done; i++) fprintf(out, "%ld %x ", outcome->calls[i].result, outcome->calls[i].hash);
    if (done < count) {
      if (status == -1) fprintf(out, "sleeps");
      else if (WIFSIGNALED(status)) fprintf(out, "killed %d", WTERMSIG(status));
      else fprintf(out, "exit %d", WEXITSTATUS(status));
    } else if (status == -1 || WIFSIGNALED(status)) {
      fprintf(out, status == -1 ? "stays" : "killed %d", WTERMSIG(status));
    }
    fputc('\n', out);
    fflush(out);
    // What it has left behind ends here.
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0) continue;
    struct shmid_ds segment;
    struct msqid_ds queue;
    struct semid_ds set;
    for (int i = 0; i < 64; i++) {
      int id = shmctl(i, SHM_STAT, &segment);
      if (id >= 0) shmctl(id, IPC_RMID, NULL);
      if ((id = msgctl(i, MSG_STAT, &queue)) >= 0) msgctl(id, IPC_RMID, NULL);
      if ((id = semctl(i, 0, SEM_STAT, &set)) >= 0) semctl(id, 0, IPC_RMID);
    }
    if (helpers & TREE) clear_tree();
  }
}

int main(void) {
  char root[] = "/tmp/rpal-edges-XXXXXX";
  if (unshare(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS) < 0 || mkdtemp(root) == NULL) return 1;
  dup2(0, IN);
  dup2(1, OUT);
  signal(SIGPIPE, SIG_DFL);
  pid_t first = fork();
  if (first == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!leave_tree(root) || mkdir("/own", 0755) < 0 || mount("tmpfs", "/own", "tmpfs", 0, NULL) < 0) return 1;
    if (chdir("/own") < 0 || mkdir("p", 0700) < 0 || mount("proc", "p", "proc", 0, NULL) < 0) return 1;
    if (dup2(open("p", O_RDONLY | O_DIRECTORY), PROC) < 0 || umount2("p", MNT_DETACH) < 0 || rmdir("p") < 0) return 1;
    if (chroot(".") < 0) return 1;
    // Nobody may put limits up: not every root can. And nobody sets this computer's clock.
    if (!drop_right(CAP_SYS_RESOURCE) || !drop_right(CAP_SYS_TIME)) return 1;
    umask(022);
    make_root();
    outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    serve();
    return 0;
  }
  int status = 1;
  waitpid(first, &status, 0);
  rmdir(root);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
