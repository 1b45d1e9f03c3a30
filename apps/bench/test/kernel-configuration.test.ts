import { allSteps, CostModel, type CpuProfile, defaultProfile, type KernelConfiguration, parseProfile } from '@rpal/hw-x86';
import { createMachine } from '@rpal/kernel';
import { describe, expect, it } from 'vitest';
import { LINUX_6_1 } from '../src/host/linux-6.1.js';
import { operations } from '../src/instructions/comparison.js';
import { booked, type Operation } from '../src/instructions/operation.js';

const withKernel = (kernel: Partial<KernelConfiguration>, features: Partial<CpuProfile['features']> = {}): CpuProfile =>
  parseProfile({
    ...defaultProfile,
    features: { ...defaultProfile.features, ...features },
    kernel: { ...defaultProfile.kernel, ...kernel },
  });

const plain = withKernel({ pti: 'off', spectreV2: 'off' });

/** Names of the simple steps whose price is another one, and by how many TSC cycles. */
function moved(before: CpuProfile, after: CpuProfile): ReadonlyMap<string, number> {
  const [one, other] = [new CostModel(before), new CostModel(after)];
  const differences = allSteps()
    .filter(({ parts }) => parts === undefined)
    .map(({ id, name }) => [name.replace('@rpal/', ''), (other.step[id] as number) - (one.step[id] as number)] as const);
  return new Map(differences.filter(([, cycles]) => cycles !== 0));
}

const ENTRIES = ['kernel:syscallEntry', 'mm:faultEntry', 'sched:interruptEntry'];
const EXITS = ['kernel:syscallReturn', 'mm:faultExit', 'sched:interruptExit'];

