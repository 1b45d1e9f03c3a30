import type { CpuSet } from '@rpal/sched';
import { Futex, MapFlag, Prio, Prot } from '@rpal/uapi';
import type { IoVec } from '@rpal/vfs';
import type { MessageQueueAttributes } from '../process/call-arguments.js';
import { EntryKind } from '../process/entry-kind.js';
import type { Image } from '../process/image.js';
import type { MessageHeader } from '../process/message-header.js';
import { SyscallNumber } from '../process/syscall-numbers.js';
import { KernelStep } from '../steps.js';
import {
  refuseNumber,
  refuseRegisters,
  requireBytes,
  requireHandler,
  requireHeader,
  requireObject,
  requireText,
  requireVector,
} from './checks.js';
import { forgotten, Made } from './forgotten-call.js';
import { type Main, requireMain } from './main.js';
import { AccessCall, type Call, ComputeCall, Kind, Span, SpanCall, SyscallCall } from './program-calls.js';
import type { ProgramContext, SignalHandler } from './program-context.js';
import { requireImage } from './require-image.js';

/** Seconds, minutes and the like for `sleep`, in nanoseconds. */
export const Time = { us: 1e3, ms: 1e6, s: 1e9 } as const;

/**
 * What a program sees of its machine: system calls with Linux's results (a negative errno on failure), memory, time.
 * Everything that may fault or wait is used with `yield*`.
 */
export class Program {
  readonly context: ProgramContext;
  readonly #syscall: SyscallCall;
  readonly #compute: ComputeCall;
  readonly #access: AccessCall;
  readonly #span: SpanCall;

  constructor(context: ProgramContext) {
    this.context = context;
    this.#syscall = new SyscallCall(context);
    this.#compute = new ComputeCall(context);
    this.#access = new AccessCall(context);
    this.#span = new SpanCall(context);
  }

  /**
   * Goes on with `routine` until it ends, as `yield* routine` does; but what waits in it is resumed directly, and not through
   * all that called it. For long routines that wait often.
   */
  *call(routine: Generator<void, void>): Generator<void, void> {
    this.context.call(routine);
    yield;
  }

  /** Any system call by number. @throws MachineError NOT_AWAITED if the call before it has not been awaited with `yield*` */
  syscall(nr: number, a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0): Call {
    const { context } = this;
    if (context.made !== Made.NONE) throw forgotten(context, `the system call ${nr}`);
    const areNumbers =
      typeof a0 === 'number' &&
      typeof a1 === 'number' &&
      typeof a2 === 'number' &&
      typeof a3 === 'number' &&
      typeof a4 === 'number' &&
      typeof a5 === 'number';
    // One of them is NaN if their sum is.
    if (!areNumbers || typeof nr !== 'number' || Number.isNaN(nr + a0 + a1 + a2 + a3 + a4 + a5)) {
      refuseRegisters(context, nr, [a0, a1, a2, a3, a4, a5]);
    }
    context.made = Made.SYSCALL;
    context.nr = nr;
    context.a0 = a0;
    context.a1 = a1;
    context.a2 = a2;
    context.a3 = a3;
    context.a4 = a4;
    context.a5 = a5;
    context.cpu.charge(KernelStep.libcStub);
    return this.#syscall;
  }

  /** A system call by its 64-bit number through the entry of 32-bit programs (`int $0x80`), which a 64-bit one may use, too. */
  *compatSyscall(nr: number, a0 = 0, a1 = 0, a2 = 0): Generator<void, number> {
    const { context } = this;
    context.entry = EntryKind.COMPAT;
    const result = yield* this.syscall(nr, a0, a1, a2);
    context.entry = EntryKind.SYSCALL;
    return result;
  }

  read(fd: number, buffer: number, count: number): Call {
    return this.syscall(SyscallNumber.read, fd, buffer, count);
  }

  write(fd: number, buffer: number, count: number): Call {
    return this.syscall(SyscallNumber.write, fd, buffer, count);
  }

  /** @param path a special file such as `/proc/rpal` */
  open(path: string, flags: number): Call {
    this.context.text = requireText(this.context, 'open', path);
    return this.syscall(SyscallNumber.open, 0, flags);
  }

