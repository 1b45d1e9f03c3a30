import { type Cpu, Exception, FaultCode, HwStep, type TrapHandler, TrapOutcome } from '@rpal/hw-x86';
import { FAULT_RESOLVED, handleFault, MmStep, signalCodeOf, signalOf } from '@rpal/mm';
import { type KernelPath, PathResult, SchedStep, type Scheduler, type Task, TaskState } from '@rpal/sched';
import { Errno, Signal, SignalCode } from '@rpal/uapi';
import { type Operation, Pending } from '@rpal/vfs';
import { holdFiles, releaseFiles } from '../dispatch/held-file.js';
import type { IrqTable } from '../dispatch/irq-table.js';
import type { SyscallTable } from '../dispatch/syscall-table.js';
import { type ExitParts, exitThread } from '../lifecycle/exit.js';
import { EntryKind } from '../process/entry-kind.js';
import { currentThread, type Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import type { KernelSeams } from '../seams.js';
import { Delivered, type DeliveryParts, deliverSignals } from '../signals/delivery.js';
import { KernelStep } from '../steps.js';

/** What the way in and out of the kernel needs of it. */
export interface EntryParts extends ExitParts, DeliveryParts {
  readonly syscalls: SyscallTable;
}

/** The border to user mode (Linux: entry_64.S and kernel/entry): how system calls, exceptions, interrupts and NMIs come in, and the way back. */
export class Entry implements TrapHandler {
  /** What a thread does in the kernel while a system call is pending. */
  readonly syscallPath: KernelPath;
  /** What a thread does that has only to return to user mode. */
  readonly returnPath: KernelPath;
  /** NMIs for which nobody found a cause: "Uhhuh. NMI received for unknown reason". */
  unknownNmis = 0;
  readonly #kernel: EntryParts;
  readonly #scheduler: Scheduler;
  readonly #syscalls: SyscallTable;
  readonly #irqs: IrqTable;
  readonly #hooks: KernelSeams['hooks'];
  readonly #syscallEnter: KernelSeams['events']['syscallEnter'];
  readonly #syscallExit: KernelSeams['events']['syscallExit'];

  /** @param kernel has its scheduler, its call table and its seams already; its other parts may come later */
  constructor(kernel: EntryParts, irqs: IrqTable) {
    this.#kernel = kernel;
    this.#scheduler = kernel.scheduler;
    this.#syscalls = kernel.syscalls;
    this.#irqs = irqs;
    this.#hooks = kernel.seams.hooks;
    this.#syscallEnter = kernel.seams.events.syscallEnter;
    this.#syscallExit = kernel.seams.events.syscallExit;
    this.syscallPath = new SyscallPath(this);
    this.returnPath = new ReturnPath(kernel, this);
  }

  syscall(cpu: Cpu): TrapOutcome {
    const context = cpu.context as UserContext;
    if (context.mustYield()) return TrapOutcome.RETRY;
    cpu.interruptsEnabled = false;
    let thread = this.#current(cpu);
    thread.frame.user = context;
    thread.frame.iret = false;
    if (thread.entryWatched) {
      if (thread.guest !== null) thread.guest.exit(cpu);
      else cpu.charge(KernelStep.syscallEntry);
      this.#hooks.kernelEntry.call(cpu, thread, context.entry);
      thread = this.#current(cpu);
      if (thread.frame.user !== context) return this.returnToUser(cpu, thread, thread.frame.rax, context);
      if (thread.guest === null) cpu.charge(KernelStep.syscallDispatch);
    } else {
      cpu.charge(KernelStep.syscallIn);
    }
    if (cpu.disturbance !== null) cpu.chargeCycles(HwStep.disturbance, cpu.disturbance.entry());
    if (this.#syscallEnter.observed) this.#syscallEnter.emit(cpu.id, cpu.clock, thread, context.nr);
    const result = this.#syscalls.dispatch(cpu, thread, context);
    if (result <= Pending.AGAIN) {
      thread.path = this.syscallPath;
      holdFiles(this.#syscalls, thread, context);
      if (result === Pending.SLEEP) this.#scheduler.schedule(cpu);
      else cpu.context = this.#scheduler.kernelMode;
      return TrapOutcome.PENDING;
    }
    return this.returnToUser(cpu, thread, result, context);
  }

  /**
   * The end of every kernel entry: pending work first, else back to user mode with `result` in the result register.
   * @returns DONE if `expected` is what runs now
   */
  returnToUser(cpu: Cpu, thread: Thread, result: number, expected: UserContext | null): TrapOutcome {
    const { frame } = thread;
    frame.rax = result;
    if (thread.switched && thread.resumeNotifier !== null) thread.resumeNotifier.resume(cpu, thread, 'switch');
    if (thread.needResched || thread.signalPending) {
      thread.path = this.returnPath;
      cpu.context = this.#scheduler.kernelMode;
      return TrapOutcome.PENDING;
    }
    const user = frame.user as UserContext;
    if (!frame.iret) user.rax = result;
    if (thread.guest !== null) {
      if (thread.fpuInMemory) cpu.charge(SchedStep.fpuRestore);
      if (frame.iret) cpu.charge(SchedStep.interruptExit);
      thread.guest.enter(cpu);
    } else if (thread.fpuInMemory && thread.switched && !frame.iret) {
      cpu.charge(KernelStep.switchedReturn);
    } else {
      if (thread.fpuInMemory) cpu.charge(SchedStep.fpuRestore);
      if (thread.switched) cpu.charge(SchedStep.rseqFixup);
      cpu.charge(frame.iret ? SchedStep.interruptExit : KernelStep.syscallReturn);
    }
    thread.fpuInMemory = false;
    thread.switched = false;
    if (this.#syscallExit.observed && !frame.iret) this.#syscallExit.emit(cpu.id, cpu.clock, thread, user.rax);
    if (frame.rip !== 0) {
      // The frame was rewritten: the context goes on elsewhere, with the result register that goes with that.
      user.landing = frame.rip;
      user.rax = frame.rax;
      frame.rip = 0;
    }
    cpu.interruptsEnabled = true;
    cpu.userEntries++;
    cpu.context = user;
    user.cpu = cpu;
    // An interrupt that waited for this comes before the next instruction.
    if (cpu.interruptible) cpu.endTurnBy(0);
    return user === expected ? TrapOutcome.DONE : TrapOutcome.PENDING;
  }

  exception(cpu: Cpu, vector: number, code: number): TrapOutcome {
    const context = cpu.context as UserContext;
    if (context.mustYield()) return TrapOutcome.RETRY;
    const { faultAddress } = cpu.mmu;
    cpu.interruptsEnabled = false;
    cpu.charge(MmStep.faultEntry);
    let thread = this.#current(cpu);
    thread.frame.user = context;
    thread.frame.iret = true;
    if (thread.entryWatched) {
      if (thread.guest !== null) thread.guest.exit(cpu);
      this.#hooks.kernelEntry.call(cpu, thread, EntryKind.EXCEPTION);
      thread = this.#current(cpu);
      if (thread.frame.user !== context) return this.returnToUser(cpu, thread, thread.frame.rax, context);
    }
    thread.faultVector = vector;
    thread.faultError = 0;
    if (vector === Exception.pageFault) {
      const result = handleFault(cpu, thread.memory, faultAddress, code);
      thread.faultError = shownError(thread, faultAddress, code);
      if (result !== FAULT_RESOLVED) this.#fatal(cpu, thread, signalOf(result), signalCodeOf(result), faultAddress);
    } else if (vector === Exception.divide) {
      this.#fatal(cpu, thread, Signal.FPE, SignalCode.FPE_INTDIV, context.rip);
    } else if (vector === Exception.invalidOpcode) {
      this.#fatal(cpu, thread, Signal.ILL, SignalCode.ILL_ILLOPN, context.rip);
    } else {
      this.#fatal(cpu, thread, Signal.SEGV, SignalCode.KERNEL, 0);
    }
    return this.returnToUser(cpu, thread, thread.frame.rax, context);
  }

  /** The signal of an exception that the kernel does not resolve, with what its siginfo says. */
  #fatal(cpu: Cpu, thread: Thread, signal: number, code: number, address: number): void {
    thread.faultSignal = signal;
    thread.faultAddress = address;
    thread.faultCode = code;
    this.#kernel.signals.force(cpu, thread, signal);
  }

  /** An interrupt, in whatever the CPU was doing. */
  interrupt(cpu: Cpu, vector: number): void {
    const rq = this.#scheduler.runQueue(cpu);
    if (cpu.context === this.#scheduler.kernelMode) {
      if (rq.current === rq.idle) {
        rq.leaveHalt();
        cpu.charge(SchedStep.interruptFromIdle);
      } else {
        cpu.charge(SchedStep.interruptEntry);
      }
      this.#irqs.serve(cpu, vector);
      if (rq.current !== rq.idle) cpu.charge(SchedStep.interruptExit);
      return;
    }
    this.#interruptUser(cpu, EntryKind.INTERRUPT);
    this.#irqs.serve(cpu, vector);
    this.leaveInterrupt(cpu);
  }

  nmi(cpu: Cpu): void {
    if (cpu.context !== this.#scheduler.kernelMode) {
      this.#interruptUser(cpu, EntryKind.NMI);
      this.#serveNmi(cpu);
      this.leaveInterrupt(cpu);
    } else {
      cpu.charge(SchedStep.interruptEntry);
      this.#serveNmi(cpu);
      cpu.charge(SchedStep.interruptExit);
    }
    cpu.unblockNmi();
  }

  /** `default_do_nmi`, without the back-to-back rule, which needs two causes at a time. */
  #serveNmi(cpu: Cpu): void {
    if ((this.#hooks.kernelNmi.call(cpu) ?? 0) > 0) return;
    cpu.charge(KernelStep.unknownNmi);
    this.unknownNmis++;
  }

  #interruptUser(cpu: Cpu, kind: number): void {
    cpu.interruptsEnabled = false;
    cpu.charge(SchedStep.interruptEntry);
    this.enterFromUser(cpu, kind);
  }

  /** An interrupt has come in user mode, and interrupts are off: the thread's frame is filled in, and whoever watches entries is asked. */
  enterFromUser(cpu: Cpu, kind: number): void {
    const thread = this.#current(cpu);
    thread.frame.user = cpu.context as UserContext;
    thread.frame.iret = true;
    if (!thread.entryWatched) return;
    if (thread.guest !== null) thread.guest.exit(cpu);
    this.#hooks.kernelEntry.call(cpu, thread, kind);
  }

  /** The end of an interrupt that came in user mode. */
  leaveInterrupt(cpu: Cpu): void {
    const thread = this.#current(cpu);
    this.returnToUser(cpu, thread, thread.frame.rax, null);
  }

  /** The thread whose kernel stack `cpu` is on: where user mode was interrupted, that is not a kernel thread. */
  #current(cpu: Cpu): Thread {
    return currentThread(this.#scheduler, cpu);
  }
}

/** A system call that has slept, or let others in between: goes on with the thread's operation. */
class SyscallPath implements KernelPath {
  readonly #entry: Entry;

  constructor(entry: Entry) {
    this.#entry = entry;
  }

  run(cpu: Cpu, task: Task): PathResult {
    const thread = task as Thread;
    const result = (thread.operation as Operation).step(cpu);
    if (result === Pending.SLEEP) return PathResult.SCHEDULE;
    if (result > Pending.AGAIN) {
      if (thread.held.length > 0) releaseFiles(cpu, thread);
      this.#entry.returnToUser(cpu, thread, result, null);
    }
    return PathResult.CONTINUE;
  }
}

/** exit_to_user_mode_loop: reschedule, signals, then user mode. */
class ReturnPath implements KernelPath {
  readonly #kernel: EntryParts;
  readonly #entry: Entry;

  constructor(kernel: EntryParts, entry: Entry) {
    this.#kernel = kernel;
    this.#entry = entry;
  }

  run(cpu: Cpu, task: Task): PathResult {
    const thread = task as Thread;
    if (thread.needResched) {
      this.#kernel.scheduler.preempt(cpu);
      return PathResult.CONTINUE;
    }
    if (!thread.signalPending) {
      this.#entry.returnToUser(cpu, thread, thread.frame.rax, null);
      return PathResult.CONTINUE;
    }
    const delivered = deliverSignals(this.#kernel, cpu, thread);
    if (delivered > 0) {
      const { execing } = thread.process;
      // Killed on account of an exec, it ends alone.
      exitThread(this.#kernel, cpu, thread, 0, delivered, execing === null || execing === thread ? 'process' : 'thread');
    }
    if (thread.state === TaskState.DEAD || thread.state === TaskState.STOPPED) return PathResult.SCHEDULE;
    return delivered === Delivered.RESTART ? this.#restart(cpu, thread) : PathResult.CONTINUE;
  }

  /** Executes the interrupted system call again, as user mode would: its number and arguments are still in the registers. */
  #restart(cpu: Cpu, thread: Thread): PathResult {
    cpu.charge(KernelStep.syscallIn);
    const { frame } = thread;
    const user = frame.user as UserContext;
    const block = frame.rax === -Errno.ERESTART_RESTARTBLOCK ? thread.restartBlock : null;
    // It may not have slept yet: another call was the last that did.
    if (block !== null) thread.operation = block;
    const result = block !== null ? block.step(cpu) : this.#kernel.syscalls.dispatch(cpu, thread, user);
    if (result > Pending.AGAIN) {
      frame.rax = result;
      return PathResult.CONTINUE;
    }
    holdFiles(this.#kernel.syscalls, thread, user);
    thread.path = this.#entry.syscallPath;
    return result === Pending.SLEEP ? PathResult.SCHEDULE : PathResult.CONTINUE;
  }
}

/** The error code as a handler sees it: pages of memory without any rights are not present to the CPU in Linux, and are to that of the model. */
function shownError({ memory }: Thread, address: number, code: number): number {
  return memory.areas.containing(address)?.accessible === false ? code & ~FaultCode.present : code;
}