describe("the kernel's configuration", () => {
  it.each<[string, Partial<KernelConfiguration>, readonly string[], 'cheaper' | 'dearer']>([
    ['no pressure accounting', { pressure: false }, ['sched:preemptPressure', 'sched:switchPressure', 'sched:wakePressure'], 'cheaper'],
    ['no rseq', { rseq: false }, ['sched:rseqFixup'], 'cheaper'],
    [
      'no security module',
      { security: 'none' },
      ['ipc:packetSecurity', 'kernel:processVm', 'kernel:signalPermission', 'mm:mprotectBody', 'vfs:callSecurity', 'vfs:security'],
      'cheaper',
    ],
    ['page-table isolation', { pti: 'on' }, [...ENTRIES, ...EXITS, 'no-mpk:gate'], 'dearer'],
    ['IBRS', { spectreV2: 'ibrs' }, [...ENTRIES, ...EXITS, 'no-mpk:gate'], 'dearer'],
    ['a return stack that is filled', { returnFill: true }, ['sched:switchTo'], 'dearer'],
    ['buffers that are cleared', { clearBuffers: true }, [...EXITS, 'no-mpk:gate'], 'dearer'],
  ])('%s changes the steps that it is part of, and no other', (_, kernel, steps, way) => {
    const changes = moved(plain, withKernel({ pti: 'off', spectreV2: 'off', ...kernel }));
    // Steps of plugins are there if a test before has loaded them.
    const loaded = steps.filter((name) => allSteps().some((step) => step.name === `@rpal/${name}`));
    expect([...changes.keys()].sort()).toEqual(loaded.sort());
    for (const [name, cycles] of changes) expect(Math.sign(cycles), name).toBe(way === 'dearer' ? 1 : -1);
  });

  it('takes all of what belongs to a part away, and only the module out of a hook', () => {
    const without = new CostModel(withKernel({ pressure: false, rseq: false, security: 'none' }));
    const price = (name: string): number => without.step[allSteps().find((step) => step.name === name)?.id as number] as number;
    for (const name of ['@rpal/sched:wakePressure', '@rpal/sched:rseqFixup', '@rpal/ipc:packetSecurity']) expect(price(name), name).toBe(0);
    expect(price('@rpal/vfs:callSecurity')).toBeGreaterThan(0);
  });

  it('prices a retpoline for each indirect call that was counted', () => {
    const { central } = defaultProfile.costs.indirectCall;
    const { tscPerCore } = new CostModel(plain);
    const changes = moved(plain, withKernel({ pti: 'off', spectreV2: 'retpoline' }));
    for (const step of allSteps()) {
      const calls = step.parts === undefined ? (step.events?.indirectCall ?? 0) : 0;
      const cycles = changes.get(step.name.replace('@rpal/', '')) ?? 0;
      // Prices are rounded.
      expect(Math.abs(cycles - calls * central * tscPerCore), step.name).toBeLessThanOrEqual(1);
    }
    expect([...changes.keys()]).toEqual(expect.arrayContaining(['vfs:fileLayer', 'vfs:itemPoll', 'sched:waitWalk']));
  });

  it('leaves to the processor what it needs: with auto, page tables are isolated and calls protected where it does not do it', () => {
    expect(moved(plain, withKernel({ pti: 'auto', spectreV2: 'auto' }))).toEqual(new Map());
    const exposed = withKernel({ pti: 'auto', spectreV2: 'auto' }, { meltdownSafe: false, eibrs: false });
    expect(moved(withKernel({ pti: 'on', spectreV2: 'retpoline' }), exposed)).toEqual(new Map());
    expect(moved(withKernel({ pti: 'off', spectreV2: 'off' }, { meltdownSafe: false, eibrs: false }), plain)).toEqual(new Map());
  });

  it('ticks as often as it says, unless the machine is asked for another rate', () => {
    const ticks = (profile: CpuProfile, hz?: 1000): number => {
      const machine = createMachine({ profile, ...(hz === undefined ? {} : { hz }) });
      return machine.kernel.scheduler.tickNs;
    };
    expect(ticks(withKernel({ hz: 100 }))).toBe(1e7);
    expect(ticks(withKernel({ hz: 100 }), 1000)).toBe(1e6);
    expect(moved(plain, withKernel({ pti: 'off', spectreV2: 'off', hz: 1000 }))).toEqual(new Map());
  });

  it('has the instructions of a step that it says, with what its parts add on top', () => {
    const changes = moved(plain, withKernel({ pti: 'off', spectreV2: 'off', instructions: { '@rpal/vfs:security': 168 } }));
    const { tscPerCore } = new CostModel(plain);
    expect([...changes.keys()]).toEqual(['vfs:security']);
    expect(changes.get('vfs:security')).toBeCloseTo(100 * defaultProfile.cpi.kernel.central * tscPerCore, -1);
    expect(() => withKernel({ instructions: { '@rpal/vfs:secure': 1 } })).toThrow(
      'prices step "@rpal/vfs:secure", which no loaded package defines',
    );
  });

  it('refuses what no kernel is', () => {
    for (const kernel of [{ hz: 200 }, { pti: true }, { security: 'smack' }]) {
      expect(() => withKernel(kernel as never), JSON.stringify(kernel)).toThrow(/the CPU profile is not valid: kernel\./);
    }
  });
});

/** Instructions of Linux 6.1, mitigations off, counted on one CPU as those of 6.12 were; the model has the structure of EEVDF. */
const COUNTED_ON_61: Readonly<Record<string, number>> = {
  getppid: 329,
  'pipe: round trip of 32 B, both sleep': 12_679,
  'stream: round trip of 32 B, both sleep': 16_627,
  'dgram: round trip of 32 B, both sleep': 17_047,
};

describe('Linux 6.1', () => {
  it.each(Object.entries(COUNTED_ON_61))('%s books what was counted', (name, counted) => {
    const operation = operations.find((each) => each.name === name) as Operation;
    const server = withKernel({ pti: 'off', spectreV2: 'off', version: '6.1', instructions: { ...LINUX_6_1 } });
    expect(Math.abs(booked(operation, server) / counted - 1)).toBeLessThan(0.1);
  });
});
