import { CpuSet } from '@rpal/sched';
import { describe, expect, it } from 'vitest';
import { executable, type Program, SyscallNumber } from '../src/index.js';
import { callText } from '../src/process/call-text.js';
import { Made } from '../src/program/forgotten-call.js';
import { runOn, smallMachine } from './support.js';

/** Numbers that are told apart as decimals, in hexadecimal and as signals. */
const [A, B, C, D, E, F] = [3, 5, 7, 11, 13, 17] as const;
const nobody = function* () {};

/** How each call is made, with an argument of its own for each register. Strings and objects lie beside the registers. */
const CALLS: Readonly<Record<string, (p: Program) => unknown>> = {
  read: (p) => p.read(A, B, C),
  write: (p) => p.write(A, B, C),
  open: (p) => p.open('/name', B, C),
  openat: (p) => p.syscall(SyscallNumber.openat, A, 0, B, C),
  close: (p) => p.close(A),
  poll: (p) => p.poll(A, B, C),
  lseek: (p) => p.lseek(A, B, C),
  mmap: (p) => p.mmap(A, B, C, D, E, F),
  mprotect: (p) => p.mprotect(A, B, C),
  munmap: (p) => p.munmap(A, B),
  brk: (p) => p.brk(A),
  rt_sigaction: (p) => p.sigaction(A, 'ignore'),
  rt_sigprocmask: (p) => p.sigprocmask(A, B, C),
  rt_sigreturn: (p) => p.syscall(SyscallNumber.rt_sigreturn),
  ioctl: (p) => p.ioctl(A, B, C),
  pread64: (p) => p.pread(A, B, C, D),
  pwrite64: (p) => p.pwrite(A, B, C, D),
  readv: (p) => p.readv(A, []),
  writev: (p) => p.writev(A, []),
  select: (p) => p.select(A, B, C, D, E),
  sched_yield: (p) => p.schedYield(),
  madvise: (p) => p.madvise(A, B, C),
  dup: (p) => p.dup(A),
  dup2: (p) => p.dup2(A, B),
  pause: (p) => p.pause(),
  nanosleep: (p) => p.sleep(A),
  getpid: (p) => p.getpid(),
  socket: (p) => p.syscall(SyscallNumber.socket, A, B),
  connect: (p) => p.connect(A, '/name'),
  accept: (p) => p.accept(A),
  sendto: (p) => p.send(A, B, C, D),
  recvfrom: (p) => p.recv(A, B, C, D),
  sendmsg: (p) => p.sendmsg(A, { segments: [] }, C),
  recvmsg: (p) => p.recvmsg(A, { segments: [] }, C),
  shutdown: (p) => p.shutdown(A, B),
  bind: (p) => p.bind(A, '/name'),
  listen: (p) => p.listen(A, B),
  socketpair: (p) => p.syscall(SyscallNumber.socketpair, A, B),
  setsockopt: (p) => p.syscall(SyscallNumber.setsockopt, A, B, C, D),
  getsockopt: (p) => p.syscall(SyscallNumber.getsockopt, A, B, C),
  clone: (p) => p.clone(nobody),
  fork: (p) => p.fork(nobody),
  execve: (p) => p.exec(executable('next', nobody)),
  exit: (p) => p.syscall(SyscallNumber.exit, A),
  wait4: (p) => p.wait(A, C),
  kill: (p) => p.kill(A, B),
  fcntl: (p) => p.fcntl(A, B, C),
  getrusage: (p) => p.getrusage(A, B),
  ftruncate: (p) => p.ftruncate(A, B),
  unlink: (p) => p.unlink('/name'),
  getuid: (p) => p.getuid(),
  setuid: (p) => p.setuid(A),
  getppid: (p) => p.getppid(),
  setpriority: (p) => p.syscall(SyscallNumber.setpriority, A, B, C),
  sched_setscheduler: (p) => p.setScheduler(A, B, C),
  sched_getscheduler: (p) => p.syscall(SyscallNumber.sched_getscheduler, A),
  rt_sigpending: (p) => p.sigpending(),
  rt_sigtimedwait: (p) => p.sigwait(A, B, C),
  rt_sigqueueinfo: (p) => p.sigqueue(A, B, C),
  rt_sigsuspend: (p) => p.sigsuspend(A, B),
  mlock: (p) => p.mlock(A, B),
  munlock: (p) => p.munlock(A, B),
  prctl: (p) => p.syscall(SyscallNumber.prctl, A, B),
  arch_prctl: (p) => p.syscall(SyscallNumber.arch_prctl, A, B),
  gettid: (p) => p.gettid(),
  futex: (p) => p.syscall(SyscallNumber.futex, A, 0, B, C, D, E),
  sched_setaffinity: (p) => p.setAffinity(new CpuSet(4, [0]), A),
  sched_getaffinity: (p) => p.syscall(SyscallNumber.sched_getaffinity, A),
  exit_group: (p) => p.exit(A),
  epoll_wait: (p) => p.epollWait(A, B, C, D),
  epoll_ctl: (p) => p.epollCtl(A, B, C, D, E),
  tgkill: (p) => p.tgkill(A, B, C),
  ppoll: (p) => p.ppoll(A, B, C, D),
  timerfd_create: (p) => p.syscall(SyscallNumber.timerfd_create, A, B),
  timerfd_settime: (p) => p.timerfdSettime(A, B, C, D),
  timerfd_gettime: (p) => p.timerfdGettime(A),
  accept4: (p) => p.accept(A, B),
  signalfd4: (p) => p.signalfd(A, B, C, D),
  eventfd2: (p) => p.eventfd(A, B),
  epoll_create1: (p) => p.epollCreate(A),
  dup3: (p) => p.dup3(A, B, C),
  pipe2: (p) => p.pipe(A),
  prlimit64: (p) => p.prlimit(A, B, C, D),
  memfd_create: (p) => p.memfd('/name', A),
  pkey_mprotect: (p) => p.pkeyMprotect(A, B, C, D),
  pkey_alloc: (p) => p.pkeyAlloc(A, B),
  pkey_free: (p) => p.pkeyFree(A),
  epoll_pwait2: (p) => p.epollPwait2(A, B, C, D, E),
};

