/*
 * sizes: kernel operations at several sizes and shapes, one at a time between marker instructions, for trace.c to record.
 * Runs as process 1 of an initramfs. Arguments (after "--" on the kernel command line): "syms" prints the kernel's symbols;
 * else the names of the groups that are wanted (transfer, vm, memory, sched, process, sysv, files, signals, calls).
 * Build: gcc -O1 -static -pthread -o sizes sizes.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MARK(k) __asm__ volatile(".byte 0x0f,0x1f,0x80,%c0,0,0x4b,0x4d" : : "i"(k) : "memory")
static inline long sc6(long n, long a, long b, long c, long d, long e, long f)
{
	long r;
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return r;
}
#define SC(n, a, b, c) sc6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define S6(n, a, b, c, d, e, f) sc6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define RD(fd, p, n) SC(SYS_read, fd, p, n)
#define WR(fd, p, n) SC(SYS_write, fd, p, n)

static char names[65536];
static int nops;
static void name_op(const char *n, int it) { sprintf(names + strlen(names), "OP\t%d\t%d\t%s\n", nops++, it, n); }
static long bad;
/* what a call must return, else the operation is not what its name says */
#define WANT(x, v) do { long v_ = (long)(v); long g_ = (long)(x); if (g_ != v_) bad = g_ ? g_ : -9999; } while (0)
#define OP3(nm, n, before, body, after) do { \
	bad = 0; \
	for (int i_ = 0; i_ < 10; i_++) { before; body; after; } \
	name_op(nm, n); \
	MARK(1); \
	for (int i_ = 0; i_ < (n); i_++) { before; MARK(3); body; MARK(6); after; } \
	MARK(2); \
	if (bad) { sprintf(names + strlen(names), "BAD\t%s\t%ld\n", nm, bad); } } while (0)
#define OP(nm, n, body) OP3(nm, n, , body, )
#define N 15

