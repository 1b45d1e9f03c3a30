import { type Cpu, PAGE_MASK, PAGE_SIZE, Touch } from '@rpal/hw-x86';
import {
  type CloneRequest,
  GuestArguments,
  type Process,
  type Syscall,
  type Thread,
  type ThreadContext,
  UserBuffer,
  UserContext,
} from '@rpal/kernel';
import { accessOk, type MmStruct, remotePage, TASK_SIZE } from '@rpal/mm';
import { Errno, LinuxCall, OpenFlag, Signal } from '@rpal/uapi';
import type { Calls } from '../calls.js';
import { putInt } from '../user-memory.js';
import { PidFd } from './pidfd.js';
import type { ThreadLife } from './thread-life.js';
import { VforkWaits } from './vfork.js';

/** What a child shares, and what is done besides (include/uapi/linux/sched.h). */
const Flag = {
  VM: 0x100,
  FS: 0x200,
  FILES: 0x400,
  SIGHAND: 0x800,
  PIDFD: 0x1000,
  PTRACE: 0x2000,
  VFORK: 0x4000,
  PARENT: 0x8000,
  THREAD: 0x1_0000,
  NEWNS: 0x2_0000,
  SYSVSEM: 0x4_0000,
  SETTLS: 0x8_0000,
  PARENT_SETTID: 0x10_0000,
  CHILD_CLEARTID: 0x20_0000,
  DETACHED: 0x40_0000,
  UNTRACED: 0x80_0000,
  CHILD_SETTID: 0x100_0000,
  NEWUSER: 0x1000_0000,
  NEWPID: 0x2000_0000,
  IO: 0x8000_0000,
} as const;
/** In the upper half of clone3's flags: handlers go, and the child begins in another control group. */
const CLEAR_SIGHAND = 1;
const INTO_CGROUP = 2;

const SIGNAL_MASK = 0xff;
const LAST_SIGNAL: number = Signal.RTMAX;
/** What threads share. */
const THREAD = Flag.VM | Flag.FS | Flag.FILES | Flag.SIGHAND | Flag.THREAD;
/** Flags that any child may have. */
const ANY =
  Flag.PIDFD |
  Flag.PTRACE |
  Flag.VFORK |
  Flag.SYSVSEM |
  Flag.SETTLS |
  Flag.PARENT_SETTID |
  Flag.CHILD_CLEARTID |
  Flag.DETACHED |
  Flag.UNTRACED |
  Flag.CHILD_SETTID |
  (Flag.IO | 0);
const MISSING =
  'processes share memory and descriptors at most, threads everything; CLONE_PARENT and namespaces are EINVAL; nobody traces, so PTRACE and UNTRACED mean nothing';

/** Bytes of `struct clone_args`: of its first form, of what the kernel knows, and at most. */
const ARGS_FIRST = 64;
const ARGS = 88;
const ARGS_MAX = 4096;
/** Ids of processes are below (kernel.pid_max on 64 bits). */
const PID_MAX: number = 1 << 22;
/** Namespaces of processes lie in each other so deep (MAX_PID_NS_LEVEL). */
const LEVELS = 32;
const INT_MAX = 0x7fff_ffff;

/** What a child is to be, whichever call says so. */
interface Wanted {
  /** `Flag` bits. */
  readonly flags: number;
  readonly clearsHandlers: boolean;
  readonly exitSignal: number;
  /** Where the pidfd, and the id, go to: in the parent and in the child. */
  readonly pidfd: number;
  readonly parentTid: number;
  readonly childTid: number;
  readonly tls: number;
}

/** Registers of a clone whose flags have been looked at: the kernel makes what they ask for. */
class CloneRegisters extends UserContext {
  override readonly args: GuestArguments;
  readonly #program: ThreadContext | null;

  constructor(from: UserContext, cpu: Cpu, request: CloneRequest) {
    super(from.contexts, cpu, null);
    this.#program = from.program;
    this.args = new (class extends GuestArguments {
      override clone(): CloneRequest {
        return request;
      }
    })(this);
  }

  override get program(): ThreadContext | null {
    return this.#program;
  }

  override resume(): void {}
}

