import { describe, expect, it } from 'vitest';
import {
  BareMetal,
  type Cpu,
  type CpuProfile,
  dataCaches,
  PAGE_SIZE,
  Platform,
  Pte,
  parseProfile,
  queuedLines,
  Touch,
} from '../src/index.js';
import { XEON } from './support.js';

const LINE = 300 * PAGE_SIZE + 128;
const figure = (central: number) => ({ low: central, central, high: central, source: 'of this test', status: 'estimated' as const });

/** Four sockets of two cores in a square: opposite ones are two links apart. */
const SQUARE: CpuProfile = {
  ...XEON,
  topology: {
    sockets: 4,
    coresPerSocket: 2,
    threadsPerCore: 1,
    coresPerCache: 2,
    memoryPerSocket: 1 / 64,
    hops: [
      [0, 1, 1, 2],
      [1, 0, 2, 1],
      [1, 2, 0, 1],
      [2, 1, 1, 0],
    ],
  },
  line: { sameCache: figure(10), sameSocket: figure(10), crossSocket: figure(100), farther: [figure(200)] },
};
const ns = (count: number): number => Math.round(count * SQUARE.clock.tscGHz);

describe('sockets that are several links apart', () => {
  it.each([
    ['directory', {}],
    ['queued lines', { coherence: queuedLines }],
    ['caches', { caches: dataCaches }],
  ])('make a line dearer, link by link: %s', (_name, options) => {
    const { cpus } = new Platform({ profile: SQUARE, ...options });
    const from = (writer: number, reader: number): number => {
      const [a, b] = [cpus[writer] as Cpu, cpus[reader] as Cpu];
      a.coherence.touch(a, LINE, Touch.STORE);
      const before = b.clock;
      b.advanceTo(Math.max(a.clock, b.clock));
      const begin = b.clock;
      b.coherence.touch(b, LINE, Touch.STORE);
      expect(before).toBeLessThanOrEqual(begin);
      return b.clock - begin;
    };
    expect([from(0, 1), from(0, 2), from(0, 4), from(0, 6), from(6, 0)]).toEqual([10, 100, 100, 200, 200].map(ns));
  });

  it('gathers lines from several cores as fast as the farthest comes', () => {
    const { cpus } = new Platform({ profile: SQUARE });
    const reader = cpus[0] as Cpu;
    const before = reader.clock;
    reader.transfer.gather(reader, [cpus[2], cpus[6]] as Cpu[], 2);
    expect(reader.clock - before).toBe(ns(200));
  });

  it.each([
    [
      'a row too few',
      [
        [0, 1],
        [1, 0],
      ],
      'topology.hops: must be 4 rows of 4 numbers',
    ],
    [
      'another way back',
      SQUARE.topology.hops?.map((row, a) => row.map((links, b) => links + (a === 0 && b === 1 ? 1 : 0))),
      'the same both ways',
    ],
    ['a way without a price', SQUARE.topology.hops?.map((row) => row.map((links) => links * 2)), 'line.farther: must have 3 figures'],
  ])('are refused with %s', (_name, hops, complaint) => {
    expect(() => parseProfile({ ...SQUARE, topology: { ...SQUARE.topology, hops } })).toThrow(complaint);
    expect(parseProfile(SQUARE)).toBe(SQUARE);
  });
});

describe('queued lines', () => {
  /** Cores that all do the same to one line at one moment. @returns how long each took, TSC cycles */
  function together(write: boolean): number[] {
    const { cpus } = new Platform({ profile: SQUARE, coherence: queuedLines });
    const [owner, ...others] = [cpus[0], cpus[2], cpus[4], cpus[6]] as [Cpu, ...Cpu[]];
    owner.coherence.touch(owner, LINE, Touch.STORE);
    return others.map((cpu) => {
      const before = cpu.clock;
      cpu.coherence.touch(cpu, LINE, write);
      return cpu.clock - before;
    });
  }

  it('reach cores that ask at the same time one after the other', () => {
    // From socket 0 to 1, to 2 and to 3. Readers have the line from the nearest that has it; writers from the last one.
    expect(together(Touch.LOAD)).toEqual([ns(100), ns(100) + ns(100), ns(100) + ns(100) + ns(100)]);
    expect(together(Touch.STORE)).toEqual([ns(100), ns(100) + ns(200), ns(100) + ns(200) + ns(100)]);
  });

  it('leave a core alone that has the line, and one that comes when the line has arrived', () => {
    const { cpus } = new Platform({ profile: SQUARE, coherence: queuedLines });
    const [a, b] = [cpus[0], cpus[2]] as [Cpu, Cpu];
    const spent = (cpu: Cpu, write: boolean): number => {
      const before = cpu.clock;
      cpu.coherence.touch(cpu, LINE, write);
      return cpu.clock - before;
    };
    expect([spent(a, Touch.STORE), spent(a, Touch.STORE)]).toEqual([0, 0]);
    expect(spent(b, Touch.STORE)).toBe(ns(100));
    expect(spent(b, Touch.LOAD)).toBe(0);
    a.advanceTo(b.clock);
    expect(spent(a, Touch.LOAD)).toBe(ns(100));
    expect([spent(a, Touch.LOAD), spent(b, Touch.LOAD)]).toEqual([0, 0]);
  });

  it('make a writer wait for the farthest of those that had copies', () => {
    const { cpus } = new Platform({ profile: SQUARE, coherence: queuedLines });
    const at = (id: number): Cpu => cpus[id] as Cpu;
    at(0).coherence.touch(at(0), LINE, Touch.STORE);
    for (const id of [2, 4, 6]) at(id).coherence.touch(at(id), LINE, Touch.LOAD);
    at(0).advanceTo(at(6).clock);
    const before = at(0).clock;
    at(0).coherence.touch(at(0), LINE, Touch.STORE);
    expect(at(0).clock - before).toBe(ns(200));
  });

  it('show a store to others no earlier than the line has come to the core that stored', () => {
    const machine = new BareMetal({ profile: SQUARE, coherence: queuedLines });
    const root = machine.addressSpace();
    machine.map(root, 0x1000, { flags: Pte.writable });
    let stored = 0;
    let seen = 0;
    machine.start(2, function* (core) {
      core.load(root);
      while (core.read32(0x1000) === 0) yield* core.compute(1);
      seen = core.cpu.clock;
    });
    machine.start(0, function* (core) {
      core.load(root);
      yield* core.compute(5000);
      core.write32(0x1000, 1);
      stored = core.cpu.clock;
    });
    machine.run();
    expect(seen).toBeGreaterThanOrEqual(stored + ns(100));
    expect(seen).toBeLessThan(stored + ns(100) + 10);
  });

  it('are no part of caches, which have a directory of their own', () => {
    expect(() => new Platform({ profile: SQUARE, coherence: queuedLines, caches: dataCaches })).toThrow('give one of the two');
  });
});
