import { Rcc, ReceiverState, RPAL_RECEIVER_STATE_MASK, receiverRows, senderRows } from '@rpal/rpal-core';
import { afterAll, describe, expect, it } from 'vitest';
import { Choice, PriorityWalk, RandomWalk, Replay, Run, type Strategy, scenarioNamed, scenarios } from '../src/index.js';

/** Rows of the two state tables that any run here has taken. */
const taken = { receiver: new Set<number>(), sender: new Set<number>() };

/** Runs a scenario with everything repaired. @returns how it ended, and the rows in order, the sender's with an s */
function record(name: string, strategy: (run: Run) => Strategy) {
  const scenario = scenarioNamed(name);
  const run = new Run(scenario, { repair: 'all' });
  const rows: string[] = [];
  run.stage.rpal.observer = {
    receiver(_cpu, row) {
      rows.push(`${row}`);
      taken.receiver.add(row);
    },
    sender(_cpu, row) {
      rows.push(`s${row}`);
      taken.sender.add(row);
    },
  };
  const { failure } = run.execute(strategy(run));
  return { failure, rows: rows.join(' '), run };
}

/** State of the only receiver there is. */
function stateOf({ stage }: Run): number {
  const [receiver] = [...stage.rpal.byKey.values()].flatMap(({ receivers }) => receivers);
  if (receiver === undefined) return -1;
  return receiver.cpu.memory.read32(receiver.rpal.role.rcc + Rcc.receiverState) & RPAL_RECEIVER_STATE_MASK;
}

/** Is CPU 0 between the decision to return and the end of the return? */
function inRetSection({ stage }: Run): boolean {
  const { context } = stage.machine.platform.cpus[0] as { context: unknown };
  const rip = (context as { rip?: number }).rip ?? 0;
  return [...stage.rpal.byKey.values()].some((service) => service.inRetSection(rip));
}

/** The usual order, but an NMI on CPU 0 as soon as it is in the ret section. */
const nmiInRetSection = (run: Run): Strategy => ({
  choose: (enabled, usual) => {
    const nmi = Choice.nmi(run.stage.machine.platform.cpus.length, 0);
    return inRetSection(run) && enabled.includes(nmi) ? nmi : usual;
  },
});

describe('time lines that need a certain moment', () => {
  it('E. an NMI in the ret section, without a lazy switch before: none after, either', () => {
    const { failure, rows, run } = record('nmi-at-each-step', nmiInRetSection);
    expect(failure).toBeNull();
    expect(rows).toMatch(/^10 s1 s2 11 /);
    expect(run.stage.rpal.lazySwitches).toBe(0);
  });

  it('F. an NMI in the ret section after a lazy switch: straight back to the sender', () => {
    const { failure, rows } = record('return-interrupted', nmiInRetSection);
    expect(failure).toBeNull();
    expect(rows).toMatch(/^10 s1 13 s2 15 17/);
  });

  it('H. a second sender during the call: its words are queued, and the first one brings them', () => {
    const { failure, rows } = record('two-senders', (going) => ({
      choose: (enabled, usual) =>
        stateOf(going) === ReceiverState.CALL && going.stage.noted('received') === 0 && going.stage.noted('sent') < 3 && enabled.includes(1)
          ? 1
          : usual,
    }));
    expect(failure).toBeNull();
    expect(rows).toMatch(/^10 s1 s2 11 10 s1 s2 11/);
  });

  it('I. the receiver dies at some step of the call: the caller lives', () => {
    for (let at = 5; at < 60; at += 6) {
      const { failure, run } = record('receiver-dies', (going) => ({
        choose: (enabled, usual) => (going.schedule.length >= at && going.schedule.length < at + 12 && enabled.includes(1 + 1) ? 2 : usual),
      }));
      expect(failure).toBeNull();
      expect(run.stage.processes.find(({ name }) => name === 'caller-0')?.exit?.signal).toBe(0);
    }
  });
});

describe('the state tables', () => {
  it.each(scenarios)('$name: rows are counted in random runs', ({ name, cpus }) => {
    for (let seed = 1; seed <= 6; seed++) {
      const walk = seed % 3 === 0 ? new Replay([]) : seed % 3 === 1 ? new PriorityWalk(seed, cpus, 120, 3, 2) : new RandomWalk(seed, 75);
      expect(record(name, () => walk).failure).toBeNull();
    }
  });

  afterAll(() => {
    const missing = (rows: object, seen: Set<number>): string =>
      Object.keys(rows)
        .filter((row) => !seen.has(Number(row)))
        .join(', ') || 'none';
    console.log(
      `receiver states: ${taken.receiver.size} of ${Object.keys(receiverRows).length} rows taken, missing: ${missing(receiverRows, taken.receiver)}\n` +
        `sender states: ${taken.sender.size} of ${Object.keys(senderRows).length} rows taken, missing: ${missing(senderRows, taken.sender)}`,
    );
  });
});
