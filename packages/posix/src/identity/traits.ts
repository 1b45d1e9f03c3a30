import type { Process, Thread } from '@rpal/kernel';

/** What a process has chosen about itself by prctl and the like. */
export interface Traits {
  /** PR_SET_DUMPABLE: 1, or 0 after it has changed who it is. */
  dumpable: number;
  /** Sent to it when the thread ends that forked it; 0: none. Not inherited. */
  parentDeathSignal: number;
  noNewPrivileges: boolean;
  personality: number;
  machineCheckKill: number;
  hugePagesDisabled: boolean;
  memoryMerge: boolean;
  ioFlusher: boolean;
  writeOrExecute: number;
}

function first(): Traits {
  return {
    dumpable: 1,
    parentDeathSignal: 0,
    noNewPrivileges: false,
    personality: 0,
    machineCheckKill: 2,
    hugePagesDisabled: false,
    memoryMerge: false,
    ioFlusher: false,
    writeOrExecute: 0,
  };
}

/** The traits of the processes of a machine. */
export class TraitTable {
  readonly #traits = new WeakMap<Process, Traits>();

  of(process: Process): Traits {
    let traits = this.#traits.get(process);
    if (traits === undefined) {
      traits = first();
      this.#traits.set(process, traits);
    }
    return traits;
  }

  /** A process has been forked. */
  fork(parent: Thread, child: Thread): void {
    if (parent.process === child.process || !this.#traits.has(parent.process)) return;
    this.#traits.set(child.process, { ...this.of(parent.process), parentDeathSignal: 0 });
  }
}
