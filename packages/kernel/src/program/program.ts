import { MachineError } from '../errors.js';
import { EventCalls } from './event-calls.js';
import { FileCalls } from './file-calls.js';
import { MemoryCalls } from './memory-calls.js';
import { ProcessCalls } from './process-calls.js';
import type { ProgramBase } from './program-base.js';
import type { ProgramContext } from './program-context.js';
import { SchedCalls } from './sched-calls.js';
import { SignalCalls } from './signal-calls.js';
import { SocketCalls } from './socket-calls.js';
import { UserMode } from './user-mode.js';

/** A family of calls: a class of methods, without fields or a constructor of its own. */
export type CallFamily = abstract new (context: ProgramContext) => ProgramBase;

/**
 * What a program sees of its machine: system calls with Linux's results (a negative errno on failure), memory, time.
 * Everything that may fault or wait is used with `yield*`.
 *
 * The methods are declared by families, one class and file for each. A package or plugin adds a family of its own in three steps: it writes
 * the class, tells the compiler, and registers the class before programs run, best in the plugin's `setup`:
 *
 * ```ts
 * import { type Call, Program, ProgramBase } from '@rpal/kernel';
 *
 * class InotifyCalls extends ProgramBase {
 *   inotifyInit(flags = 0): Call {
 *     return this.syscall(INOTIFY_INIT1, flags);
 *   }
 * }
 *
 * declare module '@rpal/kernel' {
 *   interface Program extends InotifyCalls {}
 * }
 *
 * Program.add(InotifyCalls);
 * ```
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: Program.add gives the class what the interface below says
export class Program extends UserMode {
  /**
   * Gives all programs the methods of a family. Adding it again does nothing.
   * @throws MachineError SYSCALL if programs have another method of the same name; nothing is added then
   */
  static add(family: CallFamily): void {
    const methods = Object.entries(Object.getOwnPropertyDescriptors(family.prototype)).filter(([name]) => name !== 'constructor');
    for (const [name, { value, get }] of methods) {
      if (!(name in Program.prototype)) continue;
      const present = Object.getOwnPropertyDescriptor(Program.prototype, name);
      if (present !== undefined && present.value === value && present.get === get) continue;
      throw new MachineError('SYSCALL', `${family.name} cannot be added: programs have a method ${name} already; choose another name`);
    }
    for (const [name, method] of methods) Object.defineProperty(Program.prototype, name, method);
  }
}

/** What the families declare; `Program.add` gives it to the class. */
export interface Program extends EventCalls, FileCalls, MemoryCalls, ProcessCalls, SchedCalls, SignalCalls, SocketCalls {}

const families = [EventCalls, FileCalls, MemoryCalls, ProcessCalls, SchedCalls, SignalCalls, SocketCalls];
for (const family of families) Program.add(family);
