import { describe, expect, it, vi } from 'vitest';
import { hostJson } from '../src/host/host-json.js';
import { reportOf } from '../src/host/measure.js';
import { run } from './terminal.js';

/** Only there can anything be measured. */
const measurable = process.platform === 'linux' && process.arch === 'x64';
const LOAD = { before: 0, after: 0, stolen: 0 };
const FACTS = ['fact tsc-ghz 2.5', 'fact first-cpu 3', 'fact second-cpu -1', 'fact hypervisor 1', 'fact rseq 1'];

describe.runIf(measurable)('rpal-bench host', () => {
  it('measures this computer: JSON of the form that is documented, every measurement there or said to be absent', async () => {
    const { code, stdout } = await run(['host', '--rounds', '1', '--json', '-']);
    expect(code).toBe(0);
    const { complete, data } = hostJson.parse(JSON.parse(stdout));
    expect(complete).toBe(true);
    const names = [...data.steps, ...data.absent].map(({ name }) => name);
    for (const name of [
      'core-cycle',
      'null-call',
      'copy-4096',
      'clear-1048576',
      'page-fault',
      'wrpkru',
      'retpoline',
      'sprintf-stamp',
      'sscanf-stamp',
      'line-transfer',
      'wake-idle',
    ]) {
      expect(names).toContain(name);
    }
    const core = data.steps.find(({ name }) => name === 'core-cycle');
    // A core between 0.5 and 10 GHz, and a system call that takes more than ten of its cycles.
    expect(core?.median).toBeGreaterThan(0.1);
    expect(core?.median).toBeLessThan(2);
    expect(data.steps.find(({ name }) => name === 'null-call')?.median).toBeGreaterThan(10 * (core?.median as number));
    const pipe = data.composites.find(({ mechanism, placement }) => mechanism === 'pipe' && placement === 'same-cpu');
    expect(pipe?.median).toBeGreaterThan(100);
  }, 60_000);

  it('says what to install where there is no compiler, and ends with 2', async () => {
    vi.stubEnv('PATH', '');
    const { code, stdout, stderr } = await run(['host', '--rounds', '1']).finally(() => vi.unstubAllEnvs());
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('there is no C compiler (cc, gcc, clang): install one, such as with `apt install gcc');
  });
});

describe.runIf(measurable)('what the measuring program says', () => {
  it('becomes medians and quartiles, single steps apart from round trips', () => {
    const samples = [5, 1, 2, 4, 3].flatMap((n) => [`sample null-call ${n}`, `sample pipe/same-cpu/32 ${100 * n}`]);
    const { steps, composites } = reportOf([...FACTS, ...samples], 'cc', LOAD);
    expect(steps).toMatchObject([{ name: 'null-call', median: 3, low: 2, high: 4, samples: [5, 1, 2, 4, 3] }]);
    expect(composites).toMatchObject([{ mechanism: 'pipe', placement: 'same-cpu', size: 32, median: 300, low: 200, high: 400 }]);
  });

  it('keeps what is absent, and each doubt once', () => {
    const doubt = 'doubt pipe/same-cpu/32: the clock jumped';
    const { absent, doubts, computer } = reportOf([...FACTS, 'absent wrpkru no protection keys', doubt, doubt], 'cc', LOAD);
    expect(absent).toEqual([{ name: 'wrpkru', why: 'no protection keys' }]);
    expect(doubts).toEqual(['pipe/same-cpu/32: the clock jumped']);
    expect(computer).toMatchObject({ guest: true, tscGHz: 2.5, cpus: [3, null], oneCache: null });
  });

  it('fails the run if it lacks what everything else rests on', () => {
    expect(() => reportOf(FACTS.slice(1), 'cc', LOAD)).toThrow('did not say tsc-ghz');
  });
});
