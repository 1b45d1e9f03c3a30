// Plays one case (case.ts) on the real kernel.
//
// Reads it from standard input, a line each:
//   texts <address> <hex>                   what lies in memory from the beginning on
//   list                                    begins a list of steps; the first is the program, others are run by its steps
//   call <variable> <nr> <six values>       a system call; what it returns goes to a variable (-1: to none)
//   put <address> <hex>                     stores bytes
//   get <address> <words>, or "bytes <n>"   32-bit words, each with the variable that it may equal (-1: none); or bytes
//   load <address> / store <address> <n>    one byte, as a program reads and writes
//   fork <variable> <list> / thread <variable> <list>
//   handler <signal> <flags> <mask> <list>  (list -1: only what siginfo says is kept)
//   asleep <value>                          waits until that thread sleeps, is stopped, or has ended
// A value is a number, or v<variable>,<factor>,<summand>. Prints "<list> <step> <answer>" for each step that was made. What a
// list that has run several times was answered is divided by bars, where it is not always the same.
//
// The program is the second process of namespaces of its own, in an empty tree with /tmp, /proc and /dev.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "sandbox.h"

enum { LISTS = 16, STEPS = 80, VARIABLES = 64, ANSWER = 200, DATA = 8192, PATIENCE_MS = 8000 };
#define MEMORY ((unsigned char *)0x10000000000ul)
#define SHARED (MEMORY + 0x100000)
#define TEXT (MEMORY + 0x200000)
#define ORDER (MEMORY + 0x7000)
#define SEEN (MEMORY + 0x8000)

enum kind { CALL, PUT, GET, BYTES, LOAD, STORE, FORK, THREAD, HANDLER, ASLEEP };
struct value { long number, summand; int variable, factor; };
struct step {
  enum kind kind;
  int variable, list, count;
  long nr;
  struct value values[6];
  unsigned char *data;
  int words[64];
};

static struct step steps[LISTS][STEPS];
static int lengths[LISTS], lists;
static long variables[VARIABLES];
static int handlers[65];
static unsigned char texts[DATA];
static char (*answers)[STEPS][ANSWER];

static long number_of(const struct value *value) {
  return value->variable < 0 ? value->number : variables[value->variable] * value->factor + value->summand;
}

static void answer(int list, int step, const char *text) {
  char *to = answers[list][step];
  if (*to == 0) strncpy(to, text, ANSWER - 1);
  else if (strcmp(to, text) != 0 && strlen(to) + strlen(text) + 2 < ANSWER) strcat(strcat(to, "|"), text);
}

static void run_list(int list);

static void on_signal(int signal, siginfo_t *info, void *context) {
  (void)context;
  int *seen = (int *)(SEEN + 64 * signal), *order = (int *)ORDER;
  seen[0]++;
  seen[1] = info->si_code;
  memcpy(seen + 2, (char *)info + 16, 16);
  order[++order[0]] = signal;
  if (handlers[signal] >= 0) run_list(handlers[signal]);
}

// The handler leaves by a call of its own.
__attribute__((naked)) static void restore(void) { __asm__("mov $15, %eax\n\tsyscall"); }

static long set_handler(const struct step *step) {
  struct { void *handler; unsigned long flags; void (*restorer)(void); unsigned long mask; } action = {
    (void *)on_signal, (unsigned long)number_of(&step->values[1]) | 0x04000000 | SA_SIGINFO, restore, (unsigned long)number_of(&step->values[2])};
  int signal = (int)number_of(&step->values[0]);
  handlers[signal] = step->list;
  return raw(SYS_rt_sigaction, signal, (long)&action, 0, 8, 0, 0);
}

static void *run_thread(void *argument) {
  const struct step *step = argument;
  variables[step->variable] = gettid();
  __atomic_store_n(&((struct step *)step)->count, 1, __ATOMIC_RELEASE);
  run_list(step->list);
  // The last thread of a process would end it with a status of its own.
  raw(SYS_exit, 0, 0, 0, 0, 0, 0);
  return NULL;
}

static long start_thread(struct step *step) {
  pthread_t thread;
  step->count = 0;
  int error = pthread_create(&thread, NULL, run_thread, step);
  while (error == 0 && __atomic_load_n(&step->count, __ATOMIC_ACQUIRE) == 0) sched_yield();
  return error == 0 ? variables[step->variable] : -error;
}

