import type { Process } from './process.js';
import type { Thread } from './thread.js';

/** The processes of a machine by id, zombies included. */
export class ProcessTable {
  readonly #byPid = new Map<number, Process>();
  #alive = 0;

  /** Processes that have not ended. */
  get alive(): number {
    return this.#alive;
  }

  /** A process begins. */
  add(process: Process): void {
    this.#byPid.set(process.pid, process);
    this.#alive++;
  }

  /** A process has ended: it stays in the table until somebody asks how, or nobody can. */
  ended(): void {
    this.#alive--;
  }

  /** Nobody will ask about a process that has ended. */
  remove(process: Process): void {
    this.#byPid.delete(process.pid);
  }

  get(pid: number): Process | undefined {
    return this.#byPid.get(pid);
  }

  /** Processes in the table. */
  get size(): number {
    return this.#byPid.size;
  }

  /** In the order in which they began. */
  [Symbol.iterator](): IterableIterator<Process> {
    return this.#byPid.values();
  }

  /** All threads that have not ended, process by process. */
  *threads(): Generator<Thread> {
    for (const { threads } of this) yield* threads;
  }

  /** The thread with an id, of whatever process; undefined if there is none, or it has ended. */
  thread(id: number): Thread | undefined {
    const main = this.get(id)?.threads[0];
    if (main?.pid === id) return main;
    for (const thread of this.threads()) if (thread.pid === id) return thread;
    return undefined;
  }
}