/** clone, clone3 and vfork. */
export function defineClone(calls: Calls, life: ThreadLife): void {
  const { kernel } = calls;
  const buffer = new UserBuffer(ARGS_MAX);
  const ids = new UserBuffer(4 * LEVELS);
  const waits = new VforkWaits(calls);
  const { handler: make } = kernel.syscalls.get(LinuxCall.clone) as Syscall;

  /** kernel_clone. */
  const clone = (cpu: Cpu, thread: Thread, registers: UserContext, wanted: Wanted): number => {
    const { flags } = wanted;
    const has = (flag: number): boolean => (flags & flag) !== 0;
    const refused = refuse(flags);
    if (refused < 0) return refused;
    const { files } = thread.process;
    if (has(Flag.PIDFD)) {
      const fd = files.lowestFree(0);
      if (fd < 0) return fd;
      if (putInt(cpu, thread, wanted.pidfd, fd) < 0) return -Errno.EFAULT;
    }
    const request: CloneRequest = {
      process: !has(Flag.THREAD),
      tls: has(Flag.SETTLS) ? wanted.tls : 0,
      shares: { memory: has(Flag.VM), files: has(Flag.FILES) },
    };
    const pid = make(cpu, thread, new CloneRegisters(registers, cpu, request));
    const child = pid < 0 ? undefined : kernel.processes.thread(pid);
    if (child === undefined) return pid;
    const { process } = child;
    if (request.process) {
      process.exitSignal = wanted.exitSignal;
      if (has(Flag.SETTLS)) child.fsBase = wanted.tls;
      if (wanted.clearsHandlers) clearHandlers(process);
    }
    if (has(Flag.PIDFD)) files.install(cpu, new PidFd(child, request.process ? 'process' : 'thread', 0), OpenFlag.CLOEXEC);
    // Where an id cannot be stored, nobody is told.
    if (has(Flag.PARENT_SETTID)) putInt(cpu, thread, wanted.parentTid, pid);
    if (has(Flag.CHILD_SETTID)) putChildTid(cpu, child.memory, wanted.childTid, pid);
    if (has(Flag.CHILD_CLEARTID)) life.setClearTid(child, wanted.childTid);
    return has(Flag.VFORK) ? waits.wait(cpu, thread, child) : pid;
  };

  calls.extend(
    'clone',
    (inner) => (cpu, thread, registers) => {
      const { args, a0, a2, a3, a4 } = registers;
      // Programs of the host have no flags: theirs are threads.
      if (!(args instanceof GuestArguments)) return inner(cpu, thread, registers);
      const flags = (a0 & ~SIGNAL_MASK) | 0;
      if ((flags & Flag.PIDFD) !== 0 && (flags & Flag.PARENT_SETTID) !== 0) return -Errno.EINVAL;
      const exitSignal = (flags & Flag.THREAD) !== 0 ? 0 : a0 & SIGNAL_MASK;
      return clone(cpu, thread, registers, { flags, clearsHandlers: false, exitSignal, pidfd: a2, parentTid: a2, childTid: a3, tls: a4 });
    },
    { missing: MISSING },
  );

  calls.define(
    'clone3',
    (cpu, thread, registers) => {
      const { a0: address, a1: bytes } = registers;
      if (bytes < 0 || bytes > ARGS_MAX) return -Errno.E2BIG;
      if (bytes < ARGS_FIRST) return -Errno.EINVAL;
      if (address < 0 || address + bytes > TASK_SIZE) return -Errno.EFAULT;
      const failed = buffer.loadExtensible(cpu, thread, address, bytes, ARGS);
      if (failed < 0) return failed;
      const [setTid, setTids] = [buffer.u64(64), buffer.u64(72)];
      const refused = refuseArguments(buffer, bytes);
      if (refused === -Errno.EPERM) {
        if (ids.load(cpu, thread, setTid, 4 * setTids) < 0) return -Errno.EFAULT;
        if (ids.i32(0) < 1 || ids.i32(0) >= PID_MAX) return -Errno.EINVAL;
      }
      if (refused < 0) return refused;
      const [stack, stackBytes] = [buffer.u64(40), buffer.u64(48)];
      const wanted: Wanted = {
        flags: buffer.i32(0),
        clearsHandlers: (buffer.u32(4) & CLEAR_SIGHAND) !== 0,
        exitSignal: buffer.u32(32),
        pidfd: buffer.u64(8),
        parentTid: buffer.u64(24),
        childTid: buffer.u64(16),
        tls: buffer.u64(56),
      };
      // The flow that goes on in the child finds its stack where clone has it.
      const { a1 } = registers;
      registers.a1 = stack === 0 ? 0 : stack + stackBytes;
      const result = clone(cpu, thread, registers, wanted);
      registers.a1 = a1;
      return result;
    },
    { missing: `as clone; set_tid is EPERM, as without CAP_SYS_ADMIN, and so is INTO_CGROUP EBADF` },
  );

  calls.define('vfork', (cpu, thread, registers) => {
    const wanted = { clearsHandlers: false, exitSignal: Signal.CHLD, pidfd: 0, parentTid: 0, childTid: 0, tls: 0 };
    return clone(cpu, thread, registers, { ...wanted, flags: Flag.VM | Flag.VFORK });
  });
}

