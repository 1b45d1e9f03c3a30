import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import {
  Rcc,
  ReceiverState,
  RPAL_KERNEL_PENDING,
  RPAL_RECEIVER_STATE_MASK,
  RPAL_USER_PENDING,
  RpalFlag,
  rpalThread,
  SenderState,
} from '@rpal/rpal-core';
import { ownerOf } from './scenarios/invariants.js';
import type { Run } from './search/run.js';

/** What can be seen of a CPU between two steps. */
export interface CpuPicture {
  /** Whose kernel context is current: the name of its process, or `idle`. */
  readonly task: string;
  /** Whose user code the CPU executes; null if it is in the kernel, or idle. */
  readonly code: string | null;
  readonly pkru: number;
  /** The point of a kernel entry at which it is held while others have their turn. */
  readonly heldAt: string | null;
}

/** What can be seen of a receiver. */
export interface ReceiverPicture {
  readonly name: string;
  /** Its state word, by name; while it is being called, with the caller's service and sender. */
  readonly state: string;
  /** Its caller's state. */
  readonly sender: string;
  /** LAZY_SWITCHED, CPU_LOCKED, WAKE, KERNEL_PENDING, USER_PENDING: those that are set. */
  readonly flags: readonly string[];
}

export interface Picture {
  readonly cpus: readonly CpuPicture[];
  readonly receivers: readonly ReceiverPicture[];
}

const nameOf = (names: Readonly<Record<string, number>>, value: number): string =>
  Object.keys(names).find((name) => names[name] === value) ?? `${value}`;

/** The state word of a receiver in words. @public for pictures of your own */
export function describeState(word: number): string {
  const state = word & RPAL_RECEIVER_STATE_MASK;
  const name = nameOf(ReceiverState, state);
  return state === ReceiverState.CALL ? `CALL(service ${word >>> 24}, sender ${(word >>> 8) & 0xffff})` : name;
}

/** The state word of a sender in words. @public for pictures of your own */
export function describeSenderState(word: number): string {
  return nameOf(SenderState, word);
}

/** The state at this point of a run. */
export function pictureOf({ stage, heldAt }: Run): Picture {
  const { platform, kernel } = stage.machine;
  const { scheduler } = kernel;
  const cpus = platform.cpus.map((cpu) => {
    const current = scheduler.current(cpu);
    const idle = current === scheduler.runQueue(cpu).idle;
    const inKernel = idle || cpu.context === scheduler.kernelMode || heldAt[cpu.id] !== null;
    return {
      task: idle ? 'idle' : current.name,
      code: inKernel ? null : (ownerOf(cpu.context)?.name ?? current.name),
      pkru: cpu.mmu.pkru >>> 0,
      heldAt: heldAt[cpu.id] ?? null,
    };
  });
  const receivers = [...stage.rpal.byKey.values()].flatMap((service) => service.receivers.map(receiverPicture));
  return { cpus, receivers };
}

function receiverPicture(thread: Thread): ReceiverPicture {
  const { flags, role } = rpalThread(thread);
  const { memory } = thread.cpu as Cpu;
  const pending = memory.read32(role.rcc + Rcc.epPending);
  const set: string[] = [];
  for (const flag of ['LAZY_SWITCHED', 'CPU_LOCKED', 'WAKE'] as const) if ((flags & RpalFlag[flag]) !== 0) set.push(flag);
  if ((pending & RPAL_KERNEL_PENDING) !== 0) set.push('KERNEL_PENDING');
  if ((pending & RPAL_USER_PENDING) !== 0) set.push('USER_PENDING');
  return {
    name: thread.name,
    state: describeState(memory.read32(role.rcc + Rcc.receiverState)),
    sender: describeSenderState(memory.read32(role.rcc + Rcc.senderState)),
    flags: set,
  };
}
