import type { Cpu } from '@rpal/hw-x86';
import type { Kernel, KernelSeams, SyscallDeclaration, SyscallExtension, SyscallHandler, SyscallTable, Thread } from '@rpal/kernel';
import { LinuxCall } from '@rpal/uapi';

/** The name of a system call of Linux. @public for plugins that name calls */
export type CallName = keyof typeof LinuxCall;

/** What is said of a call besides what it does. */
type Declaration = Pick<SyscallDeclaration, 'holds' | 'missing' | 'signature'>;

/** The machine that families of calls are added to. */
export class Calls {
  readonly kernel: Kernel;
  readonly hooks: KernelSeams['hooks'];
  /** The plugin's name, for what it taps. */
  readonly plugin: string;
  readonly #table: SyscallTable;

  constructor(kernel: Kernel, plugin: string) {
    this.kernel = kernel;
    this.hooks = kernel.seams.hooks;
    this.plugin = plugin;
    this.#table = kernel.syscalls;
  }

  /** Adds a call of Linux that the kernel does not have. */
  define(name: CallName, handler: SyscallHandler, declaration: Declaration = {}): void {
    this.#table.define(LinuxCall[name], handler, { ...declaration, name, plugin: this.plugin });
  }

  /** Makes more of a call that the kernel has. */
  extend(name: CallName, by: SyscallExtension, declaration: Declaration = {}): void {
    this.#table.extend(LinuxCall[name], by, { ...declaration, plugin: this.plugin });
  }
}

/** What a thread has of a family of calls, from its first use to its end. */
export class PerThread<T> {
  readonly #states = new WeakMap<Thread, T>();
  readonly #make: () => T;

  constructor(make: () => T) {
    this.#make = make;
  }

  /** The state of a thread; made now if it has none. */
  of(thread: Thread): T {
    let state = this.#states.get(thread);
    if (state === undefined) {
      state = this.#make();
      this.#states.set(thread, state);
    }
    return state;
  }

  /** The state of a thread, if it has ever had one. */
  find(thread: Thread): T | undefined {
    return this.#states.get(thread);
  }

  forget(thread: Thread): void {
    this.#states.delete(thread);
  }
}

/** Nanoseconds since the machine was switched on, whole. */
export function nowOf(cpu: Cpu): number {
  return Math.floor(cpu.clock / cpu.costs.tscPerNs);
}
