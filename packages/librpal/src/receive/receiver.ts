import { CACHE_LINE, type Cpu, Pointer, Touch, taggedNumber } from '@rpal/hw-x86';
import { type ProgramContext, SyscallNumber, type Thread } from '@rpal/kernel';
import {
  pkruOf,
  Rcc,
  ReceiverState,
  RPAL_EP_POLL_MAGIC,
  RPAL_KERNEL_PENDING,
  RPAL_RECEIVER_STATE_MASK,
  RPAL_USER_PENDING,
  SenderState,
  TaskContext,
} from '@rpal/rpal-core';
import type { Handover } from '@rpal/sched';
import { EPOLL_EVENT_SIZE } from '@rpal/uapi';
import {
  EPOLLRPALIN,
  EPOLLRPALOUT,
  FdRecord,
  FdSlot,
  FiberFrame,
  ReadyQueue,
  ReceiverRecord,
  ReceiverStatus,
  SlotUse,
} from '../layouts.js';
import { LibProcess } from '../process/lib-process.js';
import { FAULTED, NO_SLOT, slotAddress } from '../routine/fd-slots.js';
import { enter, Fiber, handleOf, jump, saveFrame } from '../routine/fiber.js';
import { follow, LibCall, reach, StepEnd } from '../routine/lib-call.js';

/** Length of the code that the library registers as its ret section. */
export const RET_SECTION_BYTES = 0x20;

/** One receiver thread of a process: addresses of its records, its fibers. */
export class LibReceiver {
  readonly process: LibProcess;
  readonly index: number;
  /** Receiver record and receiver call context: their beginnings, and what else is used of them. */
  readonly record: Pointer;
  readonly mainContext: Pointer;
  readonly senderTls: Pointer;
  readonly senderPkru: Pointer;
  readonly senderContext: Pointer;
  readonly rcc: Pointer;
  /** The same while a call is answered: the core is in the sender's address space, which has translations of its own. */
  readonly rccCalled: Pointer;
  readonly senderState: Pointer;
  readonly epPollMagic: Pointer;
  readonly readyQueue: Pointer;
  readonly tlsBase: number;
  readonly program: ProgramContext;
  readonly trampoline: Trampoline;
  readonly eventStack: EventStack;
  available = false;

  constructor(
    process: LibProcess,
    index: number,
    addresses: { record: number; rcc: number; readyQueue: number; stacks: number },
    context: ProgramContext,
  ) {
    this.process = process;
    this.index = index;
    const { record, rcc } = addresses;
    this.record = new Pointer(record);
    this.mainContext = new Pointer(record + ReceiverRecord.mainContext);
    this.senderTls = new Pointer(record + ReceiverRecord.senderTls);
    this.senderPkru = new Pointer(record + ReceiverRecord.senderPkru);
    this.senderContext = new Pointer(record + ReceiverRecord.senderContext);
    this.rcc = new Pointer(rcc);
    this.rccCalled = new Pointer(rcc);
    this.senderState = new Pointer(rcc + Rcc.senderState);
    this.epPollMagic = new Pointer(rcc + Rcc.epPollMagic);
    this.readyQueue = new Pointer(addresses.readyQueue);
    this.tlsBase = context.cpu.fsBase;
    this.program = context;
    this.trampoline = new Trampoline(context, this, addresses.stacks);
    this.eventStack = new EventStack(context, this, addresses.stacks);
  }
}

/** One of a receiver's two stacks besides the main one. */
abstract class ReceiverFiber extends Fiber {
  protected readonly receiver: LibReceiver;

  constructor({ contexts, cpu, thread }: ProgramContext, receiver: LibReceiver, stack: number) {
    super(contexts, cpu, thread);
    this.receiver = receiver;
    this.rsp = stack;
  }

  override get program(): ProgramContext {
    return this.receiver.program;
  }

  /** From the beginning: the instruction pointer is not in the ret section any more, where an earlier turn may have left it. */
  override restart(): void {
    super.restart();
    this.rip = this.receiver.process.libText;
  }
}

/**
 * The trampoline stack (patch 35, 9.2 step 5 and 9.4): saves where the receiver is to be taken up, then returns to the
 * caller if there is one, else goes to wait.
 */