  close(fd: number): Call {
    return this.syscall(SyscallNumber.close, fd);
  }

  ioctl(fd: number, command: number, argument: number): Call {
    return this.syscall(SyscallNumber.ioctl, fd, command, argument);
  }

  fcntl(fd: number, command: number, argument = 0): Call {
    return this.syscall(SyscallNumber.fcntl, fd, command, argument);
  }

  /** @returns the end to read from; the other is `second` */
  pipe(flags = 0): Call {
    return this.syscall(SyscallNumber.pipe2, 0, flags);
  }

  /** The second descriptor of the last `pipe` or `socketpair`. */
  get second(): number {
    return this.context.second;
  }

  eventfd(initial = 0, flags = 0): Call {
    return this.syscall(SyscallNumber.eventfd2, initial, flags);
  }

  readv(fd: number, segments: readonly IoVec[]): Call {
    this.context.args.header = { segments: requireVector(this.context, 'readv', segments) };
    return this.syscall(SyscallNumber.readv, fd);
  }

  writev(fd: number, segments: readonly IoVec[]): Call {
    this.context.args.header = { segments: requireVector(this.context, 'writev', segments) };
    return this.syscall(SyscallNumber.writev, fd);
  }

  /** splice from pipe to pipe, or between a pipe and a Unix stream socket. */
  splice(from: number, to: number, length: number, flags = 0): Call {
    return this.syscall(SyscallNumber.splice, from, 0, to, 0, length, flags);
  }

  tee(from: number, to: number, length: number, flags = 0): Call {
    return this.syscall(SyscallNumber.tee, from, to, length, flags);
  }

  /** One piece of memory into a pipe, by reference; or out of it. */
  vmsplice(fd: number, address: number, length: number, flags = 0): Call {
    return this.syscall(SyscallNumber.vmsplice, fd, address, length, flags);
  }

  memfd(name: string, flags = 0): Call {
    this.context.text = requireText(this.context, 'memfd', name);
    return this.syscall(SyscallNumber.memfd_create, 0, flags);
  }

  ftruncate(fd: number, size: number): Call {
    return this.syscall(SyscallNumber.ftruncate, fd, size);
  }

  lseek(fd: number, offset: number, whence: number): Call {
    return this.syscall(SyscallNumber.lseek, fd, offset, whence);
  }

  pread(fd: number, buffer: number, count: number, offset: number): Call {
    return this.syscall(SyscallNumber.pread64, fd, buffer, count, offset);
  }

  pwrite(fd: number, buffer: number, count: number, offset: number): Call {
    return this.syscall(SyscallNumber.pwrite64, fd, buffer, count, offset);
  }

  /** process_vm_readv: memory of another process into this one's. */
  processVmReadv(pid: number, local: readonly IoVec[], remote: readonly IoVec[]): Call {
    this.context.args.header = {
      segments: requireVector(this.context, 'processVmReadv', local),
      remote: requireVector(this.context, 'processVmReadv', remote),
    };
    return this.syscall(SyscallNumber.process_vm_readv, pid);
  }

  processVmWritev(pid: number, local: readonly IoVec[], remote: readonly IoVec[]): Call {
    this.context.args.header = {
      segments: requireVector(this.context, 'processVmWritev', local),
      remote: requireVector(this.context, 'processVmWritev', remote),
    };
    return this.syscall(SyscallNumber.process_vm_writev, pid);
  }

  pidfdOpen(pid: number, flags = 0): Call {
    return this.syscall(SyscallNumber.pidfd_open, pid, flags);
  }

  pidfdSendSignal(fd: number, signal: number): Call {
    return this.syscall(SyscallNumber.pidfd_send_signal, fd, signal);
  }

  dup(fd: number): Call {
    return this.syscall(SyscallNumber.dup, fd);
  }

  dup2(fd: number, target: number): Call {
    return this.syscall(SyscallNumber.dup2, fd, target);
  }

  dup3(fd: number, target: number, flags: number): Call {
    return this.syscall(SyscallNumber.dup3, fd, target, flags);
  }

