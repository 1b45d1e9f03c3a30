import { type Cpu, Pointer, Touch } from '@rpal/hw-x86';
import { SyscallNumber } from '@rpal/kernel';
import { callState, Rcc, ReceiverState, RPAL_ERROR_MAGIC, RPAL_USER_PENDING, Scc, SenderState, TaskContext } from '@rpal/rpal-core';
import { RpalError } from '../errors.js';
import {
  EPOLLRPALIN,
  EPOLLRPALOUT,
  FdRecord,
  FdSlot,
  FiberFrame,
  LOCKED,
  Pool,
  QUEUE_WORDS,
  ReadyQueue,
  ReceiverRecord,
  SlotUse,
} from '../layouts.js';
import type { LibProcess, Peer } from '../process/lib-process.js';
import { FAULTED, NO_SLOT, slotAddress } from '../routine/fd-slots.js';
import { handleOf, jump, saveFrame } from '../routine/fiber.js';
import { follow, LibCall, reach, StepEnd } from '../routine/lib-call.js';
import { nextWord } from '../routine/words.js';
import { LibSender, type RpalFd } from './sender.js';

/**
 * The steps of a call, in the order in which it takes them when the receiver waits and the queue has room:
 *
 *     ENTER OPEN FIND FD_GET LOCK PUT MARK APPEND UNLOCK NOTIFY BEGIN CLAIM STAMP JUMP  (the receiver works)  BACK END SETTLE MORE LEAVE
 *
 * Every other way is named where it is taken: `return this.go(S.NEXT)`.
 */
const S = {
  /** Arguments, own records, recovery point. */
  ENTER: 0,
  /** The peer's key is opened. */
  OPEN: 1,
  FIND: 2,
  FD_GET: 3,
  LOCK: 4,
  PUT: 5,
  /** Once more, after the reader was asked to tell when there is room. */
  PUT_AGAIN: 6,
  /** The event bits of the descriptor. */
  MARK: 7,
  APPEND: 8,
  UNLOCK: 9,
  NOTIFY: 10,
  /** WAIT -> CALL, or the receiver is not called. */
  BEGIN: 11,
  CLAIM: 12,
  STAMP: 13,
  JUMP: 14,
  /** Back on the own stack. */
  BACK: 15,
  /** A system call that makes the kernel switch back. */
  DUMMY: 16,
  END: 17,
  SETTLE: 18,
  /** More words have come meanwhile: BEGIN again. */
  MORE: 19,
  LEAVE: 20,
} as const;

/** What a call brings: words, or the news that there is room for words again. */
export const CallKind = { IN: 1, OUT: 2 } as const;

/** Can one call pass it? */
export function mayPass(pointers: number, length: number): boolean {
  return pointers !== 0 && length >= 1 && length <= QUEUE_WORDS;
}

/** `rpal_write_ptrs` (9.3): queues words at the peer and calls its receiver. */
export class WritePtrsCall extends LibCall {
  process!: LibProcess;
  sender: LibSender | null = null;
  serviceId = 0;
  rpalfd!: RpalFd;
  pointers = 0;
  length = 0;
  kind: number = CallKind.IN;
  #peer!: Peer;
  #pkru = 0;
  // What the call touches in the peer, by the virtual address that the peer's records give. Each has a translation of its own, so that
  // a call to the same receiver need not look it up again.
  /** The peer's pool, which leads to everything else. */
  readonly #pool = new Pointer();
  /** The receiver's record: lock of its queue, thread pointer, context to jump to. */
  readonly #record = new Pointer();
  /** The descriptor's slot in the peer's table, with its reference count, and the record behind it: queue of words, pending bits. */
  readonly #slot = new Pointer();
  readonly #entry = new Pointer();
  /** The queue of descriptors that have something for the receiver. */
  readonly #queue = new Pointer();
  /** The receiver's call context, and the words of it that are used on their own. */
  readonly #rcc = new Pointer();
  readonly #receiverState = new Pointer();
  readonly #senderState = new Pointer();
  readonly #pending = new Pointer();
  /** The call context once more, on return: the core may still be in the receiver's address space, which has other translations. */
  readonly #rccOnReturn = new Pointer();
  /** The result of the call. */
  #value = 0;
  /** Event bits of the descriptor as they were, with ours. */
  #bits = 0;
  /** The recovery point that the call is within: whose it is, and its magic word. */
  #outer: object | null = null;
  #outerMagic = 0;

