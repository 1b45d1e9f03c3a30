import { type Cpu, Touch } from '@rpal/hw-x86';
import { type FutexKey, futexKey, type Kernel, sentBy, type Thread, UserBuffer } from '@rpal/kernel';
import { getUser32, putUser32, TASK_SIZE } from '@rpal/mm';
import { Errno, FutexWord } from '@rpal/uapi';
import { type Calls, PerThread } from '../calls.js';
import { mayAttach } from '../identity/may-attach.js';
import type { TraitTable } from '../identity/traits.js';
import { PosixStep } from '../steps.js';
import { getLong, putLong } from '../user-memory.js';

/** Bytes of `struct robust_list_head`: the list, the way from an entry to its futex, the entry of an operation that is under way. */
const ROBUST_HEAD = 24;
/** The most entries of a list that are looked at: a list may be damaged. */
const ROBUST_LIST_LIMIT = 2048;
/** The command of futex(2) for words that other processes may share. */
const SHARED = 0;
const { TID_MASK, WAITERS, OWNER_DIED } = FutexWord;

/** What to do when a thread ends or executes another image. */
interface Life {
  /** Where its id is cleared, and a waiter for that is woken; 0: nowhere (set_tid_address). */
  clearTid: number;
  /** Address of its `struct robust_list_head`; 0: none. */
  robust: number;
}

/** The end of threads, as a C library wants it: robust futexes are released, and a joining thread is woken (Linux: `mm_release`). */
export class ThreadLife {
  readonly #kernel: Kernel;
  readonly #lives = new PerThread<Life>(() => ({ clearTid: 0, robust: 0 }));
  readonly #key: FutexKey = { address: 0, space: 0, offset: 0 };
  readonly #head = new UserBuffer(ROBUST_HEAD);

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  clearTidOf(thread: Thread): number {
    return this.#lives.find(thread)?.clearTid ?? 0;
  }

  setClearTid(thread: Thread, address: number): void {
    this.#lives.of(thread).clearTid = address;
  }

  robustOf(thread: Thread): number {
    return this.#lives.find(thread)?.robust ?? 0;
  }

  setRobust(thread: Thread, head: number): void {
    this.#lives.of(thread).robust = head;
  }

  /** A thread lets go of its memory, which is still there. */
  release(cpu: Cpu, thread: Thread): void {
    const life = this.#lives.find(thread);
    if (life === undefined) return;
    this.#lives.forget(thread);
    if (life.robust !== 0) this.#releaseRobust(cpu, thread, life.robust);
    const { process } = thread;
    const others = process.threads.some((other) => other !== thread) || process.mm.users > 1;
    if (life.clearTid === 0 || !others) return;
    putUser32(cpu, thread.memory, life.clearTid, 0);
    this.#wake(cpu, thread, life.clearTid);
  }

  /** exit_robust_list: futexes that the thread holds say from now on that their owner has died. */
  #releaseRobust(cpu: Cpu, thread: Thread, head: number): void {
    const buffer = this.#head;
    if (buffer.load(cpu, thread, head, ROBUST_HEAD) < 0) return;
    const first = buffer.u64(0);
    const offset = buffer.i64(8);
    const pending = buffer.u64(16);
    let [entry, pi] = [first - (first % 2), first % 2 === 1];
    for (let seen = 0; entry !== head && seen < ROBUST_LIST_LIMIT; seen++) {
      // The next one is looked up before a thread that is woken can take this one out.
      const next = getLong(cpu, thread, entry);
      if (entry !== pending - (pending % 2) && !this.#ownerDied(cpu, thread, entry + offset, pi, false)) return;
      if (next < 0) return;
      [entry, pi] = [next - (next % 2), next % 2 === 1];
    }
    if (pending !== 0) this.#ownerDied(cpu, thread, pending - (pending % 2) + offset, pending % 2 === 1, true);
  }

  /** handle_futex_death. @param pending of an operation that was under way @returns false if the word cannot be reached */
  #ownerDied(cpu: Cpu, thread: Thread, address: number, pi: boolean, pending: boolean): boolean {
    if (address % 4 !== 0 || address >= TASK_SIZE) return false;
    const word = getUser32(cpu, thread.memory, address);
    if (word < 0) return false;
    const owner = word & TID_MASK;
    // It died between letting go of the lock and waking the next one.
    if (pending && !pi && owner === 0) {
      this.#wake(cpu, thread, address);
      return true;
    }
    if (owner !== thread.pid) return true;
    if (putUser32(cpu, thread.memory, address, (word & WAITERS) | OWNER_DIED) < 0) return false;
    if (!pi && (word & WAITERS) !== 0) this.#wake(cpu, thread, address);
    return true;
  }

  #wake(cpu: Cpu, thread: Thread, address: number): void {
    if (futexKey(cpu, thread, address, SHARED, Touch.STORE, this.#key) === 0)
      this.#kernel.futexes.wake(cpu, this.#key.space, this.#key.offset, 1);
  }
}

/** set_tid_address, robust lists, and what else happens when a thread ends. */
export function defineLifeCalls(calls: Calls, life: ThreadLife, traits: TraitTable): void {
  const { kernel, hooks, plugin } = calls;

  calls.define('set_tid_address', (cpu, thread, { a0 }) => {
    cpu.charge(PosixStep.identity);
    life.setClearTid(thread, a0);
    return thread.pid;
  });

  calls.define('set_robust_list', (cpu, thread, { a0, a1 }) => {
    cpu.charge(PosixStep.ownField);
    if (a1 !== ROBUST_HEAD) return -Errno.EINVAL;
    life.setRobust(thread, a0);
    return 0;
  });

  calls.define('get_robust_list', (cpu, thread, { a0, a1, a2 }) => {
    cpu.charge(PosixStep.identity);
    const target = kernel.processes.target(thread, a0);
    if (target === undefined) return -Errno.ESRCH;
    if (!mayAttach(thread.process, target.process, traits)) return -Errno.EPERM;
    return putLong(cpu, thread, a2, ROBUST_HEAD) || putLong(cpu, thread, a1, life.robustOf(target));
  });

  hooks.kernelMemoryRelease.tap(plugin, (cpu, thread) => life.release(cpu, thread));
  hooks.kernelClone.tap(plugin, (_cpu, parent, child) => traits.fork(parent, child));
  hooks.kernelThreadExit.tap(plugin, (cpu, thread) => {
    for (const child of thread.process.children) {
      const { parentDeathSignal } = traits.of(child);
      if (parentDeathSignal !== 0 && child.forkedBy === thread && child.exit === null)
        kernel.signals.sendToProcess(cpu, child, parentDeathSignal, sentBy(thread.process.credentials));
    }
  });
}