  mmap(address: number, length: number, prot: number, flags: number, fd = -1, offset = 0): Call {
    return this.syscall(SyscallNumber.mmap, address, length, prot, flags, fd, offset);
  }

  munmap(address: number, length: number): Call {
    return this.syscall(SyscallNumber.munmap, address, length);
  }

  mprotect(address: number, length: number, prot: number): Call {
    return this.syscall(SyscallNumber.mprotect, address, length, prot);
  }

  mremap(address: number, oldLength: number, newLength: number, flags: number, target = 0): Call {
    return this.syscall(SyscallNumber.mremap, address, oldLength, newLength, flags, target);
  }

  madvise(address: number, length: number, advice: number): Call {
    return this.syscall(SyscallNumber.madvise, address, length, advice);
  }

  mlock(address: number, length: number): Call {
    return this.syscall(SyscallNumber.mlock, address, length);
  }

  munlock(address: number, length: number): Call {
    return this.syscall(SyscallNumber.munlock, address, length);
  }

  pkeyMprotect(address: number, length: number, prot: number, key: number): Call {
    return this.syscall(SyscallNumber.pkey_mprotect, address, length, prot, key);
  }

  pkeyAlloc(flags: number, rights: number): Call {
    return this.syscall(SyscallNumber.pkey_alloc, flags, rights);
  }

  pkeyFree(key: number): Call {
    return this.syscall(SyscallNumber.pkey_free, key);
  }

  /** The end of the heap; `address` 0 only asks. */
  brk(address: number): Call {
    return this.syscall(SyscallNumber.brk, address);
  }

