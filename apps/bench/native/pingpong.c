// The epoll phase of the RFC's sample (patch 35) on the kernel at hand: what the model's speed is compared with.
//
//   pingpong WINDOWS MESSAGES CPU
//
// A client and a server process, both on one CPU, exchange messages of 32 bytes over a Unix stream socket, WINDOWS times
// MESSAGES of them: the client formats its time stamp as text, the server waits by edge-triggered epoll, clears its buffer of
// 1025 bytes, reads, parses the stamp, takes its own, and echoes; the client compares. Prints the nanoseconds that each window
// took, one to a line. Exit code 2: the CPU may not be used; 1: anything else.
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 32, BUFFER = 1025, WARM_UP = 1000 };

static uint64_t stamp(void) {
#if defined(__x86_64__)
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
#else
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
#endif
}

static uint64_t elapsed(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void check(int condition, const char *what) {
  if (condition) return;
  perror(what);
  exit(1);
}

static void serve(int fd) {
  char buffer[BUFFER];
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET}, events[16];
  uint64_t total = 0;
  int epfd = epoll_create1(0);
  check(epfd >= 0, "epoll_create1");
  event.data.fd = fd;
  check(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
  for (;;) {
    unsigned long sent;
    check(epoll_wait(epfd, events, 16, -1) == 1, "epoll_wait");
    memset(buffer, 0, sizeof buffer);
    // Keeps the compiler from clearing less than the sample does.
    __asm__ volatile("" : : "r"(buffer) : "memory");
    ssize_t n = read(fd, buffer, BUFFER - 1);
    if (n == 0) break;
    check(n == SIZE, "server: read");
    check(sscanf(buffer, "0x%lx", &sent) == 1, "server: sscanf");
    total += stamp() - sent;
    check(write(fd, buffer, SIZE) == SIZE, "server: write");
  }
  exit(total == 0);
}

static void round_trips(int fd, long count) {
  char message[SIZE + 1], echo[SIZE];
  memset(message, '.', sizeof message);
  for (long i = 0; i < count; i++) {
    sprintf(message, "0x%016lx", (unsigned long)stamp());
    check(write(fd, message, SIZE) == SIZE, "client: write");
    check(read(fd, echo, SIZE) == SIZE, "client: read");
    check(memcmp(echo, message, SIZE) == 0, "client: the message came back changed");
  }
}

int main(int argc, char **argv) {
  int pair[2], status;
  cpu_set_t cpus;
  if (argc != 4 || atol(argv[1]) < 1 || atol(argv[2]) < 1) {
    fprintf(stderr, "usage: pingpong WINDOWS MESSAGES CPU\n");
    return 1;
  }
  long windows = atol(argv[1]), messages = atol(argv[2]);
  uint64_t *taken = calloc(windows, sizeof *taken);
  check(taken != NULL, "calloc");
  CPU_ZERO(&cpus);
  CPU_SET(atoi(argv[3]), &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) return 2;
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
  pid_t server = fork();
  check(server >= 0, "fork");
  if (server == 0) {
    close(pair[0]);
    serve(pair[1]);
  }
  close(pair[1]);
  round_trips(pair[0], WARM_UP);
  for (long i = 0; i < windows; i++) {
    uint64_t began = elapsed();
    round_trips(pair[0], messages);
    taken[i] = elapsed() - began;
  }
  close(pair[0]);
  check(waitpid(server, &status, 0) == server && status == 0, "server");
  for (long i = 0; i < windows; i++) printf("%llu\n", (unsigned long long)taken[i]);
  return 0;
}
