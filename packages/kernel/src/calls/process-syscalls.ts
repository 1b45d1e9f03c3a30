import type { Cpu } from '@rpal/hw-x86';
import { accessOk } from '@rpal/mm';
import { type Scheduler, TIMER_SLACK } from '@rpal/sched';
import { Errno, Prctl, WaitOption } from '@rpal/uapi';
import { type Operation, Pending } from '@rpal/vfs';
import type { PathTable } from '../dispatch/path-table.js';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import { type CloneParts, cloneThread, forkProcess } from '../lifecycle/clone.js';
import { type ExecParts, execve } from '../lifecycle/exec.js';
import { exitThread } from '../lifecycle/exit.js';
import { WAIT_CHILD, WaitChildOperation, type WaitRequest } from '../lifecycle/wait.js';
import { FOREVER } from '../process/call-arguments.js';
import { Capability, withUserIds } from '../process/credentials.js';
import type { Image } from '../process/image.js';
import type { ProcessTable } from '../process/process-table.js';
import { SyscallNumber as Nr } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import { putUsage, usageOf } from '../process/usage.js';
import type { Signals } from '../signals/signals.js';
import { KernelStep } from '../steps.js';
import { type FutexParts, futex } from './futex.js';
import { SLEEP, SleepOperation } from './sleep.js';

/** The process that takes over orphans. The model has no init; this is the id that it would have. */
const INIT = 1;

/** The number of no user and no group. */
const NO_ID = 0xffff_ffff;

/** Never steps: a dead task is not scheduled again. */
const gone: Operation = { step: () => Pending.SLEEP };

/** What the calls need from a kernel. */
export interface ProcessCallParts extends CloneParts, ExecParts, FutexParts {
  readonly scheduler: Scheduler;
  readonly signals: Signals;
  readonly processes: ProcessTable;
  /** Programs that machine code can exec, by path. */
  readonly images: PathTable<Image>;
}

