import type { Cpu } from '@rpal/hw-x86';
import { done, type Program, type Thread } from '@rpal/kernel';
import { TaskState } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { begin, Pending } from '@rpal/vfs';
import type { Meeting, Routine } from './mechanism.js';
import type { Ends } from './related.js';
import { lookAgain } from './waiting.js';

/** Both sides' thread ids, known once each has begun. @public for mechanisms of your own */
export interface Threads {
  readonly tids: number[];
  readonly self: 0 | 1;
}

/** What both sides of a mechanism know that has nothing but their threads. @public for mechanisms of your own */
export function* openThreads(p: Program): Routine<Ends<Threads>> {
  const tids = [done('gettid', yield* p.gettid())];
  return [
    { tids, self: 0 },
    { tids, self: 1 },
  ];
}

/** Says which thread this side is, and waits until the other one has said so. @returns that one's id @public for mechanisms of your own */
export function* otherThread(p: Program, { tids, self }: Threads, meeting: Meeting): Routine<number> {
  tids[self] = done('gettid', yield* p.gettid());
  while (tids[1 - self] === undefined) yield* lookAgain(p, meeting);
  return tids[1 - self] as number;
}

/**
 * The end of a system call whose threads switch to each other: sleeps until another one takes this thread out of `waiting`, or a signal comes.
 * @param name of the call @public for mechanisms of your own
 */
export function untilSwitchedTo(cpu: Cpu, thread: Thread, waiting: Set<Thread>, name: string): number {
  waiting.add(thread);
  return begin(cpu, thread, {
    step(on: Cpu) {
      if (!waiting.has(thread)) return 0;
      if (thread.signalPending) {
        waiting.delete(thread);
        return -Errno.ERESTARTSYS;
      }
      thread.prepareToSleep(on, TaskState.INTERRUPTIBLE, { describe: () => name });
      return Pending.SLEEP;
    },
  });
}

/** Registers that carry a message through a call: its arguments are numbers, which do not hold 64 bits. @public for mechanisms of your own */
export class MessageRegisters {
  readonly #bytes: WeakMap<Thread, Uint8Array> = new WeakMap();

  /** What a thread has in them. */
  of(thread: Thread): Uint8Array {
    return this.#bytes.get(thread) ?? new Uint8Array();
  }

  set(thread: Thread, bytes: Uint8Array): void {
    this.#bytes.set(thread, bytes);
  }

  /** The program puts a message into its registers. */
  *load(p: Program, address: number, length: number): Routine {
    const bytes = new Uint8Array(length);
    yield* p.loadBytes(address, bytes);
    this.set(p.context.thread, bytes);
  }

  /** The program takes the message that has come in its registers. */
  *store(p: Program, address: number, length: number): Routine {
    yield* p.storeBytes(address, this.of(p.context.thread).subarray(0, length));
  }
}
