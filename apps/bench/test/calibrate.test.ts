import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CpuProfile, type Figure, findProfile } from '@rpal/hw-x86';
import { afterAll, describe, expect, it } from 'vitest';
import { calibrationJson } from '../src/host/calibrate-command.js';
import { calibrate } from '../src/host/calibration.js';
import type { Composite, HostReport, HostStep } from '../src/host/host-json.js';
import { LINUX_6_1 } from '../src/host/linux-6.1.js';
import { modelledSteps } from '../src/host/modelled-steps.js';
import { validationJson } from '../src/host/validate-command.js';
import { readProfile } from '../src/profile-file.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-calibrate-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A computer that the model knows: all that makes paths through the kernel dearer is set, and to be found again. */
const known: CpuProfile = structuredClone(findProfile('xeon-platinum-8336c') as CpuProfile);
known.features.mwait = false;
set(known.clock.coreGHz, 2.8);
set(known.cpi.kernel, 0.7);
for (const name of ['syscall', 'sysret', 'swapgs', 'bhbClear'] as const) set(known.costs[name], 1.2 * known.costs[name].central);
for (const state of known.idle) {
  if (state.name !== 'guest') continue;
  set(state.wake, 9000);
  set(state.kick as Figure, 2500);
}

function set(figure: Figure, value: number): void {
  Object.assign(figure, { low: value, central: value, high: value });
}

const CYCLE = 1 / 2.8;

function step(name: string, ...samples: number[]): HostStep {
  const sorted = [...samples].sort((a, b) => a - b);
  const [low, median, high] = [0, (sorted.length - 1) / 2, sorted.length - 1].map((at) => sorted[at] as number) as [number, number, number];
  return { name, what: 'a test', unit: 'ns', median, low, high, samples };
}

/** What `rpal-bench host` would say of that computer. */
const steps: readonly HostStep[] = [
  step('core-cycle', CYCLE, CYCLE, CYCLE),
  step('rdtsc', 27 * CYCLE, 27 * CYCLE, 27 * CYCLE),
  step('locked-add', 20 * CYCLE, 20 * CYCLE, 20 * CYCLE),
  step('wrpkru', 30 * CYCLE, 31 * CYCLE, 35 * CYCLE),
  step('null-call', modelledSteps.nullCall(known)),
  step('yield', modelledSteps.yield(known)),
  step('line-transfer', known.line.sameCache.central),
  step('wake-idle', modelledSteps.wakeIdle(known, 'guest')),
  step('wake-idle-call', modelledSteps.wakeIdleCall(known, 'guest')),
];

const composites: Composite[] = [
  { mechanism: 'pipe', placement: 'same-cpu', size: 32, median: 4000, low: 3900, high: 4200, samples: [4000] },
  { mechanism: 'futex', placement: 'same-cpu', size: 32, median: 3000, low: 2900, high: 3200, samples: [3000] },
  { mechanism: 'futex', placement: 'same-socket', size: 32, median: 9000, low: 8000, high: 9900, samples: [9000] },
];

const report: HostReport = {
  computer: {
    cpu: 'a CPU of the model',
    vendor: 'intel',
    kernel: 'Linux',
    compiler: 'cc',
    guest: true,
    tscGHz: 2.3,
    cpus: [0, 1],
    flags: ['ospke', 'fsgsbase', 'pcid', 'invpcid', 'fsrm', 'pdpe1gb', 'avx512_vbmi2'],
    vulnerabilities: { meltdown: 'Not affected', spectre_v2: 'Mitigation: Enhanced / Automatic IBRS; BHI: SW loop' },
    caches: [{ level: 1, type: 'Data', bytes: 32 * 1024, ways: 8 }],
    oneCache: true,
  },
  load: { before: 0, after: 0, stolen: 0 },
  steps: [...steps],
  composites,
  absent: [],
  doubts: [],
};

/** A file as `host --json` writes it. */
function hostFile(name: string, data: HostReport): string {
  const path = join(directory, name);
  const about = { schema: 'rpal-bench/host', version: 1, complete: true, settings: { rounds: 3 }, command: 'npx rpal-bench host' };
  writeFileSync(path, JSON.stringify({ ...about, conditions: { model: '0', node: '0' }, data }));
  return path;
}

async function calibrated(name: string, data: HostReport): Promise<string> {
  const out = join(directory, `profile-of-${name}`);
  const { code, stderr } = await run(['calibrate', '--host', hostFile(name, data), '--out', out]);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^\d+ figures of this computer; wrote /)]);
  return readFileSync(out, 'utf8');
}

