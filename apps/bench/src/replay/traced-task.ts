import type { SignalBits, Thread } from '@rpal/kernel';
import { AddressMap } from './address-map.js';
import { Scratch } from './guest-memory.js';
import type { TracedCall } from './trace-line.js';

/** The outcome of a call in the model. */
export interface Outcome {
  readonly result: number;
  /** Where memory differs from the trace after it; empty: nowhere. */
  readonly differences: readonly string[];
  /** What of it was not compared, such as times. */
  readonly ignored: ReadonlySet<string>;
}

/** What a task is to do next: a call, the end of its signal handler, or to look at the signals that have come. */
export type Command = TracedCall | 'return' | 'signal';

/** A thread of the trace, and the thread of the model that plays it. */
export class TracedTask {
  readonly pid: number;
  thread: Thread | null = null;
  /** Its number in the model; 0 until it is made. */
  modelPid = 0;
  /** Calls that have come back in the trace, and whose result the handler of a signal keeps from the model's program. */
  readonly late: { readonly call: TracedCall; readonly line: number }[] = [];
  /** The process's own memory: threads share it. */
  addresses: AddressMap;
  /** Descriptors that have another number in the model. */
  readonly descriptors: Map<number, number>;
  scratch: Scratch | null;
  command: Command | null = null;
  /** Signals that it blocks, while it waits for a command and blocks all. */
  mask: SignalBits = { low: 0, high: 0 };
  /** It waits for a command. */
  parked = false;
  /** Handlers that it is in. */
  depth = 0;
  /** What was begun and has not come back, innermost last. */
  readonly pending: TracedCall[] = [];
  /** A call that a signal has interrupted, and that is to go on. */
  interrupted: TracedCall | null = null;

  private constructor(pid: number, addresses: AddressMap, descriptors: Map<number, number>, scratch: Scratch | null) {
    this.pid = pid;
    this.addresses = addresses;
    this.descriptors = descriptors;
    this.scratch = scratch;
  }

  static first(pid: number): TracedTask {
    return new TracedTask(pid, new AddressMap(), new Map(), null);
  }

  /** What clone makes of it. */
  child(pid: number, kind: 'process' | 'thread'): TracedTask {
    if (kind === 'thread') return new TracedTask(pid, this.addresses, this.descriptors, null);
    const scratch = this.scratch === null ? null : new Scratch(this.scratch.start);
    return new TracedTask(pid, new AddressMap(this.addresses), new Map(this.descriptors), scratch);
  }

  /** Its memory is new: exec. */
  renewed(): void {
    this.addresses = new AddressMap();
    this.scratch = null;
    this.depth = 0;
  }

  get ended(): boolean {
    return this.thread !== null && !this.thread.process.threads.includes(this.thread);
  }
}