/** Processes and threads: who they are, how they begin, wait and end. */
export function defineProcessCalls(table: SyscallTable, kernel: ProcessCallParts): void {
  table.define(Nr.getpid, (cpu, thread) => {
    cpu.charge(KernelStep.getpid);
    return thread.process.pid;
  });

  table.define(Nr.gettid, (cpu, thread) => {
    cpu.charge(KernelStep.getpid);
    return thread.pid;
  });

  table.define(Nr.getppid, (cpu, thread) => {
    cpu.charge(KernelStep.getpid);
    const { parent, orphan } = thread.process;
    return orphan ? INIT : (parent?.pid ?? 0);
  });

  table.define(Nr.getuid, (cpu, thread) => {
    cpu.charge(KernelStep.getpid);
    return thread.process.credentials.uid;
  });

  table.define(Nr.setuid, (cpu, { process }, { a0 }) => {
    cpu.charge(KernelStep.getpid);
    const uid = a0 >>> 0;
    if (uid === NO_ID) return -Errno.EINVAL;
    const { credentials } = process;
    const all = process.capable(Capability.SETUID);
    if (!all && uid !== credentials.uid && uid !== credentials.suid) return -Errno.EPERM;
    process.credentials = withUserIds(credentials, all ? { uid, euid: uid, suid: uid, fsuid: uid } : { euid: uid, fsuid: uid });
    process.applyLimits();
    return 0;
  });

  table.define(Nr.arch_prctl, (cpu, thread, { args, a0, a1 }) => {
    const ARCH_SET_FS = 0x1002;
    const ARCH_GET_FS = 0x1003;
    const option = a0 | 0;
    if (option === ARCH_GET_FS) return args.putLong(cpu, thread, a1, cpu.fsBase);
    if (option !== ARCH_SET_FS) return -Errno.EINVAL;
    if (!accessOk(a1, 1)) return -Errno.EPERM;
    cpu.fsBase = a1;
    return 0;
  });

  table.define(Nr.prctl, (_cpu, thread, { a0, a1 }) => {
    const option = a0 | 0;
    if (option === Prctl.GET_TIMERSLACK) return thread.timerSlack;
    if (option !== Prctl.SET_TIMERSLACK) return -Errno.EINVAL;
    // A real-time task has no slack to set.
    if (thread.ownPriority === 0) thread.timerSlack = a1 === 0 ? TIMER_SLACK : a1 < 0 ? Number.MAX_SAFE_INTEGER : a1;
    return 0;
  });

  table.define(Nr.nanosleep, (cpu, thread, { args, a0 }) => {
    cpu.charge(KernelStep.nanosleep);
    const ns = args.timespec(cpu, thread, a0);
    if (!(ns >= 0)) return ns === FOREVER ? args.noTime : ns;
    const operation = thread.operations.get(SLEEP) ?? thread.operations.keep(SLEEP, new SleepOperation(kernel.scheduler, thread));
    return pend(cpu, thread, operation.start(cpu, ns));
  });

  table.define(Nr.futex, (cpu, thread, regs) => futex(kernel, cpu, thread, regs), {
    missing: 'futexes that pass priorities on are ENOSYS',
  });

  table.define(Nr.sched_yield, (cpu) => {
    kernel.scheduler.yieldTask(cpu);
    return 0;
  });

  table.define(Nr.fork, (cpu, thread, { program }) =>
    program === null ? -Errno.ENOSYS : forkProcess(kernel, cpu, thread, program, undefined),
  );
  table.define(
    Nr.clone,
    (cpu, thread, { program, args }) => {
      const request = args.clone(cpu, thread);
      if (typeof request === 'number') return request;
      if (program === null) return -Errno.ENOSYS;
      if (request.process) return forkProcess(kernel, cpu, thread, program, request.shares);
      return cloneThread(kernel, cpu, thread, program, request.tls);
    },
    {
      missing:
        'only threads that share everything and processes that copy everything; no CHILD_SETTID, CHILD_CLEARTID, VFORK, PIDFD or namespaces',
    },
  );
  table.define(
    Nr.execve,
    (cpu, thread, { args, a0 }) => {
      const wanted = args.image(cpu, thread, a0);
      if (typeof wanted === 'number') return wanted;
      const image = typeof wanted === 'string' ? imageAt(kernel, cpu, thread, wanted) : wanted;
      return typeof image === 'number' ? image : execve(kernel, cpu, thread, image);
    },
    { missing: 'arguments and environment are dropped; no interpreters, no set-user-ID' },
  );

  table.define(Nr.wait4, (cpu, thread, { args, a0, a1, a2, a3 }) => {
    const { NOHANG, UNTRACED, EXITED, CONTINUED, NOTHREAD, ALL, CLONE } = WaitOption;
    if ((a2 & ~(NOHANG | UNTRACED | CONTINUED | NOTHREAD | ALL | CLONE)) !== 0) return -Errno.EINVAL;
    const pid = a0 | 0;
    // It cannot be negated.
    if (pid === -0x8000_0000) return -Errno.ESRCH;
    const { process } = thread;
    const operation =
      thread.operations.get(WAIT_CHILD) ??
      thread.operations.keep(WAIT_CHILD, new WaitChildOperation(kernel.processes, kernel.scheduler, thread));
    const request: WaitRequest = {
      options: a2 | EXITED,
      pid: Math.max(0, pid),
      concerns: (child) => pid > 0 || pid === -1 || child.group === (pid === 0 ? process.group : -pid),
      tell(on, child, status) {
        if (child === null) return 0;
        const failed = args.putWord(on, thread, a1, status) || (a3 === 0 ? 0 : putUsage(on, thread, a3, usageOf(child)));
        return failed < 0 ? failed : child.pid;
      },
    };
    return pend(cpu, thread, operation.start(cpu, request));
  });

  table.define(Nr.exit, (cpu, thread, { a0 }) => {
    exitThread(kernel, cpu, thread, a0 & 0xff, 0, 'thread');
    thread.operation = gone;
    return Pending.SLEEP;
  });

  table.define(Nr.exit_group, (cpu, thread, { a0 }) => {
    exitThread(kernel, cpu, thread, a0 & 0xff, 0);
    thread.operation = gone;
    return Pending.SLEEP;
  });
}

function pend(cpu: Cpu, thread: Thread, operation: Operation): number {
  const result = operation.step(cpu);
  if (result <= Pending.AGAIN) thread.operation = operation;
  return result;
}

/** The program at a path: one that was given to the kernel by that name, or what the file system has there. */
function imageAt(kernel: ProcessCallParts, cpu: Cpu, thread: Thread, path: string): Image | number {
  const { fileSystem } = kernel.seams.slots;
  return kernel.images.get(path) ?? (fileSystem.filled ? fileSystem.value.image(cpu, thread, path) : -Errno.ENOENT);
}