describe('a profile of this computer', () => {
  const { profile, notes, figures } = calibrate(report);

  it('has the clock and the instructions that were measured, from the lowest quarter to the highest', () => {
    expect(profile.clock.tscGHz).toBe(2.3);
    expect(profile.clock.coreGHz.central).toBeCloseTo(2.8, 9);
    expect(profile.costs.wrpkru.central).toBeCloseTo(31, 9);
    expect(profile.costs.wrpkru.low).toBeCloseTo(30.5, 9);
    expect(profile.costs.wrpkru.high).toBeCloseTo(33, 9);
  });

  it('finds the way into the kernel and the cycles per instruction again, out of a null call and a yield', () => {
    expect(profile.cpi.kernel.central).toBeCloseTo(0.7, 1);
    expect(modelledSteps.yield(profile) / modelledSteps.yield(known)).toBeCloseTo(1, 2);
    expect(modelledSteps.nullCall(profile) / modelledSteps.nullCall(known)).toBeCloseTo(1, 2);
  });

  it("finds what a guest's idle CPU costs again: its waker, and itself", () => {
    const guest = profile.idle.find(({ name }) => name === 'guest');
    expect(Math.abs((guest?.wake.central as number) - 9000)).toBeLessThan(300);
    expect(Math.abs((guest?.kick?.central as number) - 2500)).toBeLessThan(300);
  });

  it('has features and caches as the system says', () => {
    expect(profile.features).toMatchObject({ pku: true, mwait: false, eibrs: true, meltdownSafe: true });
    expect(profile.cache.l1d).toMatchObject({ bytes: 32 * 1024, ways: 8 });
    expect(profile.cache.l2).toEqual(findProfile('xeon-platinum-8336c')?.cache.l2);
  });

  it('says of every figure where it is from, and what could not be had', () => {
    expect(figures.map(({ field }) => field)).toContain('costs.wrpkru');
    expect(profile.costs.wrpkru.source).toBe('rpal-bench host, this computer: wrpkru');
    expect(notes).toContain("costs.lfence is xeon-platinum-8336c's: lfence was not measured here");
  });

  it('clears no branch history where the kernel does not', () => {
    const vulnerabilities = { ...report.computer.vulnerabilities, spectre_v2: 'Mitigation: Enhanced / Automatic IBRS; BHI: Not affected' };
    const { profile: without } = calibrate({ ...report, computer: { ...report.computer, vulnerabilities } });
    expect(without.costs.bhbClear).toMatchObject({ low: 0, central: 0, high: 0 });
  });

  describe("the kernel's configuration", () => {
    /** A calibration on another kernel. */
    const on = (computer: Partial<HostReport['computer']>) => calibrate({ ...report, computer: { ...report.computer, ...computer } });
    const configuration = { hz: 1000, pressure: false, security: ['lockdown', 'yama'], rseq: false };
    const vulnerabilities = {
      meltdown: 'Mitigation: PTI',
      mds: 'Mitigation: Clear CPU buffers; SMT vulnerable',
      spectre_v2: 'Mitigation: Retpolines; STIBP: disabled; RSB filling; BHI: Retpoline',
    };

    it('is as found', () => {
      expect(on({ kernel: 'Linux 5.10.0-8-amd64', configuration, vulnerabilities }).profile.kernel).toEqual({
        version: '5.10',
        instructions: LINUX_6_1,
        hz: 1000,
        pressure: false,
        security: 'none',
        rseq: false,
        pti: 'on',
        spectreV2: 'retpoline',
        returnFill: true,
        clearBuffers: true,
      });
    });

    it.each([
      ['Mitigation: IBRS; IBPB: conditional; RSB filling', { spectreV2: 'ibrs', returnFill: true }],
      ['Mitigation: Enhanced / Automatic IBRS; BHI: Retpoline', { spectreV2: 'off', returnFill: false }],
      ['Mitigation: Enhanced / Automatic IBRS + Retpolines; RSB filling', { spectreV2: 'retpoline', returnFill: true }],
      ['Vulnerable', { spectreV2: 'off', returnFill: false }],
    ])('reads %s', (spectre_v2, kernel) => {
      expect(on({ vulnerabilities: { spectre_v2 } }).profile.kernel).toMatchObject(kernel);
    });

    it('is noted where it cannot be told, or has not been counted', () => {
      expect(calibrate(report).notes.join()).toMatch(/kernel: ticks, .* are those of xeon-platinum-8336c/);
      const unknown = on({ configuration: { ...configuration, hz: null, security: ['selinux'] } });
      expect(unknown.profile.kernel).toMatchObject({ hz: 250, security: 'apparmor' });
      expect(unknown.notes.join()).toMatch(/kernel\.hz is .*kernel\.security: hooks of selinux have not been counted/);
      expect(on({ configuration: { ...configuration, hz: 500 } }).notes.join()).toMatch(/knows no kernel of 500 ticks/);
    });
  });

  it('prices calls of the C library and retpolines in cycles, as they were timed', () => {
    const times = { 'sprintf-stamp': 200, 'sscanf-stamp': 400, retpoline: 36, 'indirect-call': 6 };
    const more = Object.entries(times).map(([name, cycles]) => step(name, cycles * CYCLE));
    const { profile: timed } = calibrate({ ...report, steps: [...steps, ...more] });
    expect(timed.steps?.['@rpal/kernel:sprintf']?.central).toBeCloseTo(200, 9);
    expect(timed.steps?.['@rpal/kernel:sscanf']?.source).toBe('rpal-bench host, this computer: sscanf-stamp');
    expect(timed.costs.indirectCall.central).toBeCloseTo(30, 9);
  });

  it('leaves what concerns a second CPU where there is none', () => {
    const alone = calibrate({ ...report, computer: { ...report.computer, cpus: [0, null], oneCache: null } });
    expect(alone.profile.idle).toEqual(findProfile('xeon-platinum-8336c')?.idle);
    expect(alone.notes).toContain("all that concerns a second CPU is xeon-platinum-8336c's");
  });
});