class Trampoline extends ReceiverFiber {
  protected override step(cpu: Cpu): StepEnd {
    const { receiver } = this;
    const { process } = receiver;
    const { memory } = cpu;
    switch (this.state) {
      case 0: {
        // The context that was left comes in the first register: where a kernel return, or the next caller, will land.
        const handle = this.rax;
        const frame = reach(cpu, handle, Touch.LOAD);
        const target = follow(cpu, receiver.rcc, Touch.STORE);
        const main = follow(cpu, receiver.mainContext, Touch.STORE);
        if (frame < 0 || target < 0 || main < 0) return StepEnd.FAULT;
        cpu.charge(process.steps.saveContext);
        memory.write64(target + Rcc.rtc + TaskContext.rbp, memory.read64(frame + FiberFrame.rbp));
        memory.write64(target + Rcc.rtc + TaskContext.rip, memory.read64(frame + FiberFrame.rip));
        memory.write64(target + Rcc.rtc + TaskContext.rsp, handle + FiberFrame.size);
        memory.write64(main, handle);
        this.state = 1;
        return StepEnd.NEXT;
      }
      case 1: {
        // rpal_ret_critical: the decision to return. If the kernel has taken the sender back meanwhile, it fails.
        const word = follow(cpu, receiver.senderState, Touch.STORE);
        if (word < 0) return StepEnd.FAULT;
        cpu.charge(process.steps.returnDecide);
        this.rip = process.retBegin;
        const returns = memory.read32(word) === SenderState.CALL;
        if (returns) {
          memory.write32(word, SenderState.RUNNING);
          process.instruments?.senderState(cpu, word - Rcc.senderState, 2, SenderState.CALL, SenderState.RUNNING);
        }
        this.state = returns ? 2 : 5;
        return StepEnd.NEXT;
      }
      case 2: {
        const info = follow(cpu, receiver.senderPkru, Touch.LOAD);
        if (info < 0) return StepEnd.FAULT;
        cpu.charge(process.steps.returnKey);
        process.loadRights(cpu, memory.read32(info));
        this.state = 3;
        return StepEnd.NEXT;
      }
      case 3: {
        const info = follow(cpu, receiver.senderTls, Touch.LOAD);
        if (info < 0) return StepEnd.FAULT;
        cpu.charge(process.steps.returnBase);
        cpu.fsBase = memory.read64(info);
        this.rip = process.retEnd;
        this.state = 4;
        return StepEnd.NEXT;
      }
      case 4: {
        const info = follow(cpu, receiver.senderContext, Touch.LOAD);
        if (info < 0) return StepEnd.FAULT;
        if (!jump(cpu, this, memory.read64(info), 0, 0)) return StepEnd.FAULT;
        cpu.charge(process.steps.returnJump);
        return StepEnd.AWAY;
      }
      default:
        this.rip = process.retEnd;
        cpu.charge(process.steps.waitJump);
        receiver.eventStack.restart();
        enter(cpu, receiver.eventStack);
        return StepEnd.AWAY;
    }
  }
}

/** The event stack (9.2 step 6): the epoll_wait in which a receiver sleeps and can be called. */
class EventStack extends ReceiverFiber {
  protected override step(cpu: Cpu): StepEnd {
    const { receiver } = this;
    const { memory } = cpu;
    switch (this.state) {
      case 0: {
        const magic = follow(cpu, receiver.epPollMagic, Touch.STORE);
        if (magic < 0) return StepEnd.FAULT;
        cpu.charge(receiver.process.steps.armWait);
        memory.write32(magic, RPAL_EP_POLL_MAGIC);
        const at = magic - Rcc.epPollMagic;
        this.a0 = memory.read32(at + Rcc.epfd);
        this.a1 = memory.read64(at + Rcc.events);
        this.a2 = memory.read32(at + Rcc.maxevents);
        this.a3 = memory.read32(at + Rcc.timeout);
        this.state = 1;
        return StepEnd.NEXT;
      }
      case 1:
        return this.syscall(SyscallNumber.epoll_wait, 2, this.a0, this.a1, this.a2, this.a3);
      default: {
        const main = follow(cpu, receiver.mainContext, Touch.LOAD);
        if (main < 0) return StepEnd.FAULT;
        if (!jump(cpu, this, memory.read64(main), 0, this.rax)) return StepEnd.FAULT;
        cpu.charge(receiver.process.steps.waitJump);
        return StepEnd.AWAY;
      }
    }
  }
}

const S = {
  BEGIN: 0,
  PLAIN: 1,
  PLAIN_END: 2,
  PENDING: 3,
  CLEAR: 4,
  CLEARED: 5,
  LEAVE: 6,
  ARRIVED: 7,
  COLLECT: 8,
  NEXT_FD: 9,
} as const;

/** `rpal_epoll_wait` (9.2). */
export class EpollWaitCall extends LibCall {
  epfd = 0;
  events: number = taggedNumber();
  maxevents = 0;
  timeout = 0;
  /** `rpal_epoll_wait_user`: nothing but what peers have queued. */
  userOnly = false;
  receiver: LibReceiver | null = null;
  readonly #thread: Thread;
  readonly #handover: Handover;
  readonly #slot = new Pointer();
  readonly #entry = new Pointer();
  #count = 0;
  #first = true;