  /** Back from the call, or diverted to the recovery point. */
  protected override landed(address: number): void {
    if (address === LibSender.recoveryAddress(this.context)) {
      this.#value = -RpalError.ERR_PEER_MEM;
      this.state = S.LEAVE;
    } else {
      this.state = S.BACK;
    }
  }

  protected override steps(cpu: Cpu): StepEnd {
    let end: StepEnd;
    do end = this.#step(cpu);
    while (end === StepEnd.NEXT && cpu.hasTime);
    return end;
  }

  #step(cpu: Cpu): StepEnd {
    switch (this.state) {
      case S.ENTER:
        return this.#enter(cpu);
      case S.OPEN:
        return this.#open(cpu);
      case S.FIND:
        return this.#find(cpu);
      case S.FD_GET:
        return this.#getFd(cpu);
      case S.LOCK:
        return this.#lock(cpu);
      case S.PUT:
      case S.PUT_AGAIN:
        return this.#put(cpu);
      case S.MARK:
        return this.#mark(cpu);
      case S.APPEND:
        return this.#append(cpu);
      case S.UNLOCK:
        return this.#unlock(cpu);
      case S.NOTIFY:
        return this.#notify(cpu);
      case S.BEGIN:
        return this.#begin(cpu);
      case S.CLAIM:
        return this.#claim(cpu);
      case S.STAMP:
        return this.#stamp(cpu);
      case S.JUMP:
        return this.#jump(cpu);
      case S.BACK:
        return this.#back(cpu);
      case S.DUMMY:
        // A read that must fail: the kernel sees the sender's FS base and switches back.
        return this.syscall(SyscallNumber.read, S.END, -1, 0, 0);
      case S.END:
        return this.#end(cpu);
      case S.SETTLE:
        return this.#settle(cpu);
      case S.MORE:
        return this.#more(cpu);
      default:
        return this.#leave(cpu);
    }
  }

  #fail(code: number): StepEnd {
    this.#value = -code;
    return this.go(S.LEAVE);
  }

  /** Arguments, key register, recovery point. */
  #enter(cpu: Cpu): StepEnd {
    const words = this.kind === CallKind.IN;
    if (words && !mayPass(this.pointers, this.length)) return this.finish(-RpalError.INVALID_ARG);
    const { sender } = this;
    if (sender === null) return this.finish(-this.process.senderRefused);
    const scc = follow(cpu, sender.scc, Touch.STORE);
    if (scc < 0) return StepEnd.FAULT;
    const { warmth, steps } = this.process;
    warmth.begin(cpu, steps.callReload, steps.callRefetch);
    cpu.charge(steps.writeEnter);
    this.#pkru = cpu.mmu.pkru;
    this.#outer = sender.recovers;
    this.#outerMagic = this.process.nestsRecovery ? cpu.memory.read32(scc + Scc.magic) : 0;
    sender.recovers = this;
    cpu.memory.write64(scc + Scc.ersp, this.context.rsp);
    cpu.memory.write32(scc + Scc.magic, RPAL_ERROR_MAGIC);
    return this.go(S.OPEN);
  }

  #open(cpu: Cpu): StepEnd {
    const peer = this.process.peers[this.serviceId];
    if (peer === undefined || peer.released) return this.#fail(RpalError.INVAL_SERVICE);
    this.#peer = peer;
    cpu.charge(this.process.steps.openPeer);
    this.process.loadRights(cpu, cpu.mmu.pkru & peer.pkruMask);
    return this.go(S.FIND);
  }

  /** The receiver's record: its thread pointer tells the kernel whom we call. */
  #find(cpu: Cpu): StepEnd {
    const { memory } = cpu;
    this.#pool.address = this.#peer.pool;
    const pool = follow(cpu, this.#pool, Touch.LOAD);
    if (pool < 0) return StepEnd.FAULT;
    const { receiver } = this.rpalfd;
    if (this.process.checksReceivers && receiver >= memory.read32(pool + Pool.count)) return this.#fail(RpalError.INVALID_ARG);
    this.#record.address = memory.read64(pool + Pool.receivers) + receiver * ReceiverRecord.size;
    const record = follow(cpu, this.#record, Touch.LOAD);
    const scc = follow(cpu, (this.sender as LibSender).scc, Touch.STORE);
    if (record < 0 || scc < 0) return StepEnd.FAULT;
    cpu.charge(this.process.steps.findReceiver);
    const rcc = memory.read64(record + ReceiverRecord.rcc);
    this.#rcc.address = rcc;
    this.#rccOnReturn.address = rcc;
    this.#receiverState.address = rcc + Rcc.receiverState;
    this.#senderState.address = rcc + Rcc.senderState;
    this.#pending.address = rcc + Rcc.epPending;
    this.#queue.address = memory.read64(record + ReceiverRecord.readyQueue);
    memory.write64(scc + Scc.fsbase, memory.read64(record + ReceiverRecord.tlsBase));
    return this.go(S.FD_GET);
  }

  #getFd(cpu: Cpu): StepEnd {
    const { memory } = cpu;
    const place = slotAddress(cpu, this.#peer.fdTable, this.rpalfd.fd);
    if (place === FAULTED) return StepEnd.FAULT;
    if (place === NO_SLOT) return this.#fail(RpalError.INVALID_ARG);
    this.#slot.address = place;
    const slot = follow(cpu, this.#slot, Touch.STORE);
    if (slot < 0) return StepEnd.FAULT;
    const use = memory.read32(slot + FdSlot.use);
    if (use < SlotUse.AVAILABLE) {
      cpu.charge(this.process.steps.fdGet);
      return this.#fail(RpalError.INVALID_ARG);
    }
    this.#entry.address = memory.read64(slot + FdSlot.record);
    const entry = this.#entry.address === 0 ? 0 : follow(cpu, this.#entry, Touch.STORE);
    if (entry < 0) return StepEnd.FAULT;
    cpu.charge(this.process.steps.fdGet);
    if (entry === 0) {
      // The count has been raised when that is noticed, and as written stays so.
      if (this.process.leavesReference) memory.write32(slot + FdSlot.use, use + 1);
      return this.#fail(RpalError.INVALID_ARG);
    }
    if (memory.read32(entry + FdRecord.outdated) !== 0) return this.#fail(RpalError.INVALID_ARG);
    if (memory.read32(entry + FdRecord.timestamp) !== this.rpalfd.timestamp) return this.#fail(RpalError.FDE_OUTDATED);
    if (this.process.leavesKeys) memory.write64(entry + FdRecord.peerKey, this.process.key);
    memory.write32(slot + FdSlot.use, use + 1);
    return this.go(S.LOCK);
  }

  /** The receiver's queue is locked with bit 63 and our key, so that the owner can break the lock of a dead peer. */
  #lock(cpu: Cpu): StepEnd {
    const { memory } = cpu;
    const record = follow(cpu, this.#record, Touch.STORE);
    if (record < 0) return StepEnd.FAULT;
    const word = record + ReceiverRecord.queueLock;
    if (memory.read32(word) !== 0 || memory.read32(word + 4) !== 0) {
      cpu.charge(this.process.steps.queueSpin);
      return StepEnd.NEXT;
    }
    cpu.charge(this.process.steps.queueLock);
    memory.write32(word, this.process.key);
    memory.write32(word + 4, LOCKED);
    return this.go(S.PUT);
  }

  /** All words or none. A queue that is too full makes the reader tell us when there is room. */
  #put(cpu: Cpu): StepEnd {
    const { memory } = cpu;
    const queue = follow(cpu, this.#queue, Touch.LOAD);
    const entry = follow(cpu, this.#entry, Touch.STORE);
    if (queue < 0 || entry < 0) return StepEnd.FAULT;
    if (memory.read32(queue + ReadyQueue.end) - memory.read32(queue + ReadyQueue.begin) >= ReadyQueue.capacity) {
      this.#value = -RpalError.CACHE_FULL;
      return this.go(S.UNLOCK);
    }
    if (this.kind === CallKind.OUT) {
      cpu.charge(this.process.steps.outPut);
      this.#bits = memory.read32(entry + FdRecord.pending) | EPOLLRPALOUT;
      this.#value = 0;
      return this.go(S.MARK);
    }
    const source = reach(cpu, this.pointers, Touch.LOAD);
    if (source < 0 || reach(cpu, this.pointers + 8 * (this.length - 1), Touch.LOAD) < 0) return StepEnd.FAULT;
    const head = memory.read32(entry + FdRecord.head);
    const tail = memory.read32(entry + FdRecord.tail);
    const again = this.state === S.PUT_AGAIN;
    if (((tail - head) | 0) + this.length > QUEUE_WORDS) {
      if (!again) {
        // The reader is asked to tell when there is room; it may have made some meanwhile.
        memory.write32(entry + FdRecord.trigger, 1);
        return this.go(S.PUT_AGAIN);
      }
      this.#value = -RpalError.QUEUE_PUT_FAILED;
      return this.go(S.UNLOCK);
    }
    if (again) memory.write32(entry + FdRecord.trigger, 0);
    cpu.chargeBytes(this.process.steps.dataPut, 8 * this.length);
    let from = source;
    for (let i = 0; i < this.length; i++) {
      const to = entry + FdRecord.words + 8 * ((tail + i) & (QUEUE_WORDS - 1));
      memory.write32(to, memory.read32(from));
      memory.write32(to + 4, memory.read32(from + 4));
      if (i + 1 < this.length) from = nextWord(cpu, from, this.pointers + 8 * i, Touch.LOAD);
    }
    memory.write32(entry + FdRecord.tail, (tail + this.length) | 0);
    this.#bits = memory.read32(entry + FdRecord.pending) | EPOLLRPALIN;
    this.#value = this.length;
    return this.go(S.MARK);
  }

  /** Reading and setting the bits are separate operations, as the receiver takes them without the lock. */
  #mark(cpu: Cpu): StepEnd {
    const { memory } = cpu;
    const entry = follow(cpu, this.#entry, Touch.STORE);
    if (entry < 0) return StepEnd.FAULT;
    const ours = this.kind === CallKind.OUT ? EPOLLRPALOUT : EPOLLRPALIN;
    memory.write32(entry + FdRecord.pending, this.process.atomicBits ? memory.read32(entry + FdRecord.pending) | ours : this.#bits);
    return this.go(S.APPEND);
  }

  #append(cpu: Cpu): StepEnd {
    const { memory } = cpu;
    const queue = follow(cpu, this.#queue, Touch.STORE);
    if (queue < 0) return StepEnd.FAULT;
    const at = memory.read32(queue + ReadyQueue.reserved);
    const place = reach(cpu, this.#queue.address + ReadyQueue.fds + 4 * (at & (ReadyQueue.capacity - 1)), Touch.STORE);
    if (place < 0) return StepEnd.FAULT;
    cpu.charge(this.process.steps.readyAppend);
    memory.write32(queue + ReadyQueue.reserved, (at + 1) | 0);
    memory.write32(place, this.rpalfd.fd);
    memory.write32(queue + ReadyQueue.end, (at + 1) | 0);
    return this.go(S.UNLOCK);
  }

  #unlock(cpu: Cpu): StepEnd {
    const { memory } = cpu;
    const record = follow(cpu, this.#record, Touch.STORE);
    const slot = follow(cpu, this.#slot, Touch.STORE);
    if (record < 0 || slot < 0) return StepEnd.FAULT;
    cpu.charge(this.process.steps.queueUnlock);
    memory.write32(record + ReceiverRecord.queueLock, 0);
    memory.write32(record + ReceiverRecord.queueLock + 4, 0);
    memory.write32(slot + FdSlot.use, memory.read32(slot + FdSlot.use) - 1);
    if (this.#value < 0) {
      return this.go(S.LEAVE);
    }
    return this.go(S.NOTIFY);
  }

  /** USER_PENDING, in release order: whoever sees it sees the words. */
  #notify(cpu: Cpu): StepEnd {
    const pending = follow(cpu, this.#pending, Touch.STORE);
    if (pending < 0) return StepEnd.FAULT;
    cpu.memory.write32(pending, cpu.memory.read32(pending) | RPAL_USER_PENDING);
    return this.go(S.BEGIN);
  }

  /** WAIT -> CALL: the only way to begin a call. Else the data are queued, and the receiver or its waker will find them. */
  #begin(cpu: Cpu): StepEnd {
    const { memory } = cpu;
    const rcc = follow(cpu, this.#rcc, Touch.STORE);
    if (rcc < 0) return StepEnd.FAULT;
    cpu.charge(this.process.steps.callBegin);
    const waits = memory.read32(rcc + Rcc.receiverState) === ReceiverState.WAIT;
    if (waits) {
      const word = this.#callWord();
      memory.write32(rcc + Rcc.receiverState, word);
      this.process.instruments?.receiverState(cpu, rcc, 10, ReceiverState.WAIT, word);
      this.process.handover.putHere(cpu, 8 * this.#value);
    } else {
      this.process.handover.put(cpu, 8 * this.#value);
    }
    return this.go(waits ? S.CLAIM : S.LEAVE);
  }

  /** The receiver is ours: from here on it may decide to return to us. */
  #claim(cpu: Cpu): StepEnd {
    const word = follow(cpu, this.#senderState, Touch.STORE);
    if (word < 0) return StepEnd.FAULT;
    this.process.instruments?.senderState(cpu, word - Rcc.senderState, 1, cpu.memory.read32(word), SenderState.CALL);
    cpu.memory.write32(word, SenderState.CALL);
    return this.go(S.STAMP);
  }

  #callWord(): number {
    return callState(this.process.id, (this.sender as LibSender).index);
  }

  #stamp(cpu: Cpu): StepEnd {
    const scc = follow(cpu, (this.sender as LibSender).scc, Touch.STORE);
    if (scc < 0) return StepEnd.FAULT;
    cpu.charge(this.process.steps.callStamp);
    cpu.memory.write64(scc + Scc.startTime, cpu.clock);
    return this.go(S.JUMP);
  }

  /** Onto the receiver's stack; there our own context is stored where the kernel looks for it. */
  #jump(cpu: Cpu): StepEnd {
    const { memory } = cpu;
    const { context } = this;
    const record = follow(cpu, this.#record, Touch.LOAD);
    const scc = follow(cpu, (this.sender as LibSender).scc, Touch.STORE);
    const saved = saveFrame(cpu, context);
    if (record < 0 || scc < 0 || !saved) return StepEnd.FAULT;
    const handle = handleOf(context);
    memory.write64(scc + Scc.rtc + TaskContext.rip, context.resumeAddress);
    memory.write64(scc + Scc.rtc + TaskContext.rsp, handle + FiberFrame.size);
    if (!jump(cpu, context, memory.read64(record + ReceiverRecord.mainContext), handle, 0)) return StepEnd.FAULT;
    cpu.charge(this.process.steps.callJump);
    this.state = S.BACK;
    return StepEnd.AWAY;
  }

  #back(cpu: Cpu): StepEnd {
    const rcc = follow(cpu, this.#rccOnReturn, Touch.LOAD);
    if (rcc < 0) return StepEnd.FAULT;
    if (cpu.memory.read32(rcc + Rcc.senderState) !== SenderState.RUNNING) {
      // The kernel brought us back: the receiver goes on without us.
      return this.go(S.LEAVE);
    }
    if (cpu.memory.read32(rcc + Rcc.receiverState) !== ReceiverState.LAZY_SWITCH) return this.go(S.END);
    cpu.charge(this.process.steps.dummyRead);
    return this.go(S.DUMMY);
  }

  #end(cpu: Cpu): StepEnd {
    const { memory } = cpu;
    const rcc = follow(cpu, this.#rcc, Touch.STORE);
    const scc = follow(cpu, (this.sender as LibSender).scc, Touch.STORE);
    if (rcc < 0 || scc < 0) return StepEnd.FAULT;
    cpu.charge(this.process.steps.callEnd);
    const slice = cpu.clock - memory.read64(scc + Scc.startTime);
    memory.write64(scc + Scc.totalTime, memory.read64(scc + Scc.totalTime) + slice);
    memory.write64(rcc + Rcc.totalTime, memory.read64(rcc + Rcc.totalTime) + slice);
    return this.go(S.SETTLE);
  }

  /** CALL -> WAIT: others may call. This fails, and may fail, if a lazy switch has changed the state. */
  #settle(cpu: Cpu): StepEnd {
    const word = follow(cpu, this.#receiverState, Touch.STORE);
    if (word < 0) return StepEnd.FAULT;
    const calling = this.#callWord();
    if (cpu.memory.read32(word) === calling) {
      cpu.memory.write32(word, ReceiverState.WAIT);
      this.process.instruments?.receiverState(cpu, word - Rcc.receiverState, 11, calling, ReceiverState.WAIT);
    }
    return this.go(S.MORE);
  }

  /** We must also bring words that others queued while the receiver was ours. */
  #more(cpu: Cpu): StepEnd {
    const pending = follow(cpu, this.#pending, Touch.LOAD);
    if (pending < 0) return StepEnd.FAULT;
    return this.go((cpu.memory.read32(pending) & RPAL_USER_PENDING) !== 0 ? S.BEGIN : S.LEAVE);
  }

  #leave(cpu: Cpu): StepEnd {
    const sender = this.sender as LibSender;
    const scc = follow(cpu, sender.scc, Touch.STORE);
    if (scc < 0) return StepEnd.FAULT;
    cpu.charge(this.process.steps.writeLeave);
    cpu.memory.write32(scc + Scc.magic, this.#outerMagic);
    sender.recovers = this.#outer;
    this.process.loadRights(cpu, this.#pkru);
    return this.finish(this.#value);
  }
}
