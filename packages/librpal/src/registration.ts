import type { Program } from '@rpal/kernel';
import { Rcc, ReceiverState, RpalIoctl, Scc, SenderState } from '@rpal/rpal-core';
import { OpenFlag } from '@rpal/uapi';
import { LibSender } from './call/sender.js';
import { RpalError } from './errors.js';
import { MAX_SENDERS, ReadyQueue, ReceiverRecord, ReceiverStatus, SENDERS_BYTES, SenderRecord } from './layouts.js';
import type { LibProcess, ReceiverParts } from './process/lib-process.js';
import { LibReceiver } from './receive/receiver.js';
import { servicePkey } from './setup.js';

type Routine<T> = Generator<void, T>;

/** Whole records that the sender area holds. */
const SENDER_ROOM = Math.floor(SENDERS_BYTES / SenderRecord.size);

/** The calling thread as a sender (`rpal_sender_init`), which it is not yet. @returns it, or a positive `RpalError` */
export function* makeSender(p: Program, state: LibProcess): Routine<LibSender | number> {
  const index = state.senderSlots.take();
  if (index < 0) return RpalError.SENDER_INIT;
  if (index >= (state.quirk('sender-area-too-small') ? MAX_SENDERS : SENDER_ROOM)) {
    state.senderSlots.give(index, false);
    return RpalError.SENDER_INIT;
  }
  const record = state.senders + index * SenderRecord.size;
  const scc = record + SenderRecord.scc;
  yield* p.store32(record + SenderRecord.index, index);
  yield* p.store32(scc + Scc.senderId, index);
  yield* p.store32(record + SenderRecord.tid, yield* p.gettid());
  yield* p.store32(record + SenderRecord.pkey, yield* servicePkey(p, state));
  yield* p.store64(scc + Scc.erip, LibSender.recoveryAddress(p.context));
  if ((yield* p.ioctl(state.rpalFd, RpalIoctl.REGISTER_SENDER, scc)) !== 0) {
    state.senderSlots.give(index, state.quirk('sender-slot-bitmap'));
    return RpalError.SENDER_REG;
  }
  yield* p.store32(record + SenderRecord.inited, 1);
  return new LibSender(index, scc);
}

/** `rpal_sender_exit`. The record goes on saying that it is in use. */
export function* endSender(p: Program, state: LibProcess, sender: LibSender): Routine<void> {
  const record = state.senders + sender.index * SenderRecord.size;
  yield* p.store32(record + SenderRecord.index, 0);
  yield* p.store32(record + SenderRecord.tid, 0);
  yield* p.ioctl(state.rpalFd, RpalIoctl.UNREGISTER_SENDER, 0);
  state.senderSlots.give(sender.index, state.quirk('sender-slot-bitmap'));
  yield* p.store32(record + SenderRecord.pkey, 0);
}

/** The calling thread as the next receiver (`rpal_receiver_init`), and the eventfd that the library makes for it. */
export interface NewReceiver {
  readonly receiver: LibReceiver;
  readonly eventFd: number;
}

/**
 * @param already the thread is a receiver: it then fails, but only when it has taken a number and written its record
 * @returns null if it cannot be
 */
export function* makeReceiver(p: Program, state: LibProcess, already: boolean): Routine<NewReceiver | null> {
  const wasteful = state.quirk('failed-receiver-takes-number');
  if (!state.initialised || (already && !wasteful)) return null;
  const index = state.nextReceiver++;
  if (index >= state.receiverCount) return null;
  const made = yield* registerReceiver(p, state, index, already);
  if (made === null && !wasteful && state.nextReceiver === index + 1) state.nextReceiver = index;
  return made;
}

function* registerReceiver(p: Program, state: LibProcess, index: number, already: boolean): Routine<NewReceiver | null> {
  const record = state.receivers + index * ReceiverRecord.size;
  const rcc = state.receiverContexts + index * Rcc.size;
  const { readyQueue, stacks } = state.receiverParts[index] as ReceiverParts;
  yield* p.store32(record + ReceiverRecord.status, ReceiverStatus.UNINITIALIZED);
  yield* p.store64(record + ReceiverRecord.tid, yield* p.gettid());
  yield* p.store64(record + ReceiverRecord.tlsBase, p.rdfsbase());
  yield* p.store64(record + ReceiverRecord.queueLock, 0);
  for (const word of [ReadyQueue.begin, ReadyQueue.end, ReadyQueue.reserved]) yield* p.store32(readyQueue + word, 0);
  yield* p.memset(readyQueue + ReadyQueue.fds, 0xff, 4 * ReadyQueue.capacity);
  yield* p.store64(record + ReceiverRecord.rcc, rcc);
  yield* p.store64(record + ReceiverRecord.readyQueue, readyQueue);
  yield* p.store32(rcc + Rcc.epPollMagic, 0);
  yield* p.store32(rcc + Rcc.receiverState, ReceiverState.RUNNING);
  state.instruments?.receiverState(p.context.cpu, rcc, 1, 0, ReceiverState.RUNNING);
  yield* p.store32(rcc + Rcc.epPending, 0);
  yield* p.store32(rcc + Rcc.senderState, SenderState.RUNNING);
  if (already || (yield* p.ioctl(state.rpalFd, RpalIoctl.REGISTER_RECEIVER, rcc)) < 0) return null;
  const eventFd = yield* p.eventfd(0, OpenFlag.CLOEXEC | OpenFlag.NONBLOCK);
  if (eventFd < 0) {
    yield* p.ioctl(state.rpalFd, RpalIoctl.UNREGISTER_RECEIVER, 0);
    return null;
  }
  yield* p.store32(record + ReceiverRecord.status, ReceiverStatus.INITIALIZED);
  return { receiver: new LibReceiver(state, index, { record, rcc, readyQueue, stacks }, p.context), eventFd };
}

/** `rpal_receiver_exit`. */
export function* endReceiver(p: Program, state: LibProcess, { receiver, eventFd }: NewReceiver): Routine<void> {
  yield* p.store32(receiver.record.address + ReceiverRecord.status, ReceiverStatus.UNINITIALIZED);
  yield* p.close(eventFd);
  yield* p.ioctl(state.rpalFd, RpalIoctl.UNREGISTER_RECEIVER, 0);
}