  constructor(context: ProgramContext) {
    super(context);
    this.events = 0;
    this.#thread = context.thread;
    this.#handover = LibProcess.of(context.thread.process).handover;
  }

  /** The context is back on the main stack, whoever brought it here. */
  protected override landed(): void {
    this.state = S.ARRIVED;
  }

  protected override steps(cpu: Cpu): StepEnd {
    let end: StepEnd;
    do end = this.#step(cpu);
    while (end === StepEnd.NEXT && cpu.hasTime);
    return end;
  }

  #step(cpu: Cpu): StepEnd {
    const { receiver } = this;
    if (receiver === null) return this.userOnly ? this.finish(0) : this.#plain();
    const { memory } = cpu;
    const rcc = follow(cpu, this.state < S.ARRIVED ? receiver.rcc : receiver.rccCalled, Touch.STORE);
    if (rcc < 0) return StepEnd.FAULT;
    switch (this.state) {
      case S.BEGIN:
        this.#count = 0;
        if (this.userOnly) {
          const collects = receiver.available && (memory.read32(rcc + Rcc.epPending) & RPAL_USER_PENDING) !== 0;
          return collects ? this.go(S.COLLECT) : this.finish(0);
        }
        this.#enter(cpu, receiver.process);
        memory.write32(rcc + Rcc.epfd, this.epfd);
        memory.write64(rcc + Rcc.events, this.events);
        memory.write32(rcc + Rcc.maxevents, this.maxevents);
        memory.write32(rcc + Rcc.timeout, this.timeout);
        this.#first = !receiver.available;
        return this.go(S.PENDING);
      case S.PENDING: {
        if (this.#first) {
          const status = reach(cpu, receiver.record.address + ReceiverRecord.status, Touch.STORE);
          if (status < 0) return StepEnd.FAULT;
          memory.write32(status, ReceiverStatus.AVAILABLE);
          receiver.available = true;
          return this.go(S.LEAVE);
        }
        const pending = memory.read32(rcc + Rcc.epPending);
        if ((pending & RPAL_KERNEL_PENDING) !== 0) {
          // Only the kernel clears this bit: in an epoll_wait that does not sleep.
          memory.write32(rcc + Rcc.epPollMagic, RPAL_EP_POLL_MAGIC);
          this.state = S.CLEAR;
        } else {
          this.state = (pending & RPAL_USER_PENDING) !== 0 ? S.COLLECT : S.LEAVE;
        }
        return StepEnd.NEXT;
      }
      case S.CLEAR:
        return this.syscall(SyscallNumber.epoll_wait, S.CLEARED, this.epfd, this.events, this.maxevents, 0);
      case S.CLEARED:
        memory.write32(rcc + Rcc.epPollMagic, 0);
        this.#count = this.context.rax;
        return this.go(S.COLLECT);
      case S.LEAVE: {
        if (!saveFrame(cpu, this.context)) return StepEnd.FAULT;
        cpu.charge(receiver.process.steps.waitJump);
        const { trampoline } = receiver;
        trampoline.restart();
        trampoline.rax = handleOf(this.context);
        this.state = S.ARRIVED;
        enter(cpu, trampoline);
        return StepEnd.AWAY;
      }
      case S.ARRIVED:
        return this.#arrived(cpu, receiver, rcc);
      case S.COLLECT:
        if (this.#count < 0 || this.#count >= this.maxevents) return this.finish(this.#count);
        cpu.charge(receiver.process.steps.collectBegin);
        memory.write32(rcc + Rcc.epPending, memory.read32(rcc + Rcc.epPending) & ~RPAL_USER_PENDING);
        return this.go(S.NEXT_FD);
      default:
        return this.#collectOne(cpu, receiver, rcc);
    }
  }

