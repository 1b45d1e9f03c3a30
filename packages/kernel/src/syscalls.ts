import { EventPoll, FileStep, type Operation, Step, UnixStreamSocket } from '@rpal/epoll';
import type { Cpu } from '@rpal/hw-x86';
import { CpuSet } from '@rpal/sched';
import { Errno, OpenFlag, SocketType } from '@rpal/uapi';
import { cloneThread, forkProcess, WaitChildOperation } from './clone.js';
import { exitThread } from './exit.js';
import { defineFileCalls, installPair } from './file-syscalls.js';
import { futex } from './futex.js';
import type { Kernel } from './kernel.js';
import { defineMemoryCalls } from './memory-syscalls.js';
import type { ProgramContext } from './program-context.js';
import { defineSchedCalls } from './sched-syscalls.js';
import { SleepOperation } from './sleep.js';
import { KernelStep } from './steps.js';
import { SyscallNumber as Nr } from './syscall-numbers.js';
import type { SyscallTable } from './syscall-table.js';
import type { Thread } from './thread.js';
import type { UserContext } from './user-context.js';

const table: SyscallTable = [];
defineFileCalls(table);
defineMemoryCalls(table);
defineSchedCalls(table);

/** Executes the call whose number is in the registers. */
export function dispatch(kernel: Kernel, cpu: Cpu, thread: Thread, regs: UserContext): number {
  const handler = table[regs.nr];
  if (handler !== undefined) return handler(kernel, cpu, thread, regs);
  return kernel.seams.hooks.kernelUnknownCall.call(cpu, thread, regs) ?? -Errno.ENOSYS;
}

table[Nr.read] = (_kernel, cpu, thread, { a0, a1, a2 }) => {
  const file = thread.process.files.lookUp(cpu, a0);
  return file === null ? -Errno.EBADF : file.read(cpu, thread, a1, a2);
};

table[Nr.write] = (_kernel, cpu, thread, { a0, a1, a2 }) => {
  const file = thread.process.files.lookUp(cpu, a0);
  return file === null ? -Errno.EBADF : file.write(cpu, thread, a1, a2);
};

table[Nr.open] = (kernel, cpu, thread, { text, a1 }) => {
  cpu.charge(KernelStep.openFile);
  const opener = kernel.specialFiles.get(text);
  if (opener === undefined) return -Errno.ENOENT;
  const file = opener(cpu, thread, a1);
  return typeof file === 'number' ? file : thread.process.files.install(cpu, file, (a1 & OpenFlag.CLOEXEC) !== 0);
};

table[Nr.close] = (_kernel, cpu, thread, { a0 }) => thread.process.files.close(cpu, a0);

table[Nr.ioctl] = (_kernel, cpu, thread, { a0, a1, a2 }) => {
  cpu.charge(KernelStep.ioctl);
  const file = thread.process.files.lookUp(cpu, a0);
  return file === null ? -Errno.EBADF : file.ioctl(cpu, thread, a1 >>> 0, a2);
};

table[Nr.getpid] = (_kernel, cpu, thread) => {
  cpu.charge(KernelStep.getpid);
  return thread.process.pid;
};

table[Nr.gettid] = (_kernel, cpu, thread) => {
  cpu.charge(KernelStep.getpid);
  return thread.pid;
};

table[Nr.getppid] = (_kernel, cpu, thread) => {
  cpu.charge(KernelStep.getpid);
  return thread.process.parent?.pid ?? 0;
};

table[Nr.arch_prctl] = (_kernel, cpu, _thread, { a0, a1 }) => {
  const ARCH_SET_FS = 0x1002;
  const ARCH_GET_FS = 0x1003;
  if (a0 === ARCH_GET_FS) return cpu.fsBase;
  if (a0 !== ARCH_SET_FS) return -Errno.EINVAL;
  cpu.fsBase = a1;
  return 0;
};

function pend(cpu: Cpu, thread: Thread, operation: Operation): number {
  const result = operation.step(cpu);
  if (result <= Step.AGAIN) thread.operation = operation;
  return result;
}

table[Nr.nanosleep] = (kernel, cpu, thread, { a0 }) => {
  cpu.charge(KernelStep.nanosleep);
  if (!(a0 >= 0)) return -Errno.EINVAL;
  thread.sleepOperation ??= new SleepOperation(kernel, thread);
  return pend(cpu, thread, thread.sleepOperation.start(cpu, a0));
};

table[Nr.futex] = futex;

table[Nr.sched_yield] = (kernel, cpu) => {
  kernel.scheduler.yieldTask(cpu);
  return 0;
};

table[Nr.sched_setaffinity] = (kernel, cpu, thread, regs) => {
  const { cpus } = kernel.platform;
  const wanted = (regs as ProgramContext).affinity;
  const set =
    wanted instanceof CpuSet
      ? wanted
      : new CpuSet(
          cpus.length,
          wanted.filter((id) => id >= 0 && id < cpus.length),
        );
  return kernel.scheduler.setAffinity(cpu, thread, set);
};

table[Nr.fork] = (kernel, cpu, thread, regs) => forkProcess(kernel, cpu, thread, (regs as ProgramContext).childMain);
table[Nr.clone] = (kernel, cpu, thread, regs) => cloneThread(kernel, cpu, thread, (regs as ProgramContext).childMain);