static void pin(int cpu)
{
	cpu_set_t s;
	CPU_ZERO(&s);
	CPU_SET(cpu, &s);
	sched_setaffinity(0, sizeof s, &s);
}
static char buf[1 << 20] __attribute__((aligned(4096)));
static char dst[1 << 20] __attribute__((aligned(4096)));
static char nm[200];
static const char *nam(const char *f, long n)
{
	sprintf(nm, f, n);
	return nm;
}
static void done(pid_t p)
{
	kill(p, SIGKILL);
	waitpid(p, 0, 0);
}
static char *anon(size_t n)
{
	char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(p, n, MADV_NOHUGEPAGE);
	return p;
}
static const int sizes[] = {1, 32, 1024, 4096, 8192, 16384, 65536, 262144};
#define NS (int)(sizeof sizes / sizeof *sizes)
static void read_all(int fd, long n)
{
	while (n > 0) {
		long k = RD(fd, dst, n);
		if (k <= 0)
			_exit(1);
		n -= k;
	}
}
static void write_all(int fd, long n)
{
	while (n > 0) {
		long k = WR(fd, buf, n);
		if (k <= 0)
			_exit(1);
		n -= k;
	}
}
static void big(int fd)
{
	int v = 4 << 20;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &v, sizeof v);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &v, sizeof v);
}
static void transfer(void)
{
	int p[2], s[2], d[2];
	if (pipe(p) || socketpair(AF_UNIX, SOCK_STREAM, 0, s) || socketpair(AF_UNIX, SOCK_DGRAM, 0, d))
		return;
	fcntl(p[0], F_SETPIPE_SZ, 1 << 20);
	big(s[0]), big(s[1]), big(d[0]), big(d[1]);
	for (int i = 0; i < NS; i++) {
		long n = sizes[i];
		OP3(nam("pipe: write of %ld B", n), N, , WANT(WR(p[1], buf, n), n), read_all(p[0], n));
		OP3(nam("pipe: read of %ld B", n), N, write_all(p[1], n), WANT(RD(p[0], dst, n), n), );
	}
	OP3("pipe: write of 32 B that joins a page", N, WR(p[1], buf, 100), WANT(WR(p[1], buf, 32), 32), read_all(p[0], 132));
	OP3("pipe: read of 32 B that leaves a page", N, WR(p[1], buf, 100), WANT(RD(p[0], dst, 32), 32), read_all(p[0], 68));
	OP3("pipe: write of 4096 B at an odd place", N, , WANT(WR(p[1], buf + 17, 4096), 4096), read_all(p[0], 4096));
	for (int i = 0; i < NS; i++) {
		long n = sizes[i];
		OP3(nam("stream: write of %ld B", n), N, , WANT(WR(s[0], buf, n), n), read_all(s[1], n));
		OP3(nam("stream: read of %ld B", n), N, write_all(s[0], n), WANT(RD(s[1], dst, n), n), );
	}
	OP3("stream: read of 4096 B out of one message of 16384", N, write_all(s[0], 16384), WANT(RD(s[1], dst, 4096), 4096), read_all(s[1], 12288));
	OP3("stream: read of 8192 B in two messages of 4096", N, write_all(s[0], 4096); write_all(s[0], 4096), WANT(RD(s[1], dst, 8192), 8192), );
	for (int i = 0; i < NS; i++) {
		long n = sizes[i];
		OP3(nam("dgram: write of %ld B", n), N, , WANT(WR(d[0], buf, n), n), RD(d[1], dst, n));
		OP3(nam("dgram: read of %ld B", n), N, WR(d[0], buf, n), WANT(RD(d[1], dst, n), n), );
	}
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	fcntl(s[1], F_SETFL, O_NONBLOCK);
	fcntl(d[1], F_SETFL, O_NONBLOCK);
	OP("pipe: read, EAGAIN", N, WANT(RD(p[0], dst, 32), -11));
	OP("stream: read, EAGAIN", N, WANT(RD(s[1], dst, 32), -11));
	OP("dgram: read, EAGAIN", N, WANT(RD(d[1], dst, 32), -11));
	struct rlimit rl = {RLIM_INFINITY, RLIM_INFINITY};
	setrlimit(RLIMIT_MSGQUEUE, &rl);
	for (int i = 0; i < NS; i++) {
		long n = sizes[i];
		struct mq_attr at = {.mq_maxmsg = 4, .mq_msgsize = n};
		mq_unlink("/m");
		mqd_t m = mq_open("/m", O_RDWR | O_CREAT, 0600, &at);
		OP3(nam("mq: send of %ld B", n), N, , WANT(S6(SYS_mq_timedsend, m, buf, n, 0, 0, 0), 0), S6(SYS_mq_timedreceive, m, dst, n, 0, 0, 0));
		OP3(nam("mq: receive of %ld B", n), N, S6(SYS_mq_timedsend, m, buf, n, 0, 0, 0), WANT(S6(SYS_mq_timedreceive, m, dst, n, 0, 0, 0), n), );
		mq_close(m);
	}
}
/* both sides sleep in every trip: SCHED_BATCH does not preempt the waker */
static void trips(void)
{
	struct sched_param sp0 = {0};
	sched_setscheduler(0, SCHED_BATCH, &sp0);
	for (int k = 0; k < 3; k++)
		for (int i = 0; i < NS; i++) {
			long n = sizes[i];
			int a[2], b[2];
			if (k == 2 && n > 65536)
				continue;
			if (k == 0) {
				(void)!pipe(a);
				(void)!pipe(b);
			} else {
				socketpair(AF_UNIX, k == 1 ? SOCK_STREAM : SOCK_DGRAM, 0, a);
				b[0] = a[0], b[1] = a[1];
			}
			int in = a[0], out = b[1], back = b[0], to = a[1];
			if (k) {
				in = a[1], out = a[1], back = a[0], to = a[0];
			}
			pid_t c = fork();
			if (!c)
				for (;;) {
					read_all(in, n);
					write_all(out, n);
				}
			static const char *f[] = {"pipe: round trip of %ld B, both sleep", "stream: round trip of %ld B, both sleep", "dgram: round trip of %ld B, both sleep"};
			OP(nam(f[k], n), N, write_all(to, n); read_all(back, n));
			done(c);
			close(a[0]), close(a[1]);
			if (!k)
				close(b[0]), close(b[1]);
		}
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, 0);
	siginfo_t queued = {.si_signo = SIGRTMIN, .si_code = SI_QUEUE}, taken;
	pid_t me = getpid(), c = fork();
	if (!c)
		for (;;) {
			S6(SYS_rt_sigtimedwait, &set, &taken, 0, 8, 0, 0);
			S6(SYS_rt_sigqueueinfo, me, SIGRTMIN, &queued, 0, 0, 0);
		}
	OP("signal: round trip by sigqueue, both sleep", N, S6(SYS_rt_sigqueueinfo, c, SIGRTMIN, &queued, 0, 0, 0); S6(SYS_rt_sigtimedwait, &set, &taken, 0, 8, 0, 0));
	done(c);
	sigprocmask(SIG_UNBLOCK, &set, 0);
	sched_setscheduler(0, SCHED_OTHER, &sp0);
}
static void vm(void)
{
	memset(dst, 1, sizeof dst);
	pid_t c = fork();
	if (!c)
		for (;;)
			pause();
	memset(dst, 2, sizeof dst);
	struct timespec nap = {0, 20000000};
	nanosleep(&nap, 0);
	static const int z[] = {32, 4096, 8192, 16384, 65536, 262144, 1048576};
	for (int i = 0; i < 7; i++) {
		struct iovec li = {dst, z[i]}, ri = {buf, z[i]};
		OP(nam("process_vm_readv: %ld B", z[i]), 15, WANT(S6(SYS_process_vm_readv, c, &li, 1, &ri, 1, 0), z[i]));
		OP(nam("process_vm_writev: %ld B", z[i]), 15, WANT(S6(SYS_process_vm_writev, c, &li, 1, &ri, 1, 0), z[i]));
	}
	struct iovec l1 = {dst, 8192}, r2[2] = {{buf, 4096}, {buf + 65536, 4096}};
	OP("process_vm_readv: 8192 B in two pieces there", 15, WANT(S6(SYS_process_vm_readv, c, &l1, 1, r2, 2, 0), 8192));
	struct iovec lo = {dst, 4096}, ro = {buf + 2048, 4096};
	OP("process_vm_readv: 4096 B across two pages there", 15, WANT(S6(SYS_process_vm_readv, c, &lo, 1, &ro, 1, 0), 4096));
	done(c);
}
#define RWX(a, n, p) WANT(SC(SYS_mprotect, a, (n) * 4096L, p), 0)
#define PR PROT_READ
#define PRW (PROT_READ | PROT_WRITE)
static void touch(char *p, long pages)
{
	for (long i = 0; i < pages; i++)
		*(volatile char *)(p + 4096 * i) = 1;
}
#define MM(n) (char *)S6(SYS_mmap, 0, (n) * 4096L, PRW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
static void memory(void)
{
	static const int pg[] = {1, 4, 16, 64, 512};
	/* a tree of areas whose nodes are neither full nor sparse: see shapes() */
	char *fill = anon(32 * 4096);
	for (int i = 0; i < 3; i++)
		SC(SYS_mprotect, fill + i * 16384L, 4096, PROT_NONE);
	char *big_ = anon(8 << 20), *mid = big_ + (2 << 20), *v = 0;
	touch(big_, 2);
	for (int i = 0; i < 5; i++) {
		long n = pg[i];
		touch(mid, n);
		OP3(nam("mprotect RW to R: %ld touched pages amid a mapping (splits)", n), N, touch(mid, n), RWX(mid, n, PR), RWX(mid, n, PRW));
		OP3(nam("mprotect R to RW: %ld touched pages amid a mapping (merges)", n), N, touch(mid, n); RWX(mid, n, PR), RWX(mid, n, PRW), );
	}
	madvise(mid, 512 * 4096, MADV_DONTNEED);
	OP3("mprotect RW to R: 64 untouched pages amid a mapping (splits)", N, , RWX(mid, 64, PR), RWX(mid, 64, PRW));
	OP3("mprotect RW to R: 1 touched page at the start of a mapping (splits once)", N, touch(big_, 1), RWX(big_, 1, PR), RWX(big_, 1, PRW));
	OP("mprotect that changes nothing: 1 page", N, RWX(mid, 1, PRW));
	RWX(mid, 1, PR);
	OP3("mprotect R to RW: 1 page that joins its left neighbour", N, RWX(mid, 2, PR), RWX(mid, 1, PRW), );
	RWX(mid, 2, PRW);
	for (int i = 0; i < 4; i++) {
		long n = pg[i];
		char *own = anon((n + 2) * 4096), *o = own + 4096;
		RWX(own, 1, PROT_NONE);
		RWX(o + n * 4096, 1, PROT_NONE);
		touch(o, n);
		OP3(nam("mprotect RW to R: a mapping of %ld touched pages", n), N, touch(o, n), RWX(o, n, PR), RWX(o, n, PRW));
		OP3(nam("mprotect R to RW: a mapping of %ld touched pages", n), N, touch(o, n); RWX(o, n, PR), RWX(o, n, PRW), );
		munmap(own, (n + 2) * 4096);
	}
#define DN(a, n) WANT(SC(SYS_madvise, a, (n) * 4096L, MADV_DONTNEED), 0)
	for (int i = 0; i < 5; i++) {
		long n = pg[i];
		OP3(nam("madvise DONTNEED: %ld touched pages", n), N, touch(mid, n), DN(mid, n), );
		OP3(nam("madvise DONTNEED: %ld untouched pages", n), N, , DN(mid, n), );
		OP3(nam("touch of %ld pages", n), N, , touch(mid, n), DN(mid, n));
		OP3(nam("mmap: %ld pages", n), N, , v = MM(n), SC(SYS_munmap, v, n * 4096, 0));
		OP3(nam("munmap: a mapping of %ld touched pages", n), N, v = MM(n); touch(v, n), WANT(SC(SYS_munmap, v, n * 4096, 0), 0), );
		OP3(nam("munmap: a mapping of %ld untouched pages", n), N, v = MM(n), WANT(SC(SYS_munmap, v, n * 4096, 0), 0), );
		OP3(nam("munmap: %ld touched pages amid a mapping (splits)", n), N, v = MM(n + 20); touch(v, n + 20), WANT(SC(SYS_munmap, v + 40960, n * 4096, 0), 0), SC(SYS_munmap, v, (n + 20) * 4096, 0));
		OP3(nam("munmap: %ld touched pages at the end of a mapping", n), N, v = MM(n + 10); touch(v, n + 10), WANT(SC(SYS_munmap, v + 40960, n * 4096, 0), 0), SC(SYS_munmap, v, 40960, 0));
		OP3(nam("mprotect RW to R then munmap: %ld touched pages", n), N, v = MM(n); touch(v, n), RWX(v, n, PR); SC(SYS_munmap, v, n * 4096, 0), );
	}
	char *at = anon(4 << 20);
	munmap(at, 4 << 20);
	at += 1 << 20;
#define MF(n) S6(SYS_mmap, at, (n) * 4096L, PRW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
	OP3("mmap fixed: 1 page apart from others", N, , WANT(MF(1), at), SC(SYS_munmap, at, 4096, 0));
	OP3("munmap: 1 touched page apart from others", N, MF(1); touch(at, 1), WANT(SC(SYS_munmap, at, 4096, 0), 0), );
	OP3("munmap: 64 touched pages apart from others", N, MF(64); touch(at, 64), WANT(SC(SYS_munmap, at, 64 * 4096, 0), 0), );
	OP3("mmap fixed over 1 touched page amid a mapping", N, touch(mid, 1), WANT(S6(SYS_mmap, mid, 4096, PRW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), mid), );
	v = MM(16);
	touch(v, 16);
	OP3("mremap: 16 pages grow to 32", N, v = MM(16); touch(v, 16), v = (char *)S6(SYS_mremap, v, 65536, 131072, MREMAP_MAYMOVE, 0, 0), SC(SYS_munmap, v, 131072, 0));
	OP3("mremap: 32 touched pages shrink to 16", N, v = MM(32); touch(v, 32), WANT(S6(SYS_mremap, v, 131072, 65536, 0, 0, 0), v), SC(SYS_munmap, v, 65536, 0));
	OP3("mremap: 1 touched page moves", N, MF(1); touch(at, 1), WANT(S6(SYS_mremap, at, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, at + 65536, 0), at + 65536), SC(SYS_munmap, at + 65536, 4096, 0));
	OP3("mremap: 64 touched pages move", N, MF(64); touch(at, 64), WANT(S6(SYS_mremap, at, 64 * 4096, 64 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, at + (1 << 20), 0), at + (1 << 20)), SC(SYS_munmap, at + (1 << 20), 64 * 4096, 0));
	long b = SC(SYS_brk, 0, 0, 0);
	OP3("brk: grows by 1 page", N, , WANT(SC(SYS_brk, b + 4096, 0, 0), b + 4096), SC(SYS_brk, b, 0, 0));
	OP3("brk: shrinks by 1 untouched page", N, SC(SYS_brk, b + 4096, 0, 0), WANT(SC(SYS_brk, b, 0, 0), b), );
	OP("brk: asks", N, WANT(SC(SYS_brk, 0, 0, 0), b));
	touch(mid, 16);
	OP3("mlock: 1 touched page amid a mapping", N, , WANT(SC(SYS_mlock, mid, 4096, 0), 0), SC(SYS_munlock, mid, 4096, 0));
	OP3("munlock: 1 touched page amid a mapping", N, SC(SYS_mlock, mid, 4096, 0), WANT(SC(SYS_munlock, mid, 4096, 0), 0), );
	OP3("mlock: 16 touched pages amid a mapping", N, , WANT(SC(SYS_mlock, mid, 65536, 0), 0), SC(SYS_munlock, mid, 65536, 0));
	static unsigned char vec[64];
	OP("mincore: 16 pages", N, WANT(SC(SYS_mincore, mid, 65536, vec), 0));
	OP("msync: 1 page, anonymous", N, WANT(SC(SYS_msync, mid, 4096, MS_SYNC), 0));
	OP("madvise WILLNEED: 1 page, anonymous", N, SC(SYS_madvise, mid, 4096, MADV_WILLNEED));
	OP("madvise COLD: 1 touched page", N, WANT(SC(SYS_madvise, mid, 4096, MADV_COLD), 0));
	OP3("madvise FREE: 1 touched page", N, touch(mid, 1), WANT(SC(SYS_madvise, mid, 4096, MADV_FREE), 0), );
	char *shm = mmap(0, 1 << 20, PRW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	OP3("touch of 1 shared page, new", N, , *(volatile char *)shm = 1, madvise(shm, 4096, MADV_REMOVE));
	touch(shm, 64);
	OP3("touch of 1 shared page, there", N, madvise(shm, 4096, MADV_DONTNEED), *(volatile char *)shm = 1, );
	OP3("read of 1 shared page, there, in a new mapping", N, madvise(shm, 1 << 20, MADV_DONTNEED), *(volatile char *)shm, );
	OP3("read of 1 untouched page (zero page)", N, , *(volatile char *)mid, DN(mid, 1));
}
/* the operations that change the tree of areas, with 0 to 15 further areas beside: what they cost depends on how full its nodes are */
static void shapes(void)
{
	char *area = anon(32 << 20);
	touch(area, 2);
	for (int j = 0; j < 16; j++) {
		if (j)
			SC(SYS_mprotect, area + (16 << 20) + j * 8192L, 4096, PROT_NONE);
		char *mid = area + (2 << 20), *v = 0;
		touch(mid, 1);
		OP3(nam("shape %ld: mprotect RW to R, amid", j), 12, touch(mid, 1), RWX(mid, 1, PR), RWX(mid, 1, PRW));
		OP3(nam("shape %ld: mprotect R to RW, amid", j), 12, touch(mid, 1); RWX(mid, 1, PR), RWX(mid, 1, PRW), );
		OP3(nam("shape %ld: mprotect RW to R, at the start", j), 12, touch(area, 1), RWX(area, 1, PR), RWX(area, 1, PRW));
		OP3(nam("shape %ld: mmap 1 page", j), 12, , v = MM(1), SC(SYS_munmap, v, 4096, 0));
		OP3(nam("shape %ld: munmap 1 touched page", j), 12, v = MM(1); touch(v, 1), WANT(SC(SYS_munmap, v, 4096, 0), 0), );
		OP3(nam("shape %ld: munmap 1 untouched page", j), 12, v = MM(1), WANT(SC(SYS_munmap, v, 4096, 0), 0), );
		OP3(nam("shape %ld: munmap 1 touched page amid", j), 12, v = MM(21); touch(v, 21), WANT(SC(SYS_munmap, v + 40960, 4096, 0), 0), SC(SYS_munmap, v, 21 * 4096, 0));
		OP3(nam("shape %ld: munmap 1 touched page at the end", j), 12, v = MM(11); touch(v, 11), WANT(SC(SYS_munmap, v + 40960, 4096, 0), 0), SC(SYS_munmap, v, 40960, 0));
		OP3(nam("shape %ld: mremap 1 touched page moves", j), 12, v = MM(1); touch(v, 1), WANT(S6(SYS_mremap, v, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, area + (24 << 20), 0), area + (24 << 20)), touch(area + (24 << 20), 1));
	}
}
static volatile int stop;
static void *yielder(void *x)
{
	(void)x;
	pin(0);
	while (!stop)
		SC(SYS_sched_yield, 0, 0, 0);
	return 0;
}
static void settle(void)
{
	for (int i = 0; i < 4000; i++)
		SC(SYS_sched_yield, 0, 0, 0);
}
static void sched(void)
{
	static int word[1024] __attribute__((aligned(4096)));
	word[0] = 7;
	pthread_t th[8];
	OP("sched_yield alone", N, WANT(SC(SYS_sched_yield, 0, 0, 0), 0));
	int k = 0;
	static const int others[] = {1, 2, 4, 7};
	for (int i = 0; i < 4; i++) {
		for (; k < others[i]; k++)
			pthread_create(&th[k], 0, yielder, 0);
		settle();
		OP(nam("sched_yield round of 1 + %ld threads", others[i]), N, SC(SYS_sched_yield, 0, 0, 0));
	}
	stop = 1;
	for (int i = 0; i < k; i++)
		pthread_join(th[i], 0);
#define FX(op, v, t) S6(SYS_futex, word, op, v, t, 0, 0)
	struct timespec zero = {0, 1}, soon = {0, 2000000};
	int *shw = mmap(0, 4096, PRW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shw[0] = 7;
#define FS(op, v, t) S6(SYS_futex, shw, op, v, t, 0, 0)
	OP("futex: wait, EAGAIN, private", N, WANT(FX(FUTEX_WAIT_PRIVATE, 1, 0), -11));
	OP("futex: wait, EAGAIN, shared, anonymous memory", N, WANT(FX(FUTEX_WAIT, 1, 0), -11));
	OP("futex: wait, EAGAIN, shared mapping", N, WANT(FS(FUTEX_WAIT, 1, 0), -11));
	OP("futex: wait with a timeout, EAGAIN, private", N, WANT(FX(FUTEX_WAIT_PRIVATE, 1, &soon), -11));
	OP("futex: wake of nobody, private", N, WANT(FX(FUTEX_WAKE_PRIVATE, 1, 0), 0));
	OP("futex: wake of nobody, shared, anonymous memory", N, WANT(FX(FUTEX_WAKE, 1, 0), 0));
	OP("futex: wake of nobody, shared mapping", N, WANT(FS(FUTEX_WAKE, 1, 0), 0));
	OP("futex: wake_op of nobody, private", N, WANT(S6(SYS_futex, word, FUTEX_WAKE_OP_PRIVATE, 1, 1, word + 1, FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 5)), 0));
	OP("futex: cmp_requeue of nobody, private", N, WANT(S6(SYS_futex, word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, word + 1, 7), 0));
	OP("futex: cmp_requeue, EAGAIN, private", N, WANT(S6(SYS_futex, word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 1, word + 1, 8), -11));
	OP("futex: misaligned, EINVAL", N, WANT(S6(SYS_futex, (char *)word + 1, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0), -22));
	OP("futex: unknown operation, ENOSYS", N, WANT(S6(SYS_futex, word, 99, 1, 0, 0, 0), -38));
	OP("futex: wait of nothing mapped, EFAULT", N, WANT(S6(SYS_futex, 4096, FUTEX_WAIT_PRIVATE, 1, 0, 0, 0), -14));
	word[2] = 0;
	OP3("futex: lock_pi, free, private", N, word[2] = 0, WANT(S6(SYS_futex, word + 2, FUTEX_LOCK_PI_PRIVATE, 0, 0, 0, 0), 0), SC(SYS_futex, word + 2, FUTEX_UNLOCK_PI_PRIVATE, 0));
	(void)zero;
	OP("futex: wait that times out, private", 20, WANT(FX(FUTEX_WAIT_PRIVATE, 7, &zero), -110));
	struct sched_param sp = {0}, rt = {.sched_priority = 5};
	OP("sched_setscheduler: OTHER to OTHER", N, WANT(SC(SYS_sched_setscheduler, 0, SCHED_OTHER, &sp), 0));
	OP3("sched_setscheduler: OTHER to BATCH", N, , WANT(SC(SYS_sched_setscheduler, 0, SCHED_BATCH, &sp), 0), SC(SYS_sched_setscheduler, 0, SCHED_OTHER, &sp));
	OP3("sched_setscheduler: OTHER to FIFO", N, , WANT(SC(SYS_sched_setscheduler, 0, SCHED_FIFO, &rt), 0), SC(SYS_sched_setscheduler, 0, SCHED_OTHER, &sp));
	OP("sched_getscheduler", N, WANT(SC(SYS_sched_getscheduler, 0, 0, 0), 0));
	OP("sched_getparam", N, WANT(SC(SYS_sched_getparam, 0, &sp, 0), 0));
	unsigned long mask[16] = {1};
	OP("sched_setaffinity: same", N, WANT(SC(SYS_sched_setaffinity, 0, 8, mask), 0));
	OP("sched_getaffinity", N, SC(SYS_sched_getaffinity, 0, 8, mask));
	OP3("setpriority: 0 to 5", N, , WANT(SC(SYS_setpriority, PRIO_PROCESS, 0, 5), 0), SC(SYS_setpriority, PRIO_PROCESS, 0, 0));
	OP("getpriority", N, SC(SYS_getpriority, PRIO_PROCESS, 0, 0));
	struct timespec now = {0, 0};
	OP("nanosleep of nothing", N, SC(SYS_nanosleep, &now, 0, 0));
}
static void process(void)
{
	static const int pages[] = {0, 100, 1000};
	for (int i = 0; i < 3; i++) {
		char *m = pages[i] ? anon(pages[i] * 4096L) : 0;
		if (m)
			touch(m, pages[i]);
		OP(nam("fork, exit, wait: %ld further touched pages", pages[i]), 15, { pid_t x = S6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0); if (!x) SC(SYS_exit_group, 0, 0, 0); WANT(S6(SYS_wait4, x, 0, 0, 0, 0, 0), x); });
		if (m)
			munmap(m, pages[i] * 4096L);
	}
	char *m[40];
	for (int i = 0; i < 40; i++) {
		m[i] = anon(3 * 4096);
		mprotect(m[i], 4096, i & 1 ? PROT_NONE : PROT_READ);
	}
	OP("fork, exit, wait: about 80 further untouched mappings", 15, { pid_t x = S6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0); if (!x) SC(SYS_exit_group, 0, 0, 0); WANT(S6(SYS_wait4, x, 0, 0, 0, 0, 0), x); });
	for (int i = 0; i < 40; i++)
		munmap(m[i], 3 * 4096);
	int fds[64];
	for (int i = 0; i < 50; i++)
		fds[i] = dup(0);
	OP("fork, exit, wait: 50 further descriptors", 15, { pid_t x = S6(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0); if (!x) SC(SYS_exit_group, 0, 0, 0); WANT(S6(SYS_wait4, x, 0, 0, 0, 0, 0), x); });
	for (int i = 0; i < 50; i++)
		close(fds[i]);
	static char stack[65536];
	long fl = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	OP("thread: clone, exit, and its end seen", 15, {
		static volatile int tid;
		tid = 1;
		long x = S6(SYS_clone, fl | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID, stack + 65536 - 64, 0, &tid, 0, 0);
		if (!x) SC(SYS_exit, 0, 0, 0);
		while (tid) SC(SYS_sched_yield, 0, 0, 0);
	});
	OP("wait4: no child, ECHILD", N, WANT(S6(SYS_wait4, -1, 0, WNOHANG, 0, 0, 0), -10));
	pid_t c = fork();
	if (!c)
		for (;;)
			pause();
	OP("wait4: WNOHANG, nothing", N, WANT(S6(SYS_wait4, c, 0, WNOHANG, 0, 0, 0), 0));
	OP("kill: signal 0", N, WANT(SC(SYS_kill, c, 0, 0), 0));
	OP("pidfd_open and close", N, SC(SYS_close, SC(434, c, 0, 0), 0, 0));
	done(c);
}
static void sysv(void)
{
	static const int z[] = {1, 32, 1024, 4096, 8000};
	static struct { long t; char b[8192]; } m;
	int q = msgget(IPC_PRIVATE, 0600);
	m.t = 1;
	for (int i = 0; i < 5; i++) {
		OP3(nam("msgsnd: %ld B", z[i]), N, m.t = 1, WANT(S6(SYS_msgsnd, q, &m, z[i], 0, 0, 0), 0), S6(SYS_msgrcv, q, &m, 8192, 0, 0, 0));
		OP3(nam("msgrcv: %ld B", z[i]), N, m.t = 1; S6(SYS_msgsnd, q, &m, z[i], 0, 0, 0), WANT(S6(SYS_msgrcv, q, &m, 8192, 0, 0, 0), z[i]), );
	}
	OP("msgrcv: nothing, ENOMSG", N, WANT(S6(SYS_msgrcv, q, &m, 8192, 0, IPC_NOWAIT, 0), -42));
	struct msqid_ds qs;
	OP("msgctl: IPC_STAT", N, WANT(SC(SYS_msgctl, q, IPC_STAT, &qs), 0));
	OP("msgget and msgctl IPC_RMID", N, SC(SYS_msgctl, SC(SYS_msgget, IPC_PRIVATE, 0600, 0), IPC_RMID, 0));
	OP("msgget: of an id that is there", N, SC(SYS_msgget, 0x1234, 0600 | IPC_CREAT, 0));
	int s = semget(IPC_PRIVATE, 4, 0600);
	struct sembuf up = {0, 1, 0}, dn = {0, -1, 0}, two[2] = {{0, 1, 0}, {1, 1, 0}}, twod[2] = {{0, -1, 0}, {1, -1, 0}}, no = {2, -1, IPC_NOWAIT}, und = {3, 1, SEM_UNDO}, undd = {3, -1, SEM_UNDO};
	OP3("semop: up, nobody waits", N, , WANT(SC(SYS_semop, s, &up, 1), 0), SC(SYS_semop, s, &dn, 1));
	OP3("semop: down, no wait", N, SC(SYS_semop, s, &up, 1), WANT(SC(SYS_semop, s, &dn, 1), 0), );
	OP3("semop: two up", N, , WANT(SC(SYS_semop, s, two, 2), 0), SC(SYS_semop, s, twod, 2));
	OP("semop: EAGAIN", N, WANT(SC(SYS_semop, s, &no, 1), -11));
	OP3("semop: up with undo", N, , WANT(SC(SYS_semop, s, &und, 1), 0), SC(SYS_semop, s, &undd, 1));
	OP("semctl: GETVAL", N, WANT(S6(SYS_semctl, s, 0, GETVAL, 0, 0, 0), 0));
	OP("semctl: SETVAL", N, WANT(S6(SYS_semctl, s, 0, SETVAL, 0, 0, 0), 0));
	OP("semget and semctl IPC_RMID", N, S6(SYS_semctl, SC(SYS_semget, IPC_PRIVATE, 4, 0600), 0, IPC_RMID, 0, 0, 0));
	struct sched_param sp0 = {0};
	struct sembuf up1 = {1, 1, 0}, w1 = {1, -1, 0};
	sched_setscheduler(0, SCHED_BATCH, &sp0);
	pid_t c = fork();
	if (!c)
		for (;;) {
			SC(SYS_semop, s, &dn, 1);
			SC(SYS_semop, s, &up1, 1);
		}
	
	OP("semop: round trip, both sleep", N, SC(SYS_semop, s, &up, 1); SC(SYS_semop, s, &w1, 1));
	done(c);
	int q2 = msgget(IPC_PRIVATE, 0600);
	c = fork();
	if (!c)
		for (;;) {
			S6(SYS_msgrcv, q, &m, 64, 0, 0, 0);
			m.t = 1;
			S6(SYS_msgsnd, q2, &m, 32, 0, 0, 0);
		}
	OP("SysV message: round trip of 32 B, both sleep", N, m.t = 1; S6(SYS_msgsnd, q, &m, 32, 0, 0, 0); S6(SYS_msgrcv, q2, &m, 64, 0, 0, 0));
	done(c);
	sched_setscheduler(0, SCHED_OTHER, &sp0);
	int h = shmget(IPC_PRIVATE, 65536, 0600);
	char *a = 0;
	OP3("shmat: 16 pages", N, , a = (char *)SC(SYS_shmat, h, 0, 0), SC(SYS_shmdt, a, 0, 0));
	OP3("shmdt: 16 pages, untouched", N, a = (char *)SC(SYS_shmat, h, 0, 0), WANT(SC(SYS_shmdt, a, 0, 0), 0), );
	struct shmid_ds hs;
	OP("shmctl: IPC_STAT", N, WANT(SC(SYS_shmctl, h, IPC_STAT, &hs), 0));
	OP("shmget and shmctl IPC_RMID", N, SC(SYS_shmctl, SC(SYS_shmget, IPC_PRIVATE, 4096, 0600), IPC_RMID, 0));
}
static void files(void)
{
	mkdir("/t", 0755);
	mount("tmpfs", "/t", "tmpfs", 0, 0);
	mkdir("/t/d", 0755);
	mkdir("/t/d/e", 0755);
	int f = open("/t/f", O_RDWR | O_CREAT, 0644);
	write_all(f, 1 << 20);
	static const int z[] = {1, 32, 1024, 4096, 16384, 65536, 262144};
	for (int i = 0; i < 7; i++) {
		long n = z[i];
		OP3(nam("tmpfs: pread of %ld B", n), N, , WANT(S6(SYS_pread64, f, dst, n, 0, 0, 0), n), );
		OP3(nam("tmpfs: pwrite of %ld B over others", n), N, , WANT(S6(SYS_pwrite64, f, buf, n, 0, 0, 0), n), );
		OP3(nam("tmpfs: pwrite of %ld B, new pages", n), N, SC(SYS_ftruncate, f, 0, 0), WANT(S6(SYS_pwrite64, f, buf, n, 0, 0, 0), n), );
		OP3(nam("tmpfs: ftruncate of %ld B to none", n), N, S6(SYS_pwrite64, f, buf, n, 0, 0, 0), WANT(SC(SYS_ftruncate, f, 0, 0), 0), );
		write_all(f, 1 << 20);
	}
	SC(SYS_lseek, f, 0, 0);
	OP3("tmpfs: read of 4096 B", N, SC(SYS_lseek, f, 0, 0), WANT(RD(f, dst, 4096), 4096), );
	OP3("tmpfs: write of 4096 B over others", N, SC(SYS_lseek, f, 0, 0), WANT(WR(f, buf, 4096), 4096), );
	int fd = 0;
	OP3("tmpfs: open, one name below the mount", N, , fd = SC(SYS_open, "/t/f", O_RDWR, 0), SC(SYS_close, fd, 0, 0));
	OP3("tmpfs: open, three names below the mount", N, fd = SC(SYS_open, "/t/d/e/g", O_RDWR | O_CREAT, 0644); SC(SYS_close, fd, 0, 0), fd = SC(SYS_open, "/t/d/e/g", O_RDWR, 0), SC(SYS_close, fd, 0, 0));
	OP3("tmpfs: close", N, fd = SC(SYS_open, "/t/f", O_RDWR, 0), WANT(SC(SYS_close, fd, 0, 0), 0), );
	OP("tmpfs: open, ENOENT", N, WANT(SC(SYS_open, "/t/none", O_RDWR, 0), -2));
	OP3("tmpfs: open that creates", N, , fd = SC(SYS_open, "/t/new", O_RDWR | O_CREAT | O_EXCL, 0644), SC(SYS_close, fd, 0, 0); SC(SYS_unlink, "/t/new", 0, 0));
	OP3("tmpfs: open with O_TRUNC of 4096 B", N, fd = SC(SYS_open, "/t/tr", O_RDWR | O_CREAT, 0644); WR(fd, buf, 4096); SC(SYS_close, fd, 0, 0), fd = SC(SYS_open, "/t/tr", O_RDWR | O_TRUNC, 0), SC(SYS_close, fd, 0, 0));
	OP3("tmpfs: unlink of an empty file", N, fd = SC(SYS_open, "/t/new", O_RDWR | O_CREAT, 0644); SC(SYS_close, fd, 0, 0), WANT(SC(SYS_unlink, "/t/new", 0, 0), 0), );
	static struct stat st;
	static char sx[512];
	OP("tmpfs: stat", N, WANT(SC(SYS_stat, "/t/f", &st, 0), 0));
	OP("tmpfs: stat, three names below the mount", N, WANT(SC(SYS_stat, "/t/d/e/g", &st, 0), 0));
	OP("tmpfs: stat, ENOENT", N, WANT(SC(SYS_stat, "/t/none", &st, 0), -2));
	OP("tmpfs: fstat", N, WANT(SC(SYS_fstat, f, &st, 0), 0));
	OP("tmpfs: newfstatat of a descriptor", N, WANT(S6(SYS_newfstatat, f, "", &st, AT_EMPTY_PATH, 0, 0), 0));
	OP("tmpfs: statx", N, WANT(S6(SYS_statx, AT_FDCWD, "/t/f", 0, 0x7ff, sx, 0), 0));
	OP("tmpfs: access", N, WANT(SC(SYS_access, "/t/f", R_OK, 0), 0));
	OP("tmpfs: lseek", N, WANT(SC(SYS_lseek, f, 0, SEEK_SET), 0));
	OP("tmpfs: lseek SEEK_DATA", N, WANT(SC(SYS_lseek, f, 0, SEEK_DATA), 0));
	OP("tmpfs: fsync", N, WANT(SC(SYS_fsync, f, 0, 0), 0));
	OP3("tmpfs: mkdir", N, , WANT(SC(SYS_mkdir, "/t/n", 0755, 0), 0), SC(SYS_rmdir, "/t/n", 0, 0));
	OP3("tmpfs: rmdir", N, SC(SYS_mkdir, "/t/n", 0755, 0), WANT(SC(SYS_rmdir, "/t/n", 0, 0), 0), );
	OP3("tmpfs: rename", N, fd = SC(SYS_open, "/t/r1", O_RDWR | O_CREAT, 0644); SC(SYS_close, fd, 0, 0), WANT(SC(SYS_rename, "/t/r1", "/t/r2", 0), 0), SC(SYS_unlink, "/t/r2", 0, 0));
	OP3("tmpfs: link", N, , WANT(SC(SYS_link, "/t/f", "/t/l", 0), 0), SC(SYS_unlink, "/t/l", 0, 0));
	OP3("tmpfs: symlink", N, , WANT(SC(SYS_symlink, "f", "/t/s", 0), 0), SC(SYS_unlink, "/t/s", 0, 0));
	SC(SYS_symlink, "f", "/t/s", 0);
	OP("tmpfs: readlink", N, SC(SYS_readlink, "/t/s", sx, 100));
	OP3("tmpfs: open through a symbolic link", N, , fd = SC(SYS_open, "/t/s", O_RDWR, 0), SC(SYS_close, fd, 0, 0));
	OP("tmpfs: chmod", N, WANT(SC(SYS_chmod, "/t/f", 0644, 0), 0));
	OP("tmpfs: fchmod", N, WANT(SC(SYS_fchmod, f, 0644, 0), 0));
	OP("tmpfs: utimensat", N, WANT(S6(SYS_utimensat, AT_FDCWD, "/t/f", 0, 0, 0, 0), 0));
	mkdir("/t/dir", 0755);
	int dd = open("/t/dir", O_RDONLY | O_DIRECTORY);
	static const int ents[] = {0, 10, 100};
	int made = 0;
	for (int i = 0; i < 3; i++) {
		for (; made < ents[i]; made++) {
			char pth[64];
			sprintf(pth, "/t/dir/file%03d", made);
			close(open(pth, O_RDWR | O_CREAT, 0644));
		}
		OP3(nam("tmpfs: getdents64 of %ld names and two", ents[i]), N, SC(SYS_lseek, dd, 0, 0), SC(SYS_getdents64, dd, dst, 32768), );
	}
	OP("tmpfs: chdir", N, WANT(SC(SYS_chdir, "/t", 0, 0), 0));
	OP("getcwd", N, SC(SYS_getcwd, sx, 100, 0));
	OP("umask", N, SC(SYS_umask, 022, 0, 0));
	struct flock lk = {.l_type = F_WRLCK, .l_whence = 0, .l_start = 0, .l_len = 10}, ul = lk;
	ul.l_type = F_UNLCK;
	OP3("fcntl: F_SETLK", N, , WANT(SC(SYS_fcntl, f, F_SETLK, &lk), 0), SC(SYS_fcntl, f, F_SETLK, &ul));
	OP3("fcntl: F_SETLK, unlock", N, SC(SYS_fcntl, f, F_SETLK, &lk), WANT(SC(SYS_fcntl, f, F_SETLK, &ul), 0), );
	OP3("flock: LOCK_EX", N, , WANT(SC(SYS_flock, f, LOCK_EX, 0), 0), SC(SYS_flock, f, LOCK_UN, 0));
	OP3("flock: LOCK_UN", N, SC(SYS_flock, f, LOCK_EX, 0), WANT(SC(SYS_flock, f, LOCK_UN, 0), 0), );
	OP3("tmpfs: fallocate of 4096 B", N, SC(SYS_ftruncate, f, 0, 0), WANT(S6(SYS_fallocate, f, 0, 0, 4096, 0, 0), 0), );
	OP3("tmpfs: fallocate of 65536 B", N, SC(SYS_ftruncate, f, 0, 0), WANT(S6(SYS_fallocate, f, 0, 0, 65536, 0, 0), 0), );
	SC(SYS_ftruncate, f, 0, 0);
	S6(SYS_pwrite64, f, buf, 1 << 20, 0, 0, 0);
	char *mp = mmap(0, 1 << 20, PRW, MAP_SHARED, f, 0);
	OP3("tmpfs: mmap of a file and munmap", N, , SC(SYS_munmap, S6(SYS_mmap, 0, 4096, PRW, MAP_SHARED, f, 0), 4096, 0), );
	OP3("tmpfs: write fault on a shared file page", N, madvise(mp, 1 << 20, MADV_DONTNEED), *(volatile char *)mp = 1, );
	OP3("tmpfs: read fault on a shared file page, 16 around", N, madvise(mp, 1 << 20, MADV_DONTNEED), *(volatile char *)mp, );
	int nul = open("/dev/null", O_RDWR), zer;
	mkdir("/dev", 0755);
	mknod("/dev/null", S_IFCHR | 0666, 1 << 8 | 3);
	mknod("/dev/zero", S_IFCHR | 0666, 1 << 8 | 5);
	nul = open("/dev/null", O_RDWR);
	zer = open("/dev/zero", O_RDWR);
	OP("/dev/null: write of 32 B", N, WANT(WR(nul, buf, 32), 32));
	OP("/dev/null: read", N, WANT(RD(nul, buf, 32), 0));
	OP("/dev/zero: read of 4096 B", N, WANT(RD(zer, dst, 4096), 4096));
	static const int g[] = {16, 256};
	for (int i = 0; i < 2; i++)
		OP(nam("getrandom: %ld B", g[i]), N, SC(SYS_getrandom, dst, g[i], 0));
	int p[2];
	(void)!pipe(p);
	OP3("sendfile: 4096 B of tmpfs to a pipe", N, , { long off = 0; WANT(S6(SYS_sendfile, p[1], f, &off, 4096, 0, 0), 4096); }, read_all(p[0], 4096));
	int in = SC(SYS_inotify_init1, 0, 0, 0);
	OP3("inotify_add_watch", N, , fd = SC(SYS_inotify_add_watch, in, "/t/f", 2), SC(SYS_inotify_rm_watch, in, fd, 0));
	int mf;
	OP3("memfd_create", N, , mf = SC(SYS_memfd_create, "x", 0, 0), SC(SYS_close, mf, 0, 0));
	OP3("memfd: close", N, mf = SC(SYS_memfd_create, "x", 0, 0), SC(SYS_close, mf, 0, 0), );
}
static void handler(int s) { (void)s; }
static void handler3(int s, siginfo_t *i, void *u) { (void)s; (void)i; (void)u; }
static void signals(void)
{
	pid_t me = getpid();
	struct sigaction sa = {.sa_handler = handler};
	sigaction(SIGUSR1, &sa, 0);
	OP("signal: kill of oneself, handler, return", N, WANT(SC(SYS_kill, me, SIGUSR1, 0), 0));
	OP("signal: tgkill of oneself, handler, return", N, WANT(SC(SYS_tgkill, me, me, SIGUSR1), 0));
	sa.sa_sigaction = handler3;
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGUSR1, &sa, 0);
	OP("signal: kill of oneself, handler with siginfo, return", N, WANT(SC(SYS_kill, me, SIGUSR1, 0), 0));
	static char alt[65536];
	stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
	sigaltstack(&ss, 0);
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigaction(SIGUSR1, &sa, 0);
	OP("signal: kill of oneself, handler on an alternate stack, return", N, WANT(SC(SYS_kill, me, SIGUSR1, 0), 0));
	struct { void *h; unsigned long fl, rest, mask; } ka = {handler, 0x04000000, 0, 0}, old;
	OP("rt_sigaction: set", N, S6(SYS_rt_sigaction, SIGUSR2, &ka, 0, 8, 0, 0));
	OP("rt_sigaction: set and get", N, S6(SYS_rt_sigaction, SIGUSR2, 0, &old, 8, 0, 0));
	unsigned long m = 1UL << (SIGUSR1 - 1), z = 0, o;
	OP("rt_sigprocmask: block and unblock, two calls", N, S6(SYS_rt_sigprocmask, SIG_BLOCK, &m, 0, 8, 0, 0); S6(SYS_rt_sigprocmask, SIG_SETMASK, &z, &o, 8, 0, 0));
	OP("rt_sigpending", N, WANT(SC(SYS_rt_sigpending, &o, 8, 0), 0));
	OP("sigaltstack: get", N, WANT(SC(SYS_sigaltstack, 0, &ss, 0), 0));
	OP("signal: kill of oneself, ignored", N, WANT(SC(SYS_kill, me, SIGURG, 0), 0));
	S6(SYS_rt_sigprocmask, SIG_BLOCK, &m, 0, 8, 0, 0);
	static siginfo_t si;
	struct timespec zero = {0, 0};
	OP3("signal: kill of oneself, blocked", N, , WANT(SC(SYS_kill, me, SIGUSR1, 0), 0), S6(SYS_rt_sigtimedwait, &m, &si, &zero, 8, 0, 0));
	OP3("rt_sigtimedwait: one pending", N, SC(SYS_kill, me, SIGUSR1, 0), WANT(S6(SYS_rt_sigtimedwait, &m, &si, &zero, 8, 0, 0), SIGUSR1), );
	OP("rt_sigtimedwait: none, no time", N, WANT(S6(SYS_rt_sigtimedwait, &m, &si, &zero, 8, 0, 0), -11));
	si.si_code = SI_QUEUE;
	OP3("signal: rt_sigqueueinfo of oneself, blocked", N, si.si_code = SI_QUEUE, WANT(SC(SYS_rt_sigqueueinfo, me, SIGUSR1, &si), 0), S6(SYS_rt_sigtimedwait, &m, &si, &zero, 8, 0, 0));
	int sf = SC(SYS_signalfd4, -1, &m, 8);
	sf = S6(SYS_signalfd4, -1, &m, 8, 0, 0, 0);
	OP3("signalfd: read of one", N, SC(SYS_kill, me, SIGUSR1, 0), WANT(RD(sf, dst, 128), 128), );
	S6(SYS_rt_sigprocmask, SIG_SETMASK, &z, 0, 8, 0, 0);
}
static void calls(void)
{
	int fd, p[2];
	static char b[8192];
	struct epoll_event ev = {.events = EPOLLIN};
	OP("getppid", N, SC(SYS_getppid, 0, 0, 0));
	OP("getpid", N, SC(SYS_getpid, 0, 0, 0));
	OP("gettid", N, SC(SYS_gettid, 0, 0, 0));
	OP("getuid", N, SC(SYS_getuid, 0, 0, 0));
	OP("uname", N, SC(SYS_uname, b, 0, 0));
	OP("clock_gettime: REALTIME", N, SC(SYS_clock_gettime, 0, b, 0));
	OP("clock_gettime: MONOTONIC", N, SC(SYS_clock_gettime, 1, b, 0));
	OP("clock_gettime: PROCESS_CPUTIME_ID", N, SC(SYS_clock_gettime, 2, b, 0));
	OP("gettimeofday", N, SC(SYS_gettimeofday, b, 0, 0));
	OP("time", N, SC(SYS_time, 0, 0, 0));
	OP("times", N, SC(SYS_times, b, 0, 0));
	OP("getrusage", N, SC(SYS_getrusage, 0, b, 0));
	OP("prlimit64: get", N, S6(SYS_prlimit64, 0, 7, 0, b, 0, 0));
	OP("getcpu", N, SC(SYS_getcpu, b, 0, 0));
	OP("sysinfo", N, SC(SYS_sysinfo, b, 0, 0));
	OP("prctl: PR_GET_NAME", N, SC(SYS_prctl, 16, b, 0));
	OP("prctl: PR_SET_NAME", N, SC(SYS_prctl, 15, "abc", 0));
	OP("arch_prctl: ARCH_GET_FS", N, SC(SYS_arch_prctl, 0x1003, b, 0));
	OP("set_tid_address", N, SC(SYS_set_tid_address, b, 0, 0));
	OP("set_robust_list", N, SC(SYS_set_robust_list, b, 24, 0));
	OP("getpgid", N, SC(SYS_getpgid, 0, 0, 0));
	OP("getsid", N, SC(SYS_getsid, 0, 0, 0));
	OP("setpgid: same", N, SC(SYS_setpgid, 0, 0, 0));
	OP("getgroups", N, SC(SYS_getgroups, 0, 0, 0));
	OP("setuid: same", N, SC(SYS_setuid, 0, 0, 0));
	OP("membarrier: PRIVATE_EXPEDITED registered", N, SC(SYS_membarrier, 16, 0, 0));
	OP("an unknown call, ENOSYS", N, WANT(SC(999, 0, 0, 0), -38));
	int e = eventfd(0, 0);
	unsigned long one = 1;
	OP3("eventfd: write", N, , WANT(WR(e, &one, 8), 8), RD(e, b, 8));
	OP3("eventfd: read", N, WR(e, &one, 8), WANT(RD(e, b, 8), 8), );
	OP3("eventfd: create", N, , fd = SC(SYS_eventfd2, 0, 0, 0), SC(SYS_close, fd, 0, 0));
	OP3("eventfd: close", N, fd = SC(SYS_eventfd2, 0, 0, 0), SC(SYS_close, fd, 0, 0), );
	OP3("pipe: create", N, , SC(SYS_pipe, p, 0, 0), close(p[0]); close(p[1]));
	OP3("pipe: close of both ends", N, SC(SYS_pipe, p, 0, 0), SC(SYS_close, p[0], 0, 0); SC(SYS_close, p[1], 0, 0), );
	OP3("socketpair: stream", N, , S6(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, p, 0, 0), close(p[0]); close(p[1]));
	OP3("socketpair: close of both ends", N, S6(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, p, 0, 0), SC(SYS_close, p[0], 0, 0); SC(SYS_close, p[1], 0, 0), );
	OP3("socket: stream", N, , fd = SC(SYS_socket, AF_UNIX, SOCK_STREAM, 0), SC(SYS_close, fd, 0, 0));
	OP3("socket: close", N, fd = SC(SYS_socket, AF_UNIX, SOCK_STREAM, 0), SC(SYS_close, fd, 0, 0), );
	struct sockaddr_un ab = {.sun_family = AF_UNIX, .sun_path = "\0abstract"}, fs = {.sun_family = AF_UNIX, .sun_path = "/sock"};
	OP3("socket: bind, abstract", N, fd = SC(SYS_socket, AF_UNIX, SOCK_STREAM, 0), WANT(SC(SYS_bind, fd, &ab, 12), 0), SC(SYS_close, fd, 0, 0));
	OP3("socket: bind, path", N, fd = SC(SYS_socket, AF_UNIX, SOCK_STREAM, 0), WANT(SC(SYS_bind, fd, &fs, sizeof fs), 0), SC(SYS_close, fd, 0, 0); unlink("/sock"));
	OP3("socket: listen", N, fd = SC(SYS_socket, AF_UNIX, SOCK_STREAM, 0); SC(SYS_bind, fd, &ab, 12), WANT(SC(SYS_listen, fd, 5, 0), 0), SC(SYS_close, fd, 0, 0));
	int l = SC(SYS_socket, AF_UNIX, SOCK_STREAM, 0), c, a;
	bind(l, (void *)&ab, 12);
	listen(l, 5);
	OP3("socket: connect, abstract", N, c = SC(SYS_socket, AF_UNIX, SOCK_STREAM, 0), WANT(SC(SYS_connect, c, &ab, 12), 0), a = accept(l, 0, 0); close(a); close(c));
	OP3("socket: accept", N, c = SC(SYS_socket, AF_UNIX, SOCK_STREAM, 0); SC(SYS_connect, c, &ab, 12), a = S6(SYS_accept4, l, 0, 0, 0, 0, 0), close(a); close(c));
	OP3("socket: shutdown of both", N, S6(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, p, 0, 0), WANT(SC(SYS_shutdown, p[0], 2, 0), 0), close(p[0]); close(p[1]));
	S6(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, p, 0, 0);
	socklen_t sl = 4;
	OP("getsockopt: SO_TYPE", N, S6(SYS_getsockopt, p[0], SOL_SOCKET, SO_TYPE, b, &sl, 0));
	OP("setsockopt: SO_SNDBUF", N, (*(int *)b = 65536, S6(SYS_setsockopt, p[0], SOL_SOCKET, SO_SNDBUF, b, 4, 0)));
	OP("getsockname", N, (sl = 100, SC(SYS_getsockname, p[0], b, &sl)));
	OP3("send of 32 B", N, , WANT(S6(SYS_sendto, p[0], b, 32, 0, 0, 0), 32), RD(p[1], b, 32));
	OP3("recv of 32 B", N, WR(p[0], b, 32), WANT(S6(SYS_recvfrom, p[1], b, 32, 0, 0, 0), 32), );
	struct iovec io = {b, 32};
	struct msghdr mh = {.msg_iov = &io, .msg_iovlen = 1};
	OP3("sendmsg of 32 B", N, , WANT(SC(SYS_sendmsg, p[0], &mh, 0), 32), RD(p[1], b, 32));
	OP3("recvmsg of 32 B", N, WR(p[0], b, 32), WANT(SC(SYS_recvmsg, p[1], &mh, 0), 32), );
	union { char c[64]; struct cmsghdr h; } cm, cr;
	memset(&cm, 0, sizeof cm);
	cm.h = (struct cmsghdr){.cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	*(int *)CMSG_DATA(&cm.h) = 0;
	struct msghdr mr = mh;
	OP3("sendmsg of 32 B and one descriptor", N, mh.msg_control = &cm; mh.msg_controllen = CMSG_SPACE(4), WANT(SC(SYS_sendmsg, p[0], &mh, 0), 32), mr.msg_control = &cr; mr.msg_controllen = sizeof cr; SC(SYS_recvmsg, p[1], &mr, 0); close(*(int *)CMSG_DATA(&cr.h)));
	OP3("recvmsg of 32 B and one descriptor", N, mh.msg_control = &cm; mh.msg_controllen = CMSG_SPACE(4); SC(SYS_sendmsg, p[0], &mh, 0); mr.msg_control = &cr; mr.msg_controllen = sizeof cr, WANT(SC(SYS_recvmsg, p[1], &mr, 0), 32), close(*(int *)CMSG_DATA(&cr.h)));
	OP3("epoll: create", N, , fd = SC(SYS_epoll_create1, 0, 0, 0), SC(SYS_close, fd, 0, 0));
	OP3("epoll: close, empty", N, fd = SC(SYS_epoll_create1, 0, 0, 0), SC(SYS_close, fd, 0, 0), );
	struct pollfd pf[16];
	for (int i = 0; i < 16; i++)
		pf[i] = (struct pollfd){p[0], POLLIN, 0};
	OP("poll: 1 descriptor, nothing, no time", N, WANT(SC(SYS_poll, pf, 1, 0), 0));
	OP("poll: 16 descriptors, nothing, no time", N, WANT(SC(SYS_poll, pf, 16, 0), 0));
	fd_set set;
	FD_ZERO(&set);
	struct timeval tv = {0, 0};
	OP("select: 1 descriptor, nothing, no time", N, FD_SET(p[0], &set); S6(SYS_select, p[0] + 1, &set, 0, 0, &tv, 0));
	OP3("dup", N, , fd = SC(SYS_dup, p[0], 0, 0), SC(SYS_close, fd, 0, 0));
	OP3("close of a duplicate", N, fd = SC(SYS_dup, p[0], 0, 0), SC(SYS_close, fd, 0, 0), );
	OP("close of nothing, EBADF", N, WANT(SC(SYS_close, 999, 0, 0), -9));
	OP("fcntl: F_GETFL", N, SC(SYS_fcntl, p[0], F_GETFL, 0));
	OP("fcntl: F_SETFL", N, SC(SYS_fcntl, p[0], F_SETFL, O_RDWR));
	OP("ioctl: FIONREAD", N, SC(SYS_ioctl, p[0], FIONREAD, b));
	int t;
	OP3("timerfd: create", N, , t = SC(SYS_timerfd_create, 1, 0, 0), SC(SYS_close, t, 0, 0));
	t = timerfd_create(1, TFD_NONBLOCK);
	struct itimerspec its = {{0, 0}, {100, 0}}, off = {{0, 0}, {0, 0}};
	OP3("timerfd: settime, arms", N, , WANT(S6(SYS_timerfd_settime, t, 0, &its, 0, 0, 0), 0), S6(SYS_timerfd_settime, t, 0, &off, 0, 0, 0));
	OP3("timerfd: settime, disarms", N, S6(SYS_timerfd_settime, t, 0, &its, 0, 0, 0), WANT(S6(SYS_timerfd_settime, t, 0, &off, 0, 0, 0), 0), );
	OP("timerfd: gettime", N, S6(SYS_timerfd_gettime, t, b, 0, 0, 0, 0));
	OP("timerfd: read, EAGAIN", N, WANT(RD(t, b, 8), -11));
	struct itimerval iv = {{0, 0}, {100, 0}}, iz = {{0, 0}, {0, 0}};
	OP3("setitimer: arms", N, , WANT(SC(SYS_setitimer, 0, &iv, 0), 0), SC(SYS_setitimer, 0, &iz, 0));
	int tid;
	OP3("timer_create", N, , WANT(SC(SYS_timer_create, 1, 0, &tid), 0), SC(SYS_timer_delete, tid, 0, 0));
	OP3("timer_delete", N, SC(SYS_timer_create, 1, 0, &tid), WANT(SC(SYS_timer_delete, tid, 0, 0), 0), );
	SC(SYS_timer_create, 1, 0, &tid);
	OP("timer_settime: arms", N, WANT(S6(SYS_timer_settime, tid, 0, &its, 0, 0, 0), 0));
	OP("timer_gettime", N, WANT(SC(SYS_timer_gettime, tid, b, 0), 0));
	OP3("/proc: open of /proc/self/status", N, , fd = SC(SYS_open, "/proc/self/status", 0, 0), SC(SYS_close, fd, 0, 0));
	OP3("/proc: read of /proc/self/status", N, fd = SC(SYS_open, "/proc/self/status", 0, 0), RD(fd, b, 8192), SC(SYS_close, fd, 0, 0));
	OP3("mq: open of one that is there", N, , fd = S6(SYS_mq_open, "m", O_RDWR | O_CREAT, 0600, 0, 0, 0), SC(SYS_close, fd, 0, 0));
	long k = SC(SYS_pkey_alloc, 0, 0, 0);
	char *o = anon(3 * 4096);
	mprotect(o, 4096, 0);
	mprotect(o + 8192, 4096, 0);
	touch(o + 4096, 1);
	OP3("pkey_mprotect: a mapping of 1 touched page", N, , WANT(S6(SYS_pkey_mprotect, o + 4096, 4096, PRW, k, 0, 0), 0), S6(SYS_pkey_mprotect, o + 4096, 4096, PRW, 0, 0, 0));
}
static void syms(void)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char l[512], n[400], t;
	unsigned long a;
	while (f && fgets(l, sizeof l, f))
		if (!strchr(l, '[') && sscanf(l, "%lx %c %399s", &a, &t, n) == 3 && strchr("tTwW", t))
			printf("%lx %s\n", a, n);
}
static const struct { const char *name; void (*run)(void); } groups[] = {
	{"transfer", transfer}, {"trips", trips}, {"vm", vm}, {"memory", memory}, {"sched", sched}, {"shapes", shapes}, {"process", process}, {"sysv", sysv}, {"files", files}, {"signals", signals}, {"calls", calls},
};
int main(int argc, char **argv)
{
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, 0);
	char v[256] = "";
	FILE *f = fopen("/proc/version", "r");
	if (f && fgets(v, sizeof v, f))
		printf("INFO\t%s", v);
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "syms")) {
			syms();
			fflush(stdout);
			sleep(1);
			reboot(RB_POWER_OFF);
		}
	fflush(stdout);
	/* work in a child so that process 1's special cases stay out */
	pid_t w = fork();
	if (w) {
		waitpid(w, 0, 0);
		reboot(RB_POWER_OFF);
	}
	sleep(1);
	memset(buf, 1, sizeof buf);
	memset(dst, 1, sizeof dst);
	pin(0);
	for (unsigned g = 0; g < sizeof groups / sizeof *groups; g++)
		for (int i = 1; i < argc; i++)
			if (!strcmp(argv[i], groups[g].name))
				groups[g].run();
	printf("%s", names);
	fflush(stdout);
	_exit(0);
}