  /** A fresh private mapping to read and write, of at least `bytes`. */
  allocate(bytes: number): Call {
    return this.mmap(0, bytes, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
  }

  getpid(): Call {
    return this.syscall(SyscallNumber.getpid);
  }

  gettid(): Call {
    return this.syscall(SyscallNumber.gettid);
  }

  getuid(): Call {
    return this.syscall(SyscallNumber.getuid);
  }

  /** Only root may take another user id than its own. */
  setuid(uid: number): Call {
    return this.syscall(SyscallNumber.setuid, uid);
  }

  getppid(): Call {
    return this.syscall(SyscallNumber.getppid);
  }

  /** Sleeps. @param ns nanoseconds */
  sleep(ns: number): Call {
    return this.syscall(SyscallNumber.nanosleep, ns);
  }

  /**
   * futex(FUTEX_WAIT).
   * @param timeout ns from now; negative for none
   * @param flags 0: the word may be shared with other processes, as in Linux; `Futex.PRIVATE_FLAG`: only threads of this one wait, which is cheaper
   */
  futexWait(address: number, value: number, timeout = -1, flags = 0): Call {
    return this.syscall(SyscallNumber.futex, address, Futex.WAIT | flags, value, timeout);
  }

  /** futex(FUTEX_WAKE). @param flags as those of the waiters @returns how many were woken */
  futexWake(address: number, count: number, flags = 0): Call {
    return this.syscall(SyscallNumber.futex, address, Futex.WAKE | flags, count);
  }

  schedYield(): Call {
    return this.syscall(SyscallNumber.sched_yield);
  }

  /** sched_setscheduler. @param pid 0 for the caller @param priority 1 .. 99 for FIFO and RR, else 0 */
  setScheduler(pid: number, policy: number, priority = 0): Call {
    return this.syscall(SyscallNumber.sched_setscheduler, pid, policy, priority);
  }

  /** setpriority(PRIO_PROCESS). @param pid 0 for the caller */
  setNice(pid: number, nice: number): Call {
    return this.syscall(SyscallNumber.setpriority, Prio.PROCESS, pid, nice);
  }

  /** @param who of `Rusage` @param usage room for a struct rusage, 144 bytes */
  getrusage(who: number, usage: number): Call {
    return this.syscall(SyscallNumber.getrusage, who, usage);
  }

  /** sched_setaffinity. @param pid 0 for the calling thread */
  setAffinity(cpus: CpuSet | readonly number[], pid = 0): Call {
    this.context.args.cpus = requireObject(this.context, 'the affinity', cpus, 'a CpuSet or an array of CPU numbers');
    return this.syscall(SyscallNumber.sched_setaffinity, pid);
  }

  /** A child process that runs `child` in a copy of this one's memory. @returns its pid, or a negative errno */
  fork(child: Main): Call {
    requireMain(`the child of ${this.context.thread.process.name}`, child);
    this.context.childMain = child;
    return this.syscall(SyscallNumber.fork);
  }

  /** Goes on as another program, in this process. Comes back only with a negative errno. */
  exec(image: Image): Call {
    requireImage('exec', image);
    this.context.args.program = image;
    return this.syscall(SyscallNumber.execve);
  }

  /** A thread of this process that runs `main`. @returns its thread id, or a negative errno */
  clone(main: Main): Call {
    requireMain(`the thread of ${this.context.thread.process.name}`, main);
    this.context.childMain = main;
    return this.syscall(SyscallNumber.clone);
  }

  /** Waits for a child (-1: any). @param options `WaitOption` bits @returns its pid; the status (`sys/wait.h`) is `second` */
  wait(pid = -1, options = 0): Call {
    return this.syscall(SyscallNumber.wait4, pid, 0, options);
  }

  /**
   * sigaction. Sets of signals, here and below, are words of bits: 1 << (number - 1) for signals 1 .. 32, and, where it is
   * given, a second word with 1 << (number - 33) for 33 .. 64. @param mask signals blocked while the handler runs
   */
  sigaction(signal: number, handler: SignalHandler | 'default' | 'ignore', flags = 0, mask = 0, realTimeMask = 0): Call {
    requireHandler(this.context, handler);
    this.context.args.signalAction = { handler, flags, mask: { low: mask, high: realTimeMask } };
    return this.syscall(SyscallNumber.rt_sigaction, signal);
  }

  /** @param how `SignalMask` @returns the mask until now; its second word is `second` */
  sigprocmask(how: number, mask: number, realTime = 0): Call {
    return this.syscall(SyscallNumber.rt_sigprocmask, how, mask, realTime);
  }

  /** @returns signals that are blocked and have come; the second word is `second` */
  sigpending(): Call {
    return this.syscall(SyscallNumber.rt_sigpending);
  }

  /** Waits with this mask until a handler has run. */
  sigsuspend(mask: number, realTime = 0): Call {
    return this.syscall(SyscallNumber.rt_sigsuspend, mask, realTime);
  }

  /** sigtimedwait. @param timeout nanoseconds; negative: for ever @returns the signal; what sigqueue sent along is `second` */
  sigwait(mask: number, realTime = 0, timeout = -1): Call {
    return this.syscall(SyscallNumber.rt_sigtimedwait, mask, realTime, timeout);
  }

  /** Sends a signal with a value. */
  sigqueue(pid: number, signal: number, value: number): Call {
    return this.syscall(SyscallNumber.rt_sigqueueinfo, pid, signal, value);
  }

  /** prlimit: a limit of the process, soft and hard in one. @param resource `Rlimit` @param limit negative: only asks @returns the limit until now */
  prlimit(resource: number, limit = -1, pid = 0): Call {
    return this.syscall(SyscallNumber.prlimit64, pid, resource, limit);
  }

  pause(): Call {
    return this.syscall(SyscallNumber.pause);
  }

  signalfd(mask: number, flags = 0, fd = -1, realTime = 0): Call {
    return this.syscall(SyscallNumber.signalfd4, fd, mask, realTime, flags);
  }

  /** Sends a signal to one thread of a process. */
  tgkill(pid: number, tid: number, signal: number): Call {
    return this.syscall(SyscallNumber.tgkill, pid, tid, signal);
  }

  kill(pid: number, signal: number): Call {
    return this.syscall(SyscallNumber.kill, pid, signal);
  }

  exit(status: number): Call {
    return this.syscall(SyscallNumber.exit_group, status);
  }

  /** socket(AF_UNIX, type, 0). */
  socket(type: number): Call {
    return this.syscall(SyscallNumber.socket, 1, type);
  }

  /** Two connected sockets. @returns the first descriptor; the other is `second` */
  socketpair(type: number): Call {
    return this.syscall(SyscallNumber.socketpair, 1, type);
  }

  bind(fd: number, path: string): Call {
    this.context.text = requireText(this.context, 'bind', path);
    return this.syscall(SyscallNumber.bind, fd);
  }

  listen(fd: number, backlog: number): Call {
    return this.syscall(SyscallNumber.listen, fd, backlog);
  }

  /** accept4(2) if there are flags. */
  accept(fd: number, flags = 0): Call {
    return flags === 0 ? this.syscall(SyscallNumber.accept, fd) : this.syscall(SyscallNumber.accept4, fd, 0, 0, flags);
  }

  connect(fd: number, path: string): Call {
    this.context.text = requireText(this.context, 'connect', path);
    return this.syscall(SyscallNumber.connect, fd);
  }

  send(fd: number, buffer: number, count: number, flags = 0): Call {
    return this.syscall(SyscallNumber.sendto, fd, buffer, count, flags);
  }

  recv(fd: number, buffer: number, count: number, flags = 0): Call {
    return this.syscall(SyscallNumber.recvfrom, fd, buffer, count, flags);
  }

  /** A message with its header: segments, name, descriptors. */
  sendmsg(fd: number, header: MessageHeader, flags = 0): Call {
    this.context.args.header = requireHeader(this.context, 'sendmsg', header);
    return this.syscall(SyscallNumber.sendmsg, fd, 0, flags);
  }

  /** What came beside bytes is left in `header`. */
  recvmsg(fd: number, header: MessageHeader, flags = 0): Call {
    this.context.args.header = requireHeader(this.context, 'recvmsg', header);
    return this.syscall(SyscallNumber.recvmsg, fd, 0, flags);
  }

  /** An option of level SOL_SOCKET: `SocketOption`. */
  setsockopt(fd: number, option: number, value: number): Call {
    return this.syscall(SyscallNumber.setsockopt, fd, 1, option, value);
  }

  /** @returns the value, or a negative errno */
  getsockopt(fd: number, option: number): Call {
    return this.syscall(SyscallNumber.getsockopt, fd, 1, option);
  }

  /** mq_open. @param name begins with a slash and has no other @param attributes of a queue that is made */
  mqOpen(name: string, flags: number, attributes: MessageQueueAttributes | null = null): Call {
    this.context.text = requireText(this.context, 'mqOpen', name);
    this.context.args.attributes = attributes;
    return this.syscall(SyscallNumber.mq_open, 0, flags);
  }

  mqUnlink(name: string): Call {
    this.context.text = requireText(this.context, 'mqUnlink', name);
    return this.syscall(SyscallNumber.mq_unlink);
  }

  /** @param timeout nanoseconds from now; negative: for ever */
  mqSend(fd: number, buffer: number, length: number, priority = 0, timeout = -1): Call {
    return this.syscall(SyscallNumber.mq_timedsend, fd, buffer, length, priority, timeout);
  }

  /** @param timeout nanoseconds from now; negative: for ever @returns the length of the message; its priority is `second` */
  mqReceive(fd: number, buffer: number, length: number, timeout = -1): Call {
    return this.syscall(SyscallNumber.mq_timedreceive, fd, buffer, length, 0, timeout);
  }

  /** Asks for a signal when a message comes to the empty queue. @param signal 0: not any more */
  mqNotify(fd: number, signal: number, value = 0): Call {
    return this.syscall(SyscallNumber.mq_notify, fd, signal, value);
  }

  /** @param flags `Ipc` bits and rights @returns an identifier */
  shmget(key: number, bytes: number, flags: number): Call {
    return this.syscall(SyscallNumber.shmget, key, bytes, flags);
  }

  /** @param flags `Shm` bits @returns the address */
  shmat(id: number, address = 0, flags = 0): Call {
    return this.syscall(SyscallNumber.shmat, id, address, flags);
  }

  shmdt(address: number): Call {
    return this.syscall(SyscallNumber.shmdt, address);
  }

  /** @param command of `Ipc` or `Shm` @param buffer room for a struct shmid_ds, 112 bytes */
  shmctl(id: number, command: number, buffer = 0): Call {
    return this.syscall(SyscallNumber.shmctl, id, command, buffer);
  }

  /** Takes the name of a socket away. */
  unlink(path: string): Call {
    this.context.text = requireText(this.context, 'unlink', path);
    return this.syscall(SyscallNumber.unlink);
  }

  shutdown(fd: number, how: number): Call {
    return this.syscall(SyscallNumber.shutdown, fd, how);
  }

  epollCreate(flags = 0): Call {
    return this.syscall(SyscallNumber.epoll_create1, flags);
  }

  /** epoll_ctl; the event is passed in registers instead of memory. */
  epollCtl(epfd: number, operation: number, fd: number, events = 0, data = fd): Call {
    return this.syscall(SyscallNumber.epoll_ctl, epfd, operation, fd, events, data);
  }

  /** @param timeout milliseconds; negative: for ever */
  epollWait(epfd: number, events: number, maximum: number, timeout: number): Call {
    return this.syscall(SyscallNumber.epoll_wait, epfd, events, maximum, timeout);
  }

  /** epoll_pwait2. @param timeout nanoseconds; negative: for ever @param mask signals blocked meanwhile; negative: as they are */
  epollPwait2(epfd: number, events: number, maximum: number, timeout: number, mask = -1): Call {
    return this.syscall(SyscallNumber.epoll_pwait2, epfd, events, maximum, timeout, mask);
  }

  /** @param fds address of an array of `struct pollfd` @param timeout milliseconds; negative: for ever */
  poll(fds: number, count: number, timeout: number): Call {
    return this.syscall(SyscallNumber.poll, fds, count, timeout);
  }

  /** @param timeout nanoseconds; negative: for ever @param mask signals blocked meanwhile; negative: as they are */
  ppoll(fds: number, count: number, timeout: number, mask = -1): Call {
    return this.syscall(SyscallNumber.ppoll, fds, count, timeout, mask);
  }

  /** Sets are addresses of `fd_set`, 0 for none. @param timeout nanoseconds; negative: for ever */
  select(limit: number, readable: number, writable: number, exceptional: number, timeout: number): Call {
    return this.syscall(SyscallNumber.select, limit, readable, writable, exceptional, timeout);
  }

  /** A timer on the monotonic clock. */
  timerfd(flags = 0): Call {
    return this.syscall(SyscallNumber.timerfd_create, 1, flags);
  }

  /** @param value nanoseconds to the first expiration (0 disarms) @param interval nanoseconds between others (0: none) */
  timerfdSettime(fd: number, value: number, interval = 0, flags = 0): Call {
    return this.syscall(SyscallNumber.timerfd_settime, fd, flags, value, interval);
  }

  /** @returns nanoseconds until it is due, 0 if it is not armed */
  timerfdGettime(fd: number): Call {
    return this.syscall(SyscallNumber.timerfd_gettime, fd);
  }

  /** The time-stamp counter. */
  rdtsc(): number {
    return this.context.cpu.rdtsc();
  }

  rdpkru(): number {
    return this.context.cpu.rdpkru();
  }

  wrpkru(value: number): void {
    this.context.cpu.wrpkru(value);
  }

  rdfsbase(): number {
    return this.context.cpu.rdfsbase();
  }

  wrfsbase(value: number): void {
    this.context.cpu.wrfsbase(value);
  }

  /** Works for `cycles` TSC cycles in user mode. */
  compute(cycles: number): Call {
    if (!(cycles >= 0)) refuseNumber(this.context, 'what compute was given', cycles, 'a number of TSC cycles, 0 or more');
    this.#make(Made.COMPUTE);
    this.#compute.cycles = cycles;
    return this.#compute;
  }

  /** Loads and stores may be at any address: one that reaches into a second page faults there if that is not accessible. */
  load8(address: number): Call {
    return this.#memory(Kind.LOAD, address, 1);
  }

  /** An unsigned 16-bit word. */
  load16(address: number): Call {
    return this.#memory(Kind.LOAD, address, 2);
  }

  /** An unsigned 32-bit word. */
  load32(address: number): Call {
    return this.#memory(Kind.LOAD, address, 4);
  }

  /** A signed 64-bit word; exact below 2^53. */
  load64(address: number): Call {
    return this.#memory(Kind.LOAD, address, 8);
  }

  store8(address: number, value: number): Call {
    return this.#memory(Kind.STORE, address, 1, value);
  }

  store16(address: number, value: number): Call {
    return this.#memory(Kind.STORE, address, 2, value);
  }

  store32(address: number, value: number): Call {
    return this.#memory(Kind.STORE, address, 4, value);
  }

  store64(address: number, value: number): Call {
    return this.#memory(Kind.STORE, address, 8, value);
  }

  /** Fetches an instruction at `address`, as a jump there would. */
  fetch(address: number): Call {
    return this.#memory(Kind.FETCH, address, 1);
  }

  memset(address: number, value: number, length: number): Call {
    return this.#onSpan(Span.FILL, address, length, value);
  }

  /** Stores host bytes (a literal of the program) in memory. */
  storeBytes(address: number, bytes: Uint8Array): Call {
    this.#span.bytes = requireBytes(this.context, 'storeBytes', bytes);
    return this.#onSpan(Span.STORE, address, bytes.length, 0);
  }

  /** Loads memory into `bytes`, for the program to look at. */
  loadBytes(address: number, bytes: Uint8Array): Call {
    this.#span.bytes = requireBytes(this.context, 'loadBytes', bytes);
    return this.#onSpan(Span.LOAD, address, bytes.length, 0);
  }

  /** memcpy; the ranges do not overlap. */
  memcpy(target: number, source: number, length: number): Call {
    return this.#onSpan(Span.COPY, target, length, source);
  }

  /** memcmp. @returns 0 if the ranges are equal, 1 if not */
  memcmp(a: number, b: number, length: number): Call {
    return this.#onSpan(Span.COMPARE, a, length, b);
  }

  /** sprintf(address, "0x%016lx", value): eighteen characters. */
  sprintfStamp(address: number, value: number): Call {
    return this.#onSpan(Span.PRINT, address, 18, value);
  }

  /** sscanf(address, "0x%lx"). @returns the value, or -1 if the text is no such number */
  sscanfStamp(address: number): Call {
    return this.#onSpan(Span.SCAN, address, 18, 0);
  }

  /** A call is made. @throws MachineError NOT_AWAITED if the last one has not been awaited */
  #make(kind: number): void {
    const { context } = this;
    if (context.made !== Made.NONE) throw forgotten(context, 'the next call');
    context.made = kind;
  }