/** Bytes of an id. */
const TID_BYTES = 4;

/** The child's id in its own memory, which is not that of the page tables in use (Linux: `schedule_tail`, in the child). */
function putChildTid(cpu: Cpu, mm: MmStruct, address: number, pid: number): void {
  const first = remotePage(cpu, mm, address, Touch.STORE);
  const inFirst = PAGE_SIZE - (address & PAGE_MASK);
  const second = inFirst < TID_BYTES ? remotePage(cpu, mm, address + inFirst, Touch.STORE) : 0;
  if (first < 0 || second < 0) return;
  for (let i = 0; i < TID_BYTES; i++) cpu.memory.write8(i < inFirst ? first + i : second + i - inFirst, (pid >>> (8 * i)) & 0xff);
}

/** flush_signal_handlers: what is ignored stays so. */
function clearHandlers({ actions }: Process): void {
  actions.forEach(({ handler }, signal) => {
    if (handler !== 'ignore') actions[signal] = { handler: 'default', flags: 0, mask: { low: 0, high: 0 } };
  });
}

/** What copy_process refuses, and what the model does not have. @returns 0 or a negative errno */
function refuse(flags: number): number {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if (has(Flag.THREAD) && !has(Flag.SIGHAND)) return -Errno.EINVAL;
  if (has(Flag.SIGHAND) && !has(Flag.VM)) return -Errno.EINVAL;
  if (has(Flag.PIDFD) && has(Flag.DETACHED)) return -Errno.EINVAL;
  const shared = flags & THREAD;
  const known = has(Flag.THREAD) ? shared === THREAD : (shared & ~(Flag.VM | Flag.FILES)) === 0;
  return known && (flags & ~(THREAD | ANY)) === 0 ? 0 : -Errno.EINVAL;
}

/** What copy_clone_args_from_user and clone3_args_valid refuse. @returns 0 or a negative errno */
function refuseArguments(buffer: UserBuffer, bytes: number): number {
  const [low, high] = [buffer.i32(0), buffer.u32(4)];
  const [exitSignal, setTid, setTids, cgroup] = [buffer.u64(32), buffer.u64(64), buffer.u64(72), buffer.u64(80)];
  if (setTids > LEVELS || (setTid === 0) !== (setTids === 0)) return -Errno.EINVAL;
  if (exitSignal > LAST_SIGNAL) return -Errno.EINVAL;
  const intoGroup = (high & INTO_CGROUP) !== 0;
  if (intoGroup && (cgroup > INT_MAX || bytes < ARGS)) return -Errno.EINVAL;
  if ((high & ~(CLEAR_SIGHAND | INTO_CGROUP)) !== 0 || (low & (Flag.DETACHED | SIGNAL_MASK)) !== 0) return -Errno.EINVAL;
  if ((low & Flag.SIGHAND) !== 0 && (high & CLEAR_SIGHAND) !== 0) return -Errno.EINVAL;
  if ((low & (Flag.THREAD | Flag.PARENT)) !== 0 && exitSignal !== 0) return -Errno.EINVAL;
  const [stack, stackBytes] = [buffer.u64(40), buffer.u64(48)];
  if (stack === 0 ? stackBytes > 0 : stackBytes === 0 || !accessOk(stack, stackBytes)) return -Errno.EINVAL;
  if (setTids > 0) return -Errno.EPERM;
  return intoGroup ? -Errno.EBADF : 0;
}
