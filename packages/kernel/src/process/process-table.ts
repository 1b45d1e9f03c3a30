import type { Cpu } from '@rpal/hw-x86';
import type { Process } from './process.js';
import type { Thread } from './thread.js';

/** The processes of a machine by id, zombies included. */
export class ProcessTable {
  readonly #byPid = new Map<number, Process>();
  /** Threads that have not ended, by id. */
  readonly #threads = new Map<number, Thread>();
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

  /** A thread begins: it is found by its id, and by walks over the threads of its process. */
  addThread(thread: Thread): void {
    thread.process.addThread(thread);
    this.#threads.set(thread.pid, thread);
  }

  /** A thread has ended. */
  removeThread(thread: Thread): void {
    const { threads } = thread.process;
    threads.splice(threads.indexOf(thread), 1);
    this.#threads.delete(thread.pid);
  }

  /** A thread becomes the first one of its process, whichever it was, and has the id of the process (Linux: `de_thread`). */
  makeFirst(thread: Thread): void {
    const { process } = thread;
    this.#threads.delete(thread.pid);
    thread.pid = process.pid;
    this.#threads.set(thread.pid, thread);
    process.main = thread;
  }

  /** A process has ended: it stays in the table until somebody has waited for it, or nobody can any more. */
  ended(): void {
    this.#alive--;
  }

  /** Nobody can ask any more how a process ended: its id is free (Linux: `release_task`). */
  remove(cpu: Cpu, process: Process): void {
    this.#byPid.delete(process.pid);
    process.reaped = true;
    process.endWait.wakeAll(cpu);
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

  /**
   * The thread with an id, of whatever process; undefined if there is none. The first thread of a process keeps its id until the process
   * has been reaped: a zombie can be found.
   */
  thread(id: number): Thread | undefined {
    return this.get(id)?.main ?? this.#threads.get(id);
  }

  /** The thread that a call is about, which takes an id of 32 bits: 0 for the caller. */
  target(caller: Thread, register: number): Thread | undefined {
    const id = register | 0;
    return id === 0 || id === caller.pid ? caller : this.thread(id);
  }
}
