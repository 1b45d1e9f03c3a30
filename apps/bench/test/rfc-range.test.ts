import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { profiles } from '@rpal/hw-x86';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Watcher } from '../src/progress.js';
import { type RangeBeside, rangeBeside } from '../src/rfc-range.js';
import { runRfc } from '../src/rfc-run.js';
import { profileNamed, type RfcSettings } from '../src/rfc-settings.js';

const app = fileURLToPath(new URL('..', import.meta.url));
const settings: RfcSettings = {
  messages: 30,
  size: 32,
  phases: ['epoll', 'rpal'],
  profile: profiles[0] as RfcSettings['profile'],
  placement: 'same-socket',
  idle: 'C1E',
  costs: 'central',
  coreGHz: undefined,
  synchronousWakeUps: true,
  build: 'O0',
  seed: 1,
  plugins: [],
};

class Told implements Watcher {
  readonly done: number[] = [];
  all = 0;
  interrupted = false;

  show(_phase: string, done: number, all: number): void {
    this.done.push(done);
    this.all = all;
  }
}

describe('the range of the step costs', () => {
  const directory = mkdtempSync(join(app, 'node_modules', '.range-'));
  const module = pathToFileURL(join(directory, 'range-worker.js'));
  afterAll(() => rmSync(directory, { recursive: true }));

  beforeAll(async () => {
    const bundle = await rolldown({
      input: join(app, 'src/range-worker.ts'),
      cwd: app,
      platform: 'node',
      resolve: { conditionNames: ['@rpal/source', 'import', 'node'] },
    });
    await bundle.write({ file: fileURLToPath(module), format: 'esm', codeSplitting: false });
    await bundle.close();
  });

  it.each([
    ['as by default', settings],
    [
      'on a profile without protection keys, with another clock',
      { ...settings, profile: profileNamed('epyc-9654-nopku'), coreGHz: 3.3, phases: ['epoll'] as const },
    ],
  ])('is the same beside the run as after it, %s', async (_, given) => {
    const here = new Told();
    const there = new Told();
    let begun: RangeBeside | null = null;
    const serial = await runRfc(given, here, () => null);
    const parallel = await runRfc(given, there, (its) => {
      begun = rangeBeside(its, module);
      return begun;
    });
    expect(begun).not.toBeNull();
    expect(parallel).toEqual(serial);
    expect(serial.phases.map(({ range }) => range?.messages)).toEqual(serial.phases.map(() => 30));
    for (const { done, all } of [here, there]) {
      // The run, two of the range, and one under each condition.
      expect(all).toBe(serial.phases.length * 30 * (3 + serial.conditions.length));
      expect(done.at(-1)).toBe(all);
      expect(done).toEqual([...done].sort((a, b) => a - b));
    }
  });

  it('is left out by who is interrupted, and the thread ends', async () => {
    const watcher = new Told();
    const report = await runRfc({ ...settings, messages: 100_000 }, watcher, (its) => {
      watcher.interrupted = true;
      return rangeBeside(its, module);
    });
    expect(report.complete).toBe(false);
    expect(report.phases.map(({ range }) => range)).toEqual(report.phases.map(() => null));
  });

  it('fails as it does in this thread', async () => {
    // Nothing can be sent in less than the stamp takes.
    const other = rangeBeside({ ...settings, size: 1 }, module);
    await expect(other?.range).rejects.toThrow('size: 1 bytes is not within 18 .. 1024');
    await other?.close();
  });

  it('is found in this thread with plugins, or if the program is not built', () => {
    expect(rangeBeside({ ...settings, plugins: [{} as never] }, module)).toBeNull();
    expect(rangeBeside(settings, new URL('absent.js', module))).toBeNull();
  });
});
