import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-run-'));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function runs(text: string, ...args: string[]) {
  const file = join(directory, `${files++}.ts`);
  writeFileSync(file, text);
  return run(['run', file, ...args], undefined, directory);
}

describe('rpal-bench run', () => {
  it('runs a program of the user, says how it ended, and what its time went to', async () => {
    const { code, stdout, stderr } = await runs(
      `export default function* (p) { yield* p.sleep(1000); for (let i = 0; i < 100; i++) yield* p.getpid(); return 3; }`,
    );
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/ 1 {2}program {2}ended with status 3\n/);
    expect(stdout).toMatch(/[\d,]+ TSC cycles of machine time \([\d,]+ ns\), [\d,]+ of them at work/);
    expect(stdout).toMatch(/100 +entry +kernel:syscallReturn|100 +\S+ +kernel:getpid/);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  it('gives a function the machine, on which it spawns programs that talk to each other', async () => {
    const { code, stdout } = await runs(
      `import { executable } from '@rpal/kernel';
       export default (machine) => {
         machine.spawn(executable('parent', function* (p) {
           const from = yield* p.pipe();
           const to = p.second;
           const at = yield* p.allocate(4096);
           yield* p.fork(function* child(q) { yield* q.write(to, at, 5); return 7; });
           if ((yield* p.read(from, at, 100)) !== 5) return 1;
           yield* p.wait();
         }));
       };`,
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/ 1 +parent +ended with status 0\n +2 +parent +ended with status 7\n/);
  });

  it.each([
    ['a program that dies', 'export default function* (p) { yield* p.load8(0); }', [], 1, 'killed by SIGSEGV', ''],
    [
      'programs that wait for ever',
      'export default function* (p) { const fd = yield* p.pipe(); yield* p.read(fd, yield* p.allocate(4096), 1); }',
      [],
      1,
      'still running',
      'read(',
    ],
    [
      'a program that does not end',
      'export default function* (p) { for (;;) yield* p.compute(1e6); }',
      ['--seconds', '0.01'],
      1,
      'still running',
      '0.01 s of machine time',
    ],
    ['a file without a program', 'export const a = 1;', [], 2, '', 'has no default export that is a function'],
    ['a function that spawns nothing', 'export default () => {};', [], 2, '', 'has spawned no program'],
    ['a file that does not compile', 'export default function* (p) { yield* ; }', [], 2, '', 'could not be loaded'],
    ['a program that throws', "export default function* (p) { throw new Error('my own mistake'); }", [], 1, '', 'my own mistake'],
  ])('says what is wrong with %s', async (_what, text, args, wanted, out, err) => {
    const { code, stdout, stderr } = await runs(text, ...args);
    expect([code, stderr]).toEqual([wanted, expect.stringContaining(err)]);
    expect(stdout).toContain(out);
  });

  it('names a file that is not there', async () => {
    const { code, stderr } = await run(['run', './nothing.ts'], undefined, directory);
    expect([code, stderr]).toEqual([2, `rpal-bench: run "./nothing.ts": there is no file ${join(directory, 'nothing.ts')}\n`]);
  });
});