static long wait_asleep(long tid) {
  for (int still = 0, rounds = 0; still < 4 && rounds < 20000; rounds++) {
    still = strchr("STtZX", state_of(tid)) != NULL ? still + 1 : 0;
    struct timespec pause = {0, 150000};
    raw(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
  }
  return 0;
}

static void get_words(const struct step *step, char *text) {
  unsigned char *from = (unsigned char *)number_of(&step->values[0]);
  for (int i = 0; i < step->count; i++) {
    int word;
    memcpy(&word, from + 4 * i, 4);
    int variable = step->words[i];
    const char *between = i == 0 ? "" : " ";
    int is_same = variable >= 0 && word == (int)variables[variable];
    text += sprintf(text, is_same ? "%sv%d" : "%s%d", between, is_same ? variable : word);
  }
}

static long make(struct step *step) {
  const struct value *v = step->values;
  switch (step->kind) {
    case CALL: return raw(step->nr, number_of(v), number_of(v + 1), number_of(v + 2), number_of(v + 3), number_of(v + 4), number_of(v + 5));
    case PUT: return memcpy((void *)number_of(v), step->data, step->count), 0;
    case LOAD: return *(volatile unsigned char *)number_of(v);
    case STORE: return *(volatile unsigned char *)number_of(v) = (unsigned char)number_of(v + 1), 0;
    case FORK: {
      long pid = raw(SYS_fork, 0, 0, 0, 0, 0, 0);
      if (pid == 0) {
        run_list(step->list);
        raw(SYS_exit_group, 0, 0, 0, 0, 0, 0);
      }
      return pid;
    }
    case THREAD: return start_thread(step);
    case HANDLER: return set_handler(step);
    case ASLEEP: return wait_asleep(number_of(v));
    default: return 0;
  }
}

static void run_list(int list) {
  for (int at = 0; at < lengths[list]; at++) {
    struct step *step = &steps[list][at];
    char text[ANSWER * 4] = "";
    if (step->kind == GET) {
      get_words(step, text);
    } else if (step->kind == BYTES) {
      for (int i = 0; i < step->count; i++) sprintf(text + 2 * i, "%02x", ((unsigned char *)number_of(step->values))[i]);
    } else {
      long result = make(step);
      if (step->variable >= 0 && result >= 0) variables[step->variable] = result, sprintf(text, "+");
      else sprintf(text, "%ld", result);
    }
    answer(list, at, text);
  }
}

static struct value value_from(char *word) {
  struct value value = {.variable = -1};
  if (*word != 'v') value.number = (long)strtoull(word, NULL, 10);
  if (*word == '-') value.number = strtol(word, NULL, 10);
  if (*word == 'v') sscanf(word, "v%d,%d,%ld", &value.variable, &value.factor, &value.summand);
  return value;
}

static void parse(char *line) {
  char *words[80];
  int n = 0;
  for (char *word = strtok(line, " \n"); word != NULL && n < 80; word = strtok(NULL, " \n")) words[n++] = word;
  if (n == 0) return;
  if (strcmp(words[0], "texts") == 0) {
    for (int i = 0; n > 2 && sscanf(words[2] + 2 * i, "%2hhx", &texts[i]) == 1;) i++;
    return;
  }
  if (strcmp(words[0], "list") == 0) {
    lists++;
    return;
  }
  static const char *const names[] = {"call", "put", "get", "bytes", "load", "store", "fork", "thread", "handler", "asleep"};
  struct step *step = &steps[lists - 1][lengths[lists - 1]++];
  step->variable = -1;
  for (int i = 0; i < 10; i++) if (strcmp(words[0], names[i]) == 0) step->kind = (enum kind)i;
  for (int i = 0; i < 6; i++) step->values[i] = (struct value){.variable = -1};
  switch (step->kind) {
    case CALL:
      step->variable = atoi(words[1]);
      step->nr = atol(words[2]);
      for (int i = 0; i + 3 < n && i < 6; i++) step->values[i] = value_from(words[i + 3]);
      break;
    case PUT:
      step->values[0] = value_from(words[1]);
      step->data = malloc(DATA);
      for (; n > 2 && sscanf(words[2] + 2 * step->count, "%2hhx", step->data + step->count) == 1;) step->count++;
      break;
    case GET:
      step->values[0] = value_from(words[1]);
      for (int i = 2; i < n; i++) step->words[step->count++] = atoi(words[i]);
      break;
    case BYTES:
      step->values[0] = value_from(words[1]);
      step->count = atoi(words[2]);
      break;
    case FORK:
    case THREAD:
      step->variable = atoi(words[1]);
      step->list = atoi(words[2]);
      break;
    case HANDLER:
      for (int i = 0; i < 3; i++) step->values[i] = value_from(words[i + 1]);
      step->list = atoi(words[4]);
      break;
    default:
      for (int i = 1; i < n; i++) step->values[i - 1] = value_from(words[i]);
  }
}

static int own_tree(const char *root) {
  if (!leave_tree(root)) return 0;
  umask(0);
  if (mkdir("tmp", 01777) < 0 || mkdir("proc", 0555) < 0 || mkdir("dev", 0755) < 0) return 0;
  mknod("dev/null", S_IFCHR | 0666, makedev(1, 3));
  mknod("dev/zero", S_IFCHR | 0666, makedev(1, 5));
  if (mkdir("dev/shm", 01777) < 0 || mount("proc", "proc", "proc", 0, NULL) < 0) return 0;
  if (dup2(open("proc", O_RDONLY | O_DIRECTORY), PROC) < 0 || fcntl(PROC, F_SETFD, FD_CLOEXEC) < 0) return 0;
  umask(022);
  return chdir("/tmp") == 0;
}

static void run_case(void) {
  struct rlimit files = {64, 64}, none = {0, 0}, signals = {100, 100};
  setsid();
  setpriority(PRIO_PROCESS, 0, 0);
  setrlimit(RLIMIT_NOFILE, &files);
  setrlimit(RLIMIT_CORE, &none);
  setrlimit(RLIMIT_SIGPENDING, &signals);
  close_range(0, PROC - 1, 0);
  for (int fd = 0; fd < 3; fd++) eventfd(0, 0);
  run_list(0);
  raw(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}

// What the program leaves behind comes to the end of the steps that it is at: one who has sent it a signal may not have said so yet.
static void await_others(void) {
  DIR *all = fdopendir(openat(PROC, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (struct dirent *one; (one = readdir(all)) != NULL;)
    if (atol(one->d_name) > 1) wait_asleep(atol(one->d_name));
  closedir(all);
}

// The first process of the namespace: lets the case take its time, and ends what it leaves behind.
static void watch_case(void) {
  pid_t program = fork();
  if (program == 0) run_case();
  for (int waited = 0;; waited++) {
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) > 0 && ended != program) continue;
    if (ended == program) await_others();
    if (ended == program || waited > PATIENCE_MS * 4) break;
    usleep(250);
  }
  kill(-1, SIGKILL);
  while (waitpid(-1, NULL, 0) > 0) continue;
}

int main(void) {
  static char line[1 << 16];
  char root[] = "/tmp/rpal-case-XXXXXX";
  while (fgets(line, sizeof line, stdin) != NULL) parse(line);
  for (int i = 0; i < VARIABLES; i++) variables[i] = -1000000;
  void *map = mmap(NULL, sizeof *answers * LISTS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  answers = map;
  if (unshare(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET) < 0 || mkdtemp(root) == NULL) return 1;
  pid_t first = fork();
  if (first == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!own_tree(root)) return 1;
    // Nobody may put limits up: not every root can.
    drop_right(CAP_SYS_RESOURCE);
    const int fixed = MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, both = PROT_READ | PROT_WRITE;
    mmap(MEMORY, 0x10000, both, MAP_PRIVATE | fixed, -1, 0);
    mmap(SHARED, 0x10000, both, MAP_SHARED | fixed, -1, 0);
    mmap(TEXT, 0x10000, both, MAP_PRIVATE | fixed, -1, 0);
    memcpy(TEXT, texts, sizeof texts);
    watch_case();
    return 0;
  }
  int status = 1;
  waitpid(first, &status, 0);
  rmdir(root);
  for (int list = 0; list < lists; list++)
    for (int step = 0; step < lengths[list]; step++)
      if (answers[list][step][0] != 0) printf("%d %d %s\n", list, step, answers[list][step]);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
