import type { Process } from './process.js';
import type { Thread } from './thread.js';

interface HasProcesses {
  readonly processes: ReadonlyMap<number, Process>;
}

/** All threads that have not ended, process by process. */
export function* threadsOf(kernel: HasProcesses): Generator<Thread> {
  for (const { threads } of kernel.processes.values()) yield* threads;
}

/** The thread with an id, of whatever process; undefined if there is none, or it has ended. */
export function threadWithId(kernel: HasProcesses, id: number): Thread | undefined {
  const main = kernel.processes.get(id)?.threads[0];
  if (main?.pid === id) return main;
  for (const thread of threadsOf(kernel)) if (thread.pid === id) return thread;
  return undefined;
}
