import type { Cpu } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import { MachineError } from '../errors.js';
import { SyscallNumber } from '../process/syscall-numbers.js';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';

/**
 * What a system call does. Number and arguments are in the registers of the context that made it.
 * @returns its result (0 or more, or a negative errno), or a `Pending` if it goes on later in `thread.operation`
 */
export type SyscallHandler = (cpu: Cpu, thread: Thread, registers: UserContext) => number;

/** What is known of a system call besides its number and its handler. */
export interface SyscallDeclaration {
  /** For reports. Calls of Linux have the name that `SyscallNumber` gives them. */
  readonly name?: string;
  /** The plugin that defines it. */
  readonly plugin?: string;
  /** Indexes of the arguments that are descriptors: their files stay open while the call sleeps, whatever becomes of the descriptors. */
  readonly holds?: readonly number[];
  /** What of Linux's call it does not do, in a few words. Absent: nothing is known to be missing. */
  readonly missing?: string;
  /**
   * Names of its arguments, for reports, with spaces between: `*` after a name marks an address or flags, `$` a string, `:signal` a signal;
   * `-` stands for a register that carries nothing.
   */
  readonly signature?: string;
}

/** Makes more of a call: what it does not know itself it passes on to what was there. */
export type SyscallExtension = (inner: SyscallHandler) => SyscallHandler;

/** A system call as the table has it. */
export interface Syscall {
  readonly nr: number;
  readonly name: string;
  readonly plugin: string | null;
  readonly holds: readonly number[];
  /** What it does not do, in a few words; null: nothing is known to be missing. */
  readonly missing: string | null;
  readonly signature: string | null;
  readonly handler: SyscallHandler;
}

/** Numbers are below this. Linux 6.15 ends at 467; what lies beyond is room for plugins. */
const LIMIT = 4096;

const LINUX_NAMES = new Map<number, string>(Object.entries(SyscallNumber).map(([name, nr]) => [nr, name]));

const unknown: SyscallHandler = () => -Errno.ENOSYS;

/** The system calls of one machine, by number: those of Linux, and those that plugins define. */
export class SyscallTable {
  readonly #calls: (Syscall | undefined)[] = new Array<Syscall | undefined>(LIMIT).fill(undefined);
  readonly #handlers: SyscallHandler[] = new Array<SyscallHandler>(LIMIT).fill(unknown);
  #sealed = false;

  /**
   * Adds a call.
   * @param nr its number, 0 .. 4095; a plugin's own begin at 1000 by convention
   * @throws MachineError SYSCALL if the number is taken or out of range, the name is missing, an argument to hold is not one of the
   * six, or the machine has been built
   */
  define(
    nr: number,
    handler: SyscallHandler,
    { name = LINUX_NAMES.get(nr), plugin, holds = [], missing, signature }: SyscallDeclaration = {},
  ): void {
    const by = plugin === undefined ? '' : ` by plugin "${plugin}"`;
    const refusal = (why: string) => new MachineError('SYSCALL', `system call ${name ?? nr} cannot be defined${by}: ${why}`);
    if (this.#sealed) throw refusal("the machine has been built; define calls in the plugin's setup()");
    if (!Number.isInteger(nr) || nr < 0 || nr >= LIMIT)
      throw refusal(`its number is ${nr}; choose a whole number from 1000 to ${LIMIT - 1}`);
    if (name === undefined) throw refusal('it has no name; give one: define(nr, handler, { name })');
    if (typeof handler !== 'function') throw refusal('its handler is not a function; give (cpu, thread, registers) => result');
    if (holds.some((index) => !Number.isInteger(index) || index < 0 || index > 5)) {
      throw refusal(`it holds argument ${holds.join(', ')}; arguments are 0 to 5`);
    }
    const other = this.#calls[nr];
    if (other !== undefined) {
      const owner = other.plugin === null ? 'Linux has' : `plugin "${other.plugin}" has defined`;
      throw refusal(`${owner} number ${nr} as ${other.name}; choose a free number from 1000 to ${LIMIT - 1}`);
    }
    this.#set({ nr, name, plugin: plugin ?? null, holds, missing: missing ?? null, signature: signature ?? null, handler });
  }

  /**
   * Makes more of a call that is there, as a plugin that knows further options of it does. Extensions stand on each other: the last one is
   * asked first.
   * @param by gets what was there, and returns what is done from now on
   * @throws MachineError SYSCALL if there is no call with the number, or the machine has been built
   */
  extend(nr: number, by: SyscallExtension, { plugin, holds, missing }: SyscallDeclaration = {}): void {
    const call = this.#calls[nr];
    const refusal = (why: string) =>
      new MachineError('SYSCALL', `system call ${call?.name ?? nr} cannot be extended by plugin "${plugin}": ${why}`);
    if (this.#sealed) throw refusal("the machine has been built; extend calls in the plugin's setup()");
    if (call === undefined) throw refusal('there is none with this number; define it');
    this.#set({ ...call, holds: holds ?? call.holds, missing: missing ?? null, handler: by(call.handler) });
  }

  #set(call: Syscall): void {
    this.#calls[call.nr] = call;
    this.#handlers[call.nr] = call.handler;
  }

  /** From here on the set of calls is fixed. */
  seal(): void {
    this.#sealed = true;
  }

  /** The call with a number; undefined if there is none. */
  get(nr: number): Syscall | undefined {
    return this.#calls[nr];
  }

  /** All calls, by number. */
  *[Symbol.iterator](): Generator<Syscall> {
    for (const call of this.#calls) if (call !== undefined) yield call;
  }

  /** Executes the call whose number is in the registers; -ENOSYS if there is none. */
  dispatch(cpu: Cpu, thread: Thread, registers: UserContext): number {
    const handler = this.#handlers[registers.nr];
    return handler === undefined ? -Errno.ENOSYS : handler(cpu, thread, registers);
  }
}
