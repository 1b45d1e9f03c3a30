import type { Cpu } from '@rpal/hw-x86';
import { TIMER_SLACK } from '@rpal/sched';
import { Errno, OpenFlag, Prctl, WaitOption } from '@rpal/uapi';
import { type Operation, Pending } from '@rpal/vfs';
import { defineFileCalls } from '../calls/file-syscalls.js';
import { futex } from '../calls/futex.js';
import { defineMemoryCalls } from '../calls/memory-syscalls.js';
import { defineMessageQueueCalls } from '../calls/mqueue-syscalls.js';
import { definePollCalls } from '../calls/poll-syscalls.js';
import { defineLimitCalls } from '../calls/rlimit-syscalls.js';
import { defineSchedCalls } from '../calls/sched-syscalls.js';
import { defineSignalCalls } from '../calls/signal-syscalls.js';
import { SleepOperation } from '../calls/sleep.js';
import { defineSocketCalls } from '../calls/socket-syscalls.js';
import { defineSharedMemoryCalls } from '../calls/sysv-shm.js';
import { defineTransferCalls, openPath } from '../calls/transfer-syscalls.js';
import { cloneThread, forkProcess, WaitChildOperation } from '../process/clone.js';
import { execve } from '../process/exec.js';
import { exitThread } from '../process/exit.js';
import type { Image } from '../process/image.js';
import type { Thread } from '../process/thread.js';
import type { ProgramContext } from '../program/program-context.js';
import { KernelStep } from '../steps.js';
import type { Kernel } from './kernel.js';
import { SyscallNumber as Nr } from './syscall-numbers.js';
import type { SyscallTable } from './syscall-table.js';
import type { UserContext } from './user-context.js';

const table: SyscallTable = [];
defineFileCalls(table);
defineMemoryCalls(table);
defineSchedCalls(table);
defineLimitCalls(table);
defineSocketCalls(table);
defineSignalCalls(table);
definePollCalls(table);
defineTransferCalls(table);
defineMessageQueueCalls(table);
defineSharedMemoryCalls(table);

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
  const file = opener === undefined ? openPath(kernel, thread, text, a1) : opener(cpu, thread, a1);
  return typeof file === 'number' ? file : thread.process.files.install(cpu, file, (a1 & OpenFlag.CLOEXEC) !== 0);
};

table[Nr.close] = (_kernel, cpu, thread, { a0 }) => thread.process.files.close(cpu, a0);

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

table[Nr.getuid] = (_kernel, cpu, thread) => {
  cpu.charge(KernelStep.getpid);
  return thread.process.credentials.uid;
};

table[Nr.setuid] = (_kernel, cpu, { process }, { a0 }) => {
  cpu.charge(KernelStep.getpid);
  if (a0 < 0) return -Errno.EINVAL;
  if (process.credentials.uid !== 0 && process.credentials.uid !== a0) return -Errno.EPERM;
  process.credentials = { ...process.credentials, uid: a0 };
  return 0;
};

table[Nr.arch_prctl] = (_kernel, cpu, _thread, { a0, a1 }) => {
  const ARCH_SET_FS = 0x1002;
  const ARCH_GET_FS = 0x1003;
  if (a0 === ARCH_GET_FS) return cpu.fsBase;
  if (a0 !== ARCH_SET_FS) return -Errno.EINVAL;
  cpu.fsBase = a1;
  return 0;
};

table[Nr.prctl] = (_kernel, _cpu, thread, { a0, a1 }) => {
  if (a0 === Prctl.GET_TIMERSLACK) return thread.timerSlack;
  if (a0 !== Prctl.SET_TIMERSLACK) return -Errno.EINVAL;
  thread.timerSlack = a1 > 0 ? a1 : TIMER_SLACK;
  return 0;
};

function pend(cpu: Cpu, thread: Thread, operation: Operation): number {
  const result = operation.step(cpu);
  if (result <= Pending.AGAIN) thread.operation = operation;
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

table[Nr.fork] = (kernel, cpu, thread, regs) => forkProcess(kernel, cpu, thread, (regs as ProgramContext).childMain);
table[Nr.execve] = (kernel, cpu, thread, regs) => execve(kernel, cpu, thread, (regs as ProgramContext).image as Image);
table[Nr.clone] = (kernel, cpu, thread, regs) => cloneThread(kernel, cpu, thread, (regs as ProgramContext).childMain);

table[Nr.wait4] = (kernel, cpu, thread, { a0, a1 }) => {
  const { NOHANG, UNTRACED, CONTINUED } = WaitOption;
  if ((a1 & ~(NOHANG | UNTRACED | CONTINUED)) !== 0) return -Errno.EINVAL;
  thread.waitOperation ??= new WaitChildOperation(kernel, thread);
  return pend(cpu, thread, thread.waitOperation.start(a0, a1));
};

/** Never steps: a dead task is not scheduled again. */
const gone: Operation = { step: () => Pending.SLEEP };

table[Nr.exit] = (kernel, cpu, thread, { a0 }) => {
  exitThread(kernel, cpu, thread, a0 & 0xff, 0, false);
  thread.operation = gone;
  return Pending.SLEEP;
};

table[Nr.exit_group] = (kernel, cpu, thread, { a0 }) => {
  exitThread(kernel, cpu, thread, a0 & 0xff, 0);
  thread.operation = gone;
  return Pending.SLEEP;
};
