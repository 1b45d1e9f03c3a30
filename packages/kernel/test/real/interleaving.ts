import type { Cpu, Platform } from '@rpal/hw-x86';

/** A point at which several processors could take the next step. */
interface Decision {
  /** The processors that could, by number; the one that stepped before comes first if it is among them. */
  readonly enabled: readonly number[];
  readonly chosen: number;
  /** The processor that stepped before could have gone on: another choice interrupts it. */
  readonly goesOn: boolean;
}

/** What is armed within this time is a wake-up on its way, not a timer of a program. */
const ON_ITS_WAY = 200_000;

/** Executes a machine to its rest, one atomic step at a time, in an order that choices decide instead of the clocks. */
export class Interleaving {
  readonly decisions: Decision[] = [];
  readonly #choices: readonly number[];

  /** @param choices processors for the first decisions; from then on whoever is stepping goes on as long as it can */
  constructor(choices: readonly number[]) {
    this.#choices = choices;
  }

  run(platform: Platform, horizon: number): void {
    let last = -1;
    for (;;) {
      const enabled = this.#enabled(platform, last, horizon);
      if (enabled.length === 0) return;
      last = this.#decide(enabled, last);
      platform.stepOnce(platform.cpus[last] as Cpu);
    }
  }

  #enabled(platform: Platform, last: number, horizon: number): number[] {
    const { cpus, queue } = platform;
    let latest = 0;
    for (const { clock } of cpus) latest = Math.max(latest, clock);
    while (queue.nextTime < latest + ON_ITS_WAY || (queue.nextTime <= horizon && cpus.every(({ halted }) => halted))) queue.pop().fire();
    const enabled = cpus.filter(({ halted }) => !halted).map(({ id }) => id);
    if (enabled.includes(last)) enabled.sort((a, b) => Number(b === last) - Number(a === last) || a - b);
    return enabled;
  }

  #decide(enabled: readonly number[], last: number): number {
    if (enabled.length === 1) return enabled[0] as number;
    const wanted = this.#choices[this.decisions.length];
    const chosen = wanted !== undefined && enabled.includes(wanted) ? wanted : (enabled[0] as number);
    this.decisions.push({ enabled, chosen, goesOn: enabled[0] === last });
    return chosen;
  }
}

/** The orders in which one call, and those whom it lets go on, can be executed. */
export interface Order {
  readonly choices: readonly number[];
  /** How often a processor that could go on had to wait for another one. */
  readonly interruptions: number;
}

/**
 * Enumerates orders, those with fewer interruptions first. `execute` runs one from the same beginning each time.
 * @param interruptions at most so many
 */
export function* orders<T>(
  execute: (interleaving: Interleaving) => T,
  interruptions: number,
): Generator<{ readonly order: Order; readonly result: T }> {
  const waiting: Order[][] = Array.from({ length: interruptions + 1 }, () => []);
  (waiting[0] as Order[]).push({ choices: [], interruptions: 0 });
  for (const list of waiting) {
    for (let at = 0; at < list.length; at++) {
      const order = list[at] as Order;
      const interleaving = new Interleaving(order.choices);
      yield { order, result: execute(interleaving) };
      const taken = interleaving.decisions.map(({ chosen }) => chosen);
      for (let i = order.choices.length; i < taken.length; i++) {
        const { enabled, chosen, goesOn } = interleaving.decisions[i] as Decision;
        for (const other of enabled) {
          if (other === chosen) continue;
          const cost = order.interruptions + (goesOn ? 1 : 0);
          waiting[cost]?.push({ choices: [...taken.slice(0, i), other], interruptions: cost });
        }
      }
    }
  }
}
