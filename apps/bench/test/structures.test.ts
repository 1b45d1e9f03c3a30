import { fileURLToPath } from 'node:url';
import { type Mechanism, type PingPong, pingPong } from '@rpal/compare';
import { defaultProfile } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { expectTables } from '../../../scripts/readme-tables.ts';
import { builtInMechanisms } from '../src/compare/mechanism-loader.js';

const PAGE = fileURLToPath(new URL('../../../docs/structures.md', import.meta.url));
const NAMES = [
  'call',
  'spin',
  'threads-futex',
  'futex',
  'switch-to',
  'pipe',
  'unix',
  'mq',
  'process-vm',
  'cma',
  'flip',
  'kdbus',
  'dbus',
  'urpc',
  'lrpc',
  'pct',
  'dune',
  'rpal',
];
/** As many CPUs as are used: machines are made in no time, and nothing of the figures changes. */
const profile = {
  ...defaultProfile,
  topology: { ...defaultProfile.topology, sockets: 1, coresPerSocket: 2, coresPerCache: 2, memoryPerSocket: 1 },
};

function run(mechanism: Mechanism, cpus: readonly [number, number]): PingPong | null {
  if (mechanism.oneCpu === true && cpus[0] !== cpus[1]) return null;
  const [waiting] = mechanism.waits;
  // Two sides that watch one CPU's time go by would measure the scheduler's slices.
  if (waiting === 'poll' && cpus[0] === cpus[1]) return null;
  return pingPong(mechanism, { machine: { profile }, size: 32, cpus, waiting: waiting!, messages: 200, warmUp: 20 });
}

const cycles = (value: number | undefined): string => (value === undefined ? '-' : Math.round(value).toLocaleString('en-US'));

describe('docs/structures.md', () => {
  it('shows what the mechanisms come out with', async () => {
    const rows = builtInMechanisms
      .filter(({ name }) => NAMES.includes(name))
      .map((mechanism) => {
        const [one, two] = [run(mechanism, [0, 0]), run(mechanism, [0, 1])];
        const { counts, messages } = (two ?? one) as PingPong;
        return {
          order: (one ?? two)?.roundTrip.cycles as number,
          cells: [
            `\`${mechanism.name}\``,
            mechanism.copies,
            (counts.kernelEntries / messages).toFixed(1),
            cycles(one?.roundTrip.cycles),
            cycles(two?.there.cycles),
            cycles(two?.roundTrip.cycles),
          ],
        };
      })
      .sort((a, b) => a.order - b.order)
      .map(({ cells }) => cells);
    expect(rows.length).toBeGreaterThan(10);
    await expectTables(PAGE, {
      heading: ['mechanism', 'copies', 'kernel entries', 'trip on one CPU', 'one way on two CPUs', 'trip on two CPUs'],
      rows,
    });
  });

  it('says of one CPU what comes out: a call that switches makes the trip before RPAL, and RPAL is there first', () => {
    const named = (name: string) => run(builtInMechanisms.find((each) => each.name === name) as Mechanism, [0, 0]) as PingPong;
    const [switching, rpal] = [named('switch-to'), named('rpal')];
    expect(switching.roundTrip.cycles).toBeLessThan(rpal.roundTrip.cycles);
    expect(rpal.there.cycles).toBeLessThan(switching.there.cycles);
  });
});
