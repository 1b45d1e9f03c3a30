// Executes system calls on the real kernel: lines "call NR A0..A5", "poke ADDRESS HEX", "peek ADDRESS BYTES" and "fork", from standard input.
// After "fork" a child goes on with the lines, and the parent waits for it. There is memory at MEMORY; what a call returns, or
// its negative errno, is printed, and the bytes of a peek.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY ((unsigned char *)0x10000000000)
#define BYTES 0x10000

int main(void) {
  char line[65536];
  if (mmap(MEMORY, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MEMORY) return 2;
  setvbuf(stdout, NULL, _IONBF, 0);
  // Unbuffered: a child must go on where its parent is.
  setvbuf(stdin, NULL, _IONBF, 0);
  while (fgets(line, sizeof line, stdin)) {
    long nr, a[6] = {0};
    unsigned long address;
    int at = 0;
    if (sscanf(line, "call %ld %ld %ld %ld %ld %ld %ld", &nr, a, a + 1, a + 2, a + 3, a + 4, a + 5) >= 1) {
      errno = 0;
      long result = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
      printf("%ld\n", result == -1 ? -(long)errno : result);
    } else if (sscanf(line, "poke %lu %n", &address, &at) == 1) {
      unsigned byte;
      for (unsigned char *to = (unsigned char *)address; sscanf(line + at, "%2x", &byte) == 1; at += 2) *to++ = byte;
      printf("0\n");
    } else if (sscanf(line, "peek %lu %ld", &address, a) == 2) {
      for (long i = 0; i < a[0]; i++) printf("%02x", ((unsigned char *)address)[i]);
      printf("\n");
    } else if (strncmp(line, "fork", 4) == 0) {
      int child = fork();
      if (child > 0) {
        int status;
        waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
      }
    }
  }
  return 0;
}