describe('rpal-bench calibrate', () => {
  it('writes a file that --profile takes, and that is the same whatever the round trips are', async () => {
    const file = await calibrated('as-measured.json', report);
    const slower = composites.map((each) => ({ ...each, median: 10 * each.median, samples: [10 * each.median] }));
    expect(await calibrated('slower.json', { ...report, composites: slower })).toBe(file);
    expect(await calibrated('none.json', { ...report, composites: [] })).toBe(file);
    expect(await calibrated('other.json', { ...report, steps: steps.filter(({ name }) => name !== 'wrpkru') })).not.toBe(file);
    expect(readProfile(join(directory, 'profile-of-as-measured.json')).cpi).toEqual(calibrate(report).profile.cpi);
  });

  it('writes JSON of the form that is documented', async () => {
    const { stdout } = await run(['calibrate', '--host', hostFile('json.json', report), '--json', '-']);
    expect(calibrationJson.parse(JSON.parse(stdout)).data.profile.extends).toBe('xeon-platinum-8336c');
  });

  it.each([
    ['is not there', 'nothing.json', null],
    ['is not JSON', 'no.json', '{'],
    ['is none: schema', 'compare.json', '{"schema": "rpal-bench/compare"}'],
  ])('refuses a file that %s', async (complaint, name, content) => {
    const path = join(directory, name);
    if (content !== null) writeFileSync(path, content);
    const { code, stderr } = await run(['calibrate', '--host', path]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${path} ${complaint}`)]);
  });
});

describe('rpal-bench validate', () => {
  it('sets the model beside every round trip that was measured, with the error and what dominates', async () => {
    const { stdout } = await run(['validate', '--host', hostFile('validate.json', report), '--messages', '20', '--json', '-']);
    const { data } = validationJson.parse(JSON.parse(stdout));
    expect(data.rows.map(({ mechanism, placement }) => [mechanism, placement])).toEqual(
      composites.map(({ mechanism, placement }) => [mechanism, placement]),
    );
    for (const { median, predicted, relativeError, causes } of data.rows) {
      expect(relativeError).toBeCloseTo(predicted.central / median - 1, 9);
      expect(causes.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    }
    // As of a measured round trip, it is the median that counts.
    for (const { predicted, seeds } of data.rows) {
      expect(seeds.low).toBeLessThanOrEqual(predicted.central);
      expect(seeds.high).toBeGreaterThanOrEqual(predicted.central);
    }
    expect(data.rows.some(({ seeds }) => seeds.low < seeds.high)).toBe(true);
    const [pipe, futex] = data.rows.map(({ relativeError }) => Math.abs(relativeError)) as [number, number];
    expect(data.accuracy[0]).toEqual({ placement: 'same-cpu', count: 2, median: (pipe + futex) / 2, worst: Math.max(pipe, futex) });
  });

  it('tells it in 80 columns, on a slow computer, too', async () => {
    const slow = { ...report, composites: composites.map((one) => ({ ...one, median: 57_094.25, low: 53_898.5, high: 60_352 })) };
    const { stdout } = await run(['validate', '--host', hostFile('slow.json', slow), '--messages', '20', '--seeds', '1']);
    expect(stdout).toContain('57,094');
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it('predicts on the profile that is asked for', async () => {
    await calibrated('mine.json', report);
    const file = hostFile('predict.json', report);
    const profile = join(directory, 'profile-of-mine.json');
    const cycles = async (name: string): Promise<number> => {
      const { stdout } = await run(['validate', '--host', file, '--messages', '20', '--profile', name, '--json', '-']);
      return JSON.parse(stdout).data.rows[0].predicted.central;
    };
    // 0.7 cycles per instruction in the place of 0.5.
    expect((await cycles(profile)) / (await cycles('xeon-platinum-8336c'))).toBeGreaterThan(1.2);
  });
});
