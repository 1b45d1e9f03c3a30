import { HwStep } from '../costs/steps.js';
import type { CoherentCore } from './coherence.js';
import { type KernelLock, LockKind, tellPassed, tellReleased, tellTaken } from './kernel-lock.js';

/**
 * A kernel object's spinlock and the cache lines it guards. The lines move to the core that touches them; the lock
 * carries the time of its last release, so a core that asks for it earlier on its own clock waits until then.
 * That is how contention costs time although every step runs whole.
 */
export class SpinLock implements KernelLock {
  readonly name: string;
  readonly kind: number;
  /** How many cache lines of the object a critical section touches. */
  readonly lines: number;
  /** The core that touched the lines last, and held the lock until `#freeAt`. */
  #holder: CoherentCore | null = null;
  #freeAt = 0;

  /** @param name what it protects; locks of one name are a class @param kind one of `LockKind`: what it is in Linux */
  constructor(lines: number, name: string, kind: number = LockKind.SPIN) {
    this.lines = lines;
    this.name = name;
    this.kind = kind;
  }

  /** Brings the object's lines to `cpu` without locking. */
  touch(cpu: CoherentCore): void {
    const holder = this.#holder;
    if (holder === cpu) return;
    if (holder !== null && holder.core !== cpu.core) cpu.transfer.move(cpu, holder.core, this.lines);
    this.#holder = cpu;
  }

  // Whether anybody listens is looked at here, too: locks are taken some twenty times a message.
  acquire(cpu: CoherentCore): void {
    // A core's own release is never later than its clock.
    if (this.#holder !== cpu) this.#waitFor(cpu);
    if (cpu.lockTaken.observed) tellTaken(cpu, this, '');
  }

  /** A critical section that takes no time of its own: its work is part of a step charged before. */
  pass(cpu: CoherentCore): void {
    if (this.#holder !== cpu) this.#waitFor(cpu);
    this.#freeAt = cpu.clock;
    if (cpu.lockTaken.observed || cpu.lockReleased.observed) tellPassed(cpu, this, '');
  }

  release(cpu: CoherentCore): void {
    this.#freeAt = cpu.clock;
    if (cpu.lockReleased.observed) tellReleased(cpu, this);
  }

  #waitFor(cpu: CoherentCore): void {
    this.touch(cpu);
    if (this.#freeAt > cpu.clock) cpu.chargeCycles(HwStep.lockWait, this.#freeAt - cpu.clock);
  }
}
