import type { Cpu } from '@rpal/hw-x86';
import { type Thread, UserBuffer } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import { type Calls, PerThread } from '../calls.js';
import { PosixStep } from '../steps.js';

/** Flags of a `stack_t`. AUTODISARM is a 32-bit signed number, like all masks in the model. */
export const StackFlag = { ONSTACK: 1, DISABLE: 2, AUTODISARM: 0x8000_0000 | 0 } as const;
/** No stack is smaller (MINSIGSTKSZ). */
const SMALLEST = 2048;
/** Bytes of a `stack_t`: address, flags, size. */
export const STACK_T = 24;

/** A stack that signal handlers may run on. */
export interface AlternateStack {
  readonly address: number;
  readonly bytes: number;
  /** AUTODISARM, or 0. */
  readonly flags: number;
}

const NONE: AlternateStack = { address: 0, bytes: 0, flags: 0 };

/** The alternate signal stacks of a machine's threads. */
export class AlternateStacks {
  readonly #stacks = new PerThread<{ stack: AlternateStack }>(() => ({ stack: NONE }));
  readonly #buffer = new UserBuffer(STACK_T);

  of(thread: Thread): AlternateStack {
    return this.#stacks.find(thread)?.stack ?? NONE;
  }

  /** The thread no longer has one. */
  reset(thread: Thread): void {
    this.#stacks.forget(thread);
  }

  /** The child of a fork has its parent's; a new thread has none. */
  fork(parent: Thread, child: Thread): void {
    if (child.process !== parent.process) this.#stacks.of(child).stack = this.of(parent);
  }

  /** Does a stack pointer lie on the thread's alternate stack? One that disarms itself is never used twice. */
  isOn(thread: Thread, pointer: number): boolean {
    const { address, bytes, flags } = this.of(thread);
    return (flags & StackFlag.AUTODISARM) === 0 && pointer > address && pointer - address <= bytes;
  }

  /** sigaltstack(2). @param pointer the caller's stack pointer */
  call(cpu: Cpu, thread: Thread, wanted: number, old: number, pointer: number): number {
    const before = this.of(thread);
    const used = before.bytes === 0 ? StackFlag.DISABLE : this.isOn(thread, pointer) ? StackFlag.ONSTACK : 0;
    if (wanted !== 0) {
      const failed = this.take(cpu, thread, wanted, pointer);
      if (failed < 0) return failed;
    }
    if (old === 0) return 0;
    const buffer = this.#buffer
      .set64(0, before.address)
      .set32(8, used | before.flags)
      .set32(12, 0)
      .set64(16, before.bytes);
    return buffer.store(cpu, thread, old, STACK_T) < 0 ? -Errno.EFAULT : 0;
  }

  /** The stack that a `stack_t` in user memory describes is the thread's from now on. */
  take(cpu: Cpu, thread: Thread, at: number, pointer: number): number {
    const buffer = this.#buffer;
    if (buffer.load(cpu, thread, at, STACK_T) < 0) return -Errno.EFAULT;
    const [address, given, bytes] = [buffer.u64(0), buffer.i32(8), buffer.u64(16)];
    if (this.isOn(thread, pointer)) return -Errno.EPERM;
    const mode = given & ~StackFlag.AUTODISARM;
    if (mode !== 0 && mode !== StackFlag.ONSTACK && mode !== StackFlag.DISABLE) return -Errno.EINVAL;
    const flags = given & StackFlag.AUTODISARM;
    const stacks = this.#stacks.of(thread);
    // What says what there is changes nothing.
    if (mode === 0 && address === stacks.stack.address && bytes === stacks.stack.bytes && flags === stacks.stack.flags) return 0;
    if (mode === StackFlag.DISABLE) {
      stacks.stack = { ...NONE, flags };
      return 0;
    }
    if (bytes < SMALLEST) return -Errno.ENOMEM;
    stacks.stack = { address, bytes, flags };
    return 0;
  }
}

/** sigaltstack. */
export function defineAlternateStacks(calls: Calls, stacks: AlternateStacks): void {
  const { hooks, plugin } = calls;
  calls.define('sigaltstack', (cpu, thread, registers) => {
    cpu.charge(PosixStep.structure);
    return stacks.call(cpu, thread, registers.a0, registers.a1, registers.rsp);
  });
  hooks.kernelClone.tap(plugin, (_cpu, parent, child) => stacks.fork(parent, child));
  hooks.kernelMemoryRelease.tap(plugin, (_cpu, thread) => stacks.reset(thread));
}