  #enter(cpu: Cpu, { warmth, steps }: LibProcess): void {
    warmth.begin(cpu, steps.waitReload, steps.waitRefetch);
    cpu.charge(steps.waitEnter);
  }

  /** Step 7: back on the main stack. TLS may still be the sender's. */
  #arrived(cpu: Cpu, receiver: LibReceiver, rcc: number): StepEnd {
    const { memory } = cpu;
    const { context } = this;
    memory.write32(rcc + Rcc.epPollMagic, 0);
    switch (memory.read32(rcc + Rcc.receiverState) & RPAL_RECEIVER_STATE_MASK) {
      case ReceiverState.RUNNING:
        this.#count = context.rdx;
        break;
      case ReceiverState.KERNEL_RET:
        this.#count = context.rax;
        break;
      case ReceiverState.CALL: {
        const record = follow(cpu, receiver.record, Touch.STORE);
        if (record < 0) return StepEnd.FAULT;
        cpu.charge(receiver.process.steps.arrive);
        memory.write64(record + ReceiverRecord.senderTls, cpu.fsBase);
        memory.write32(record + ReceiverRecord.senderPkru, cpu.mmu.pkru);
        cpu.fsBase = receiver.tlsBase;
        receiver.process.loadRights(cpu, pkruOf(receiver.process.pkey));
        memory.write64(record + ReceiverRecord.senderContext, context.rax);
        this.#count = 0;
        break;
      }
      default:
        return this.finish(-1);
    }
    return this.go(S.COLLECT);
  }

  /** Step 8: one descriptor off the ready queue becomes one event, if its bits were not taken already. */
  #collectOne(cpu: Cpu, receiver: LibReceiver, rcc: number): StepEnd {
    const { memory } = cpu;
    const queue = follow(cpu, receiver.readyQueue, Touch.STORE);
    if (queue < 0) return StepEnd.FAULT;
    const begin = memory.read32(queue + ReadyQueue.begin);
    const end = memory.read32(queue + ReadyQueue.end);
    if (begin === end || this.#count === this.maxevents) {
      cpu.charge(receiver.process.steps.collectEnd);
      if (begin !== end || this.#count === this.maxevents) {
        memory.write32(rcc + Rcc.epPending, memory.read32(rcc + Rcc.epPending) | RPAL_USER_PENDING);
      }
      return this.finish(this.#count);
    }
    const slotOfQueue = reach(cpu, receiver.readyQueue.address + ReadyQueue.fds + 4 * (begin & (ReadyQueue.capacity - 1)), Touch.LOAD);
    if (slotOfQueue < 0) return StepEnd.FAULT;
    const fd = memory.read32(slotOfQueue);
    const place = slotAddress(cpu, receiver.process.fdTable, fd);
    if (place === FAULTED) return StepEnd.FAULT;
    if (place === NO_SLOT) return this.#skip(cpu, receiver, queue, begin);
    this.#slot.address = place;
    const slot = follow(cpu, this.#slot, Touch.STORE);
    if (slot < 0) return StepEnd.FAULT;
    const use = memory.read32(slot + FdSlot.use);
    this.#entry.address = memory.read64(slot + FdSlot.record);
    if (use >= SlotUse.AVAILABLE && this.#entry.address === 0) {
      if (receiver.process.leavesReference) memory.write32(slot + FdSlot.use, use + 1);
    } else if (use >= SlotUse.AVAILABLE) {
      const entry = follow(cpu, this.#entry, Touch.STORE);
      const event = this.events + this.#count * EPOLL_EVENT_SIZE;
      const at = reach(cpu, event, Touch.STORE);
      const together = at >= 0 && (at & (CACHE_LINE - 1)) <= CACHE_LINE - EPOLL_EVENT_SIZE;
      const tail = together ? at + 8 : reach(cpu, event + 8, Touch.STORE);
      if (entry < 0 || at < 0 || tail < 0) return StepEnd.FAULT;
      const middle = together ? at + 4 : reach(cpu, event + 4, Touch.STORE);
      const current = memory.read32(entry + FdRecord.outdated) === 0;
      const taken = memory.read32(entry + FdRecord.pending) & memory.read32(entry + FdRecord.interest) & (EPOLLRPALIN | EPOLLRPALOUT);
      const bits = current ? taken : 0;
      if (current) memory.write32(entry + FdRecord.pending, 0);
      if (bits !== 0) {
        this.#handover.find(cpu, this.#thread);
        memory.write32(at, bits);
        memory.write32(middle, memory.read32(entry + FdRecord.data));
        memory.write32(tail, memory.read32(entry + FdRecord.data + 4));
        this.#count++;
      }
    }
    return this.#skip(cpu, receiver, queue, begin);
  }

  /** The first descriptor in the queue is finished. */
  #skip(cpu: Cpu, receiver: LibReceiver, queue: number, begin: number): StepEnd {
    cpu.charge(receiver.process.steps.collectOne);
    cpu.memory.write32(queue + ReadyQueue.begin, (begin + 1) | 0);
    return StepEnd.NEXT;
  }

  /** A thread that is not a receiver waits as usual. */
  #plain(): StepEnd {
    if (this.state === S.PLAIN_END) return this.finish(this.context.rax);
    return this.syscall(SyscallNumber.epoll_wait, S.PLAIN_END, this.epfd, this.events, this.maxevents, this.timeout);
  }
}