  #onSpan(kind: number, address: number, length: number, argument: number): Call {
    // Their sum is NaN if one of them is.
    const areNumbers = typeof address === 'number' && typeof length === 'number' && typeof argument === 'number';
    if (!areNumbers || Number.isNaN(address + length + argument)) this.#refuseSpan(address, length, argument);
    this.#make(Made.SPAN);
    const call = this.#span;
    call.kind = kind;
    call.address = address;
    call.length = length;
    call.argument = argument;
    return call;
  }

  #refuseSpan(address: number, length: number, argument: number): never {
    const { context } = this;
    if (typeof address !== 'number' || Number.isNaN(address)) return refuseNumber(context, 'an address', address);
    if (typeof length !== 'number' || Number.isNaN(length)) return refuseNumber(context, 'a length', length, 'a number of bytes');
    return refuseNumber(context, 'a value', argument);
  }

  #memory(kind: number, address: number, size: number, value = 0): Call {
    if (typeof address !== 'number' || Number.isNaN(address)) refuseNumber(this.context, 'an address', address);
    if (typeof value !== 'number' || Number.isNaN(value)) refuseNumber(this.context, 'a value to store', value);
    this.#make(Made.ACCESS);
    const call = this.#access;
    call.kind = kind;
    call.size = size;
    call.address = address;
    call.value = value;
    return call;
  }
}