const SIGNALS = new Map([
  ['SIGQUIT', A],
  ['SIGTRAP', B],
  ['SIGBUS', C],
  ['SIGSEGV', D],
]);

/** The numbers that a text shows behind the names of arguments. */
function numbersIn(text: string): number[] {
  const [, inside = ''] = /^\w+\((.*)\)$/.exec(text) ?? [];
  const values = inside.split(', ').flatMap((part) => part.split(' ').slice(1));
  return values.flatMap((value) => SIGNALS.get(value) ?? (/^(0x)?[0-9a-f]+$/.test(value) ? [Number(value)] : [])).filter((n) => n !== 0);
}

describe('the text of a call', () => {
  it('is there for every call that the table has', () => {
    const known = [...smallMachine().kernel.syscalls].filter(({ plugin }) => plugin === null).map(({ name }) => name);
    expect(known.filter((name) => CALLS[name] === undefined)).toEqual([]);
    expect(Object.keys(CALLS).filter((name) => !known.includes(name))).toEqual([]);
  });

  it('shows what is in every register that a program fills, in the order of the registers, and no other', () => {
    const machine = smallMachine();
    runOn(machine, function* (p) {
      const { context } = p;
      const wrong: string[] = [];
      for (const [name, make] of Object.entries(CALLS)) {
        context.text = '';
        make(p);
        context.made = Made.NONE;
        const text = callText(context, machine.kernel.syscalls);
        const filled = [context.a0, context.a1, context.a2, context.a3, context.a4, context.a5].filter((value) => value !== 0);
        const shown = text.startsWith(`${name}(`) && text.includes('"/name"') === (context.text !== '');
        if (!shown || numbersIn(text).join() !== filled.join()) wrong.push(`${text}, where registers hold ${filled.join(', ')}`);
      }
      expect(wrong).toEqual([]);
    });
  });
});