table[Nr.wait4] = (kernel, cpu, thread, { a0 }) => {
  thread.waitOperation ??= new WaitChildOperation(kernel, thread);
  return pend(cpu, thread, thread.waitOperation.start(a0));
};

table[Nr.kill] = (kernel, cpu, _thread, { a0, a1 }) => {
  const process = kernel.processes.get(a0);
  if (process === undefined) return -Errno.ESRCH;
  if (a1 < 0 || a1 > 31) return -Errno.EINVAL;
  return a1 === 0 ? 0 : kernel.kill(cpu, process, a1);
};

/** Never steps: a dead task is not scheduled again. */
const gone: Operation = { step: () => Step.SLEEP };

table[Nr.exit] = (kernel, cpu, thread, { a0 }) => {
  exitThread(kernel, cpu, thread, a0 & 0xff, 0, false);
  thread.operation = gone;
  return Step.SLEEP;
};

table[Nr.exit_group] = (kernel, cpu, thread, { a0 }) => {
  exitThread(kernel, cpu, thread, a0 & 0xff, 0);
  thread.operation = gone;
  return Step.SLEEP;
};

table[Nr.socket] = (kernel, cpu, thread, { a0, a1 }) => {
  if (a0 !== 1) return -Errno.EAFNOSUPPORT;
  if ((a1 & 0xf) !== SocketType.STREAM) return -Errno.ESOCKTNOSUPPORT;
  cpu.charge(FileStep.socketCreate);
  return thread.process.files.install(cpu, new UnixStreamSocket(kernel.sockets, a1), (a1 & SocketType.CLOEXEC) !== 0);
};

table[Nr.socketpair] = (kernel, cpu, thread, regs) => {
  if (regs.a0 !== 1) return -Errno.EAFNOSUPPORT;
  if ((regs.a1 & 0xf) !== SocketType.STREAM) return -Errno.ESOCKTNOSUPPORT;
  cpu.charge(FileStep.socketCreate);
  cpu.charge(FileStep.socketCreate);
  const [a, b] = UnixStreamSocket.pair(kernel.sockets, regs.a1);
  return installPair(cpu, thread, regs, a, b, regs.a1);
};

/** A call on the stream socket behind a descriptor. */
function onSocket(cpu: Cpu, thread: Thread, fd: number, call: (socket: UnixStreamSocket) => number): number {
  const file = thread.process.files.lookUp(cpu, fd);
  if (file === null) return -Errno.EBADF;
  return file instanceof UnixStreamSocket ? call(file) : -Errno.ENOTSOCK;
}

table[Nr.bind] = (_kernel, cpu, thread, { a0, text }) => onSocket(cpu, thread, a0, (socket) => socket.bind(cpu, text));
table[Nr.listen] = (_kernel, cpu, thread, { a0, a1 }) => onSocket(cpu, thread, a0, (socket) => socket.listen(cpu, a1));
table[Nr.connect] = (_kernel, cpu, thread, { a0, text }) => onSocket(cpu, thread, a0, (socket) => socket.connect(cpu, thread, text));
table[Nr.accept] = (_kernel, cpu, thread, { a0 }) =>
  onSocket(cpu, thread, a0, (socket) => socket.accept(cpu, thread, (on, connection) => thread.process.files.install(on, connection)));
table[Nr.sendto] = (_kernel, cpu, thread, { a0, a1, a2, a3 }) =>
  onSocket(cpu, thread, a0, (socket) => socket.send(cpu, thread, a1, a2, a3));
table[Nr.recvfrom] = (_kernel, cpu, thread, { a0, a1, a2, a3 }) =>
  onSocket(cpu, thread, a0, (socket) => socket.receive(cpu, thread, a1, a2, a3));
table[Nr.shutdown] = (_kernel, cpu, thread, { a0, a1 }) => onSocket(cpu, thread, a0, (socket) => socket.shutdown(cpu, a1));

table[Nr.epoll_create1] = (kernel, cpu, thread, { a0 }) => {
  if ((a0 & ~OpenFlag.CLOEXEC) !== 0) return -Errno.EINVAL;
  cpu.charge(FileStep.epollCreate);
  const epoll = new EventPoll(kernel.scheduler, kernel.epollSeams);
  return thread.process.files.install(cpu, epoll, (a0 & OpenFlag.CLOEXEC) !== 0);
};

table[Nr.epoll_ctl] = (_kernel, cpu, thread, { a0, a1, a2, a3, a4 }) => {
  const { files } = thread.process;
  const epoll = files.lookUp(cpu, a0);
  const file = files.lookUp(cpu, a2);
  if (epoll === null || file === null) return -Errno.EBADF;
  if (!(epoll instanceof EventPoll)) return -Errno.EINVAL;
  return epoll.control(cpu, a1, file, a2, a3 | 0, a4 | 0, Math.floor(a4 / 0x1_0000_0000) | 0);
};

table[Nr.epoll_wait] = (_kernel, cpu, thread, { a0, a1, a2, a3 }) => {
  const epoll = thread.process.files.lookUp(cpu, a0);
  if (epoll === null) return -Errno.EBADF;
  if (!(epoll instanceof EventPoll)) return -Errno.EINVAL;
  return epoll.waitForEvents(cpu, thread, a1, a2, a3);
};
