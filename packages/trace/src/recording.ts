import { definePlugin, type Plugin } from '@rpal/bus';
import type { Machine, Process, Thread } from '@rpal/kernel';
import { LazySwitch, ReceiverState, RPAL_RECEIVER_STATE_MASK } from '@rpal/rpal-core';
import type { Task } from '@rpal/sched';

/** A thread, or the idle task of a CPU, as a trace names it. */
export interface Who {
  /** Thread id; 0 for idle tasks. */
  readonly tid: number;
  readonly pid: number;
  readonly name: string;
}

/** Something that happened. Times are TSC cycles since boot. */
export type TraceEvent = { readonly cpu: number; readonly time: number } & (
  | {
      readonly kind: 'switch';
      readonly from: Who;
      readonly to: Who /** Whether `from` stopped running because it waits. */;
      readonly waits: boolean;
    }
  | { readonly kind: 'wake-up'; readonly who: Who; readonly target: number }
  | { readonly kind: 'idle begin' }
  | { readonly kind: 'idle end' }
  | { readonly kind: 'call begin'; readonly who: Who; readonly call: string }
  | { readonly kind: 'call end'; readonly who: Who; readonly result: number }
  | { readonly kind: 'interrupt'; readonly vector: number }
  | { readonly kind: 'ipi'; readonly target: number; readonly vector: number }
  | { readonly kind: 'page fault'; readonly address: number }
  | { readonly kind: 'tlb flush'; readonly interrupted: number }
  | { readonly kind: 'put'; readonly queue: string; readonly bytes: number; readonly who: Who }
  | { readonly kind: 'taken'; readonly queue: string; readonly bytes: number; readonly who: Who }
  | { readonly kind: 'lazy switch'; readonly from: Who; readonly to: Who; readonly direction: 'to receiver' | 'to sender' }
  | { readonly kind: 'receiver state'; readonly receiver: number; readonly state: string }
  | { readonly kind: 'rights'; readonly pkru: number }
);

/** What a recorder has seen, in the order of time. */
export interface Recording {
  readonly events: readonly TraceEvent[];
  /** Who ran at the beginning, by CPU. */
  readonly running: readonly Who[];
  readonly tscGHz: number;
  /** Of the first and the last moment, TSC cycles since boot. */
  readonly begin: number;
  readonly end: number;
}

const RECEIVER_STATES = new Map<number, string>(Object.entries(ReceiverState).map(([name, value]) => [value, name]));

/**
 * A plugin that records what happens between `begin` and `end` by observing events: the run is the same with it and without. What RPAL does
 * is noted where `rpal()` is plugged in, too.
 */
export class Recorder {
  readonly plugin: Plugin;
  #machine: Machine | null = null;
  #events: TraceEvent[] = [];
  #on = false;
  #running: readonly Who[] = [];
  #begin = 0;
  #end = 0;

  constructor() {
    this.plugin = definePlugin({
      name: '@rpal/trace',
      version: '0.1.0',
      requires: { '@rpal/kernel': '^0.3.0' },
      setup: ({ plugin, events, machine }) => {
        this.#machine = machine as Machine;
        const note = (event: TraceEvent): void => {
          if (this.#on) this.#events.push(event);
        };
        events.contextSwitch.on(plugin, (cpu, time, prev, next) =>
          note({ kind: 'switch', cpu, time, from: nameOf(prev), to: nameOf(next), waits: !prev.onRq }),
        );
        events.wakeUp.on(plugin, (cpu, time, task, target) => note({ kind: 'wake-up', cpu, time, who: nameOf(task), target }));
        events.haltEntered.on(plugin, (cpu, time) => note({ kind: 'idle begin', cpu, time }));
        events.haltLeft.on(plugin, (cpu, time) => note({ kind: 'idle end', cpu, time }));
        events.syscallEnter.on(plugin, (cpu, time, thread, nr) =>
          note({
            kind: 'call begin',
            cpu,
            time,
            who: nameOf(thread),
            call: (machine as Machine).kernel.syscalls.get(nr)?.name ?? `call ${nr}`,
          }),
        );
        events.syscallExit.on(plugin, (cpu, time, thread, result) => note({ kind: 'call end', cpu, time, who: nameOf(thread), result }));
        events.interruptTaken.on(plugin, (cpu, time, vector) => note({ kind: 'interrupt', cpu, time, vector }));
        events.ipiSent.on(plugin, (cpu, time, target, vector) => note({ kind: 'ipi', cpu, time, target, vector }));
        events.pageFault.on(plugin, (cpu, time, _mm, address) => note({ kind: 'page fault', cpu, time, address }));
        events.tlbFlush.on(plugin, (cpu, time, _mm, _start, _end, interrupted) => note({ kind: 'tlb flush', cpu, time, interrupted }));
        events.messagePut.on(plugin, (cpu, time, queue, bytes, task) =>
          note({ kind: 'put', cpu, time, queue: queue.name, bytes, who: nameOf(task) }),
        );
        events.messageTaken.on(plugin, (cpu, time, queue, bytes, task) =>
          note({ kind: 'taken', cpu, time, queue: queue.name, bytes, who: nameOf(task) }),
        );
        if (!('rpalLazySwitch' in events)) return;
        events.rpalLazySwitch.on(plugin, (cpu, time, from, to, direction) =>
          note({
            kind: 'lazy switch',
            cpu,
            time,
            from: nameOf(from),
            to: nameOf(to),
            direction: direction === LazySwitch.TO_RECEIVER ? 'to receiver' : 'to sender',
          }),
        );
        events.rpalReceiverState.on(plugin, (cpu, time, rcc, _row, _from, to) =>
          note({
            kind: 'receiver state',
            cpu,
            time,
            receiver: rcc,
            state: RECEIVER_STATES.get(to & RPAL_RECEIVER_STATE_MASK) ?? String(to),
          }),
        );
        events.rpalRights.on(plugin, (cpu, time, pkru) => note({ kind: 'rights', cpu, time, pkru }));
      },
    })();
  }

  begin(): void {
    this.#on = true;
    this.#begin = this.#now();
    const { kernel, platform } = this.#machine as Machine;
    this.#running = platform.cpus.map((cpu) => nameOf(kernel.scheduler.runQueue(cpu).current));
  }

  end(): void {
    this.#on = false;
    this.#end = this.#now();
  }

  get recording(): Recording {
    const { platform } = this.#machine as Machine;
    // CPUs take turns, so the record is in order for each of them only.
    const events = [...this.#events].sort((a, b) => a.time - b.time);
    const last = events.at(-1)?.time ?? 0;
    return {
      events,
      running: this.#running,
      tscGHz: platform.profile.clock.tscGHz,
      begin: Math.min(this.#begin, events[0]?.time ?? this.#begin),
      end: Math.max(this.#end, last),
    };
  }

  #now(): number {
    return (this.#machine as Machine).platform.now;
  }
}

/** Threads have a process; idle tasks have none. */
function nameOf(task: Task): Who {
  const { process, pid } = task as Partial<Thread> & Task & { process?: Process };
  if (process === undefined) return { tid: 0, pid: 0, name: 'idle' };
  return { tid: pid, pid: process.pid, name: process.name };
}
