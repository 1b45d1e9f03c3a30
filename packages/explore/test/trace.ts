import type { RpalOptions } from '@rpal/rpal-core';
import { type Picture, pictureOf, Run, type Scenario, type Strategy } from '../src/index.js';

/** Rows of the two state tables that runs of this file have taken, by who ran them. */
export interface Rows {
  readonly receiver: Set<number>;
  readonly sender: Set<number>;
}

export function rows(): Rows {
  return { receiver: new Set(), sender: new Set() };
}

export interface Traced {
  readonly failure: string | null;
  /**
   * What happened, in order: rows of the state tables (`r10`, `s1`), and, whenever it is another than before, what CPU 0
   * is about: kernel context, > user code if it is somebody else's, PKRU, receiver's and sender's state.
   */
  readonly lines: readonly string[];
  /** The rows alone. */
  readonly rows: string;
  readonly run: Run;
}

/**
 * Runs a scenario and writes down what happens from the meeting on, until all are through who have met, or, if it is
 * given, to `until`, a line.
 */
export function trace(
  scenario: Scenario,
  strategy: (run: Run) => Strategy,
  into: Rows,
  until?: RegExp,
  options: RpalOptions = { repair: 'all' },
): Traced {
  const lines: string[] = [];
  let open = false;
  const write = (line: string): void => {
    if (!open) return;
    lines.push(line);
    open = until?.test(line) !== true;
  };
  const taken = (set: Set<number>, prefix: string) => (_cpu: number, _time: number, _rcc: number, row: number) => {
    set.add(row);
    write(`${prefix}${row}`);
  };
  const run = new Run(scenario, options, {
    listen({ rpalReceiverState, rpalSenderState }) {
      rpalReceiverState.on('test', taken(into.receiver, 'r'));
      rpalSenderState.on('test', taken(into.sender, 's'));
    },
  });
  open = true;
  let last = '';
  const look = (): void => {
    const line = lineOf(pictureOf(run));
    if (line !== last) write(line);
    last = line;
    if (until === undefined && run.stage.closed) open = false;
  };
  run.observer = look;
  const { failure } = run.execute(strategy(run));
  look();
  return { failure, lines, rows: lines.filter((line) => /^[rs]\d+$/.test(line)).join(' '), run };
}

function lineOf({ cpus, receivers }: Picture): string {
  const { task, code, pkru, heldAt } = cpus[0] as Picture['cpus'][0];
  const [receiver] = receivers;
  const flags = receiver?.flags.filter((flag) => flag !== 'CPU_LOCKED' && flag !== 'LAZY_SWITCHED').map((flag) => ` ${flag}`) ?? [];
  const states = receiver === undefined ? 'gone' : `${receiver.state.replace(/\(.*/, '')}/${receiver.sender}${flags.join('')}`;
  if (task === 'idle') return `idle ${states}`;
  const where = code === null || heldAt !== null ? `${task} in the kernel` : code === task ? task : `${task} > ${code}`;
  return `${where} ${pkru.toString(16)} ${states}`;
}

/** What is going on at this point. */
export function now(run: Run): { readonly line: string; readonly picture: Picture } {
  const picture = pictureOf(run);
  return { line: lineOf(picture), picture };
}

/** The usual order throughout. */
export const usually = (): Strategy => ({ choose: (_enabled, usual) => usual });

/** The usual order, but `choice` as soon as, and as long as, `when` holds and the choice can be made. */
export const at =
  (choice: number, when: (run: Run) => boolean) =>
  (run: Run): Strategy => ({ choose: (enabled, usual) => (enabled.includes(choice) && when(run) ? choice : usual) });

/** One choice after the other: each is made until its condition holds, as far as it can be made. */
export function script(...parts: readonly (readonly [choice: number, until: (run: Run) => boolean])[]): (run: Run) => Strategy {
  return (run) => {
    let next = 0;
    return {
      choose(enabled, usual) {
        while (parts[next]?.[1](run) === true) next++;
        const wanted = parts[next]?.[0];
        return wanted !== undefined && enabled.includes(wanted) ? wanted : usual;
      },
    };
  };
}

/** The receiver's state, or '' if it is gone. */
export function receiverIn(run: Run): string {
  return pictureOf(run).receivers[0]?.state.replace(/\(.*/, '') ?? '';
}

/** The point at which a CPU is held, or '' if it is not. */
export function heldAt(run: Run, cpu: number): string {
  return run.heldAt[cpu] ?? '';
}

/** Is CPU 0 between the decision to return and the end of the return? */
export function inRetSection({ stage }: Run): boolean {
  const { context } = stage.machine.platform.cpus[0] as { context: unknown };
  const rip = (context as { rip?: number }).rip ?? 0;
  return [...stage.rpal.byKey.values()].some((service) => service.inRetSection(rip));
}
