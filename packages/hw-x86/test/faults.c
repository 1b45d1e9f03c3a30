// Provokes page faults in user mode and prints how the processor reported each: name, exception, error code.
// usage: faults [keys]   with "keys": also accesses that protection keys deny
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile long trap, error;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	trap = uc->uc_mcontext.gregs[REG_TRAPNO];
	error = uc->uc_mcontext.gregs[REG_ERR];
	siglongjmp(back, 1);
}

static void set_pkru(uint32_t value)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xef" : : "a"(value), "c"(0), "d"(0) : "memory");
}

static void attempt(const char *name, char *at, char kind)
{
	trap = error = -1;
	if (sigsetjmp(back, 1) == 0) {
		if (kind == 'r')
			(void)*(volatile char *)at;
		else if (kind == 'w')
			*(volatile char *)at = (char)0xc3;
		else
			((void (*)(void))at)();
	}
	printf("%s %c %ld %ld\n", name, kind, trap, error);
}

static void attempts(const char *name, char *at)
{
	for (const char *kind = "rwx"; *kind; kind++)
		attempt(name, at, *kind);
}

static char *page(int prot)
{
	char *at = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(at, 0xc3, 4096); // RET, so that it can be executed
	mprotect(at, 4096, prot);
	return at;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSEGV, &action, 0);
	sigaction(SIGBUS, &action, 0);
	char *gone = page(PROT_READ);
	munmap(gone, 4096);
	attempts("missing", gone);
	attempts("read-only", page(PROT_READ));
	attempts("read-write", page(PROT_READ | PROT_WRITE));
	attempts("read-execute", page(PROT_READ | PROT_EXEC));
	attempts("kernel", (char *)0xffffffff81000000);
	attempt("non-canonical", (char *)0x0123456789abcdef, 'r');
	if (argc > 1) {
		int key = syscall(SYS_pkey_alloc, 0, 0);

		if (key < 0)
			return 0; // a sandbox may forbid it
		const struct { const char *name; int prot; uint32_t rights; } cases[] = {
			{ "key-open", PROT_READ | PROT_WRITE | PROT_EXEC, 0 },
			{ "key-no-access", PROT_READ | PROT_WRITE | PROT_EXEC, 1 },
			{ "key-no-write", PROT_READ | PROT_WRITE | PROT_EXEC, 2 },
		};

		for (int i = 0; i < 3; i++) {
			char *at = page(cases[i].prot);

			syscall(SYS_pkey_mprotect, at, 4096, cases[i].prot, key);
			for (const char *kind = "rwx"; *kind; kind++) {
				set_pkru(cases[i].rights << (2 * key)); // a signal handler starts with another PKRU
				attempt(cases[i].name, at, *kind);
			}
			set_pkru(0);
		}
	}
	return 0;
}
