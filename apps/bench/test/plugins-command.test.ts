import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-plugins-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Writes a plugin whose setup is `body`. It is TypeScript, and imports nothing but types. */
function plugin(name: string, body: string, more = ''): void {
  writeFileSync(
    join(directory, `${name}.ts`),
    `import type { Plugin, PluginContext } from '@rpal/bus';
     const definition = { name: '${name}', version: '0.1.0', ${more} setup({ plugin, hooks }: PluginContext): void { ${body} } };
     export default { definition, input: {} } satisfies Plugin;`,
  );
}

plugin('wake-here', 'hooks.schedSelectCpu.tap(plugin, (linux, waker, task) => (task.affinity.has(waker.id) ? waker : linux));');
plugin('slow-fork', 'hooks.kernelClone.tap(plugin, (cpu) => { cpu.advanceTo(cpu.clock + 1); });');
plugin('needs-more', '', "requires: { 'somebody-else': '>=1.0.0' },");
plugin('throws', "hooks.kernelEntry.tap(plugin, () => { throw new Error('out of ideas'); });");
writeFileSync(join(directory, 'broken.ts'), 'const x: = 3;');
writeFileSync(join(directory, 'two.ts'), 'export const one = () => 1; export const other = () => 2;');
writeFileSync(join(directory, 'number.ts'), 'export default 42;');

const bench = (line: string): ReturnType<typeof run> => run(line.split(' '), undefined, directory);

describe('rpal-bench plugins', () => {
  it('shows who is plugged in where, and where nobody is', async () => {
    const { code, stdout } = await bench('plugins --plugin ./wake-here.ts');
    expect(code).toBe(0);
    expect(stdout).toMatch(/@rpal\/rpal-core \d+\.\d+\.\d+/);
    expect(stdout).toContain('wake-here 0.1.0');
    expect(stdout).toMatch(/schedSelectCpu +wake-here\n/);
    expect(stdout).toMatch(/kernelEntry +@rpal\/rpal-core\n/);
    expect(stdout).toMatch(/mmFork\n/);
    expect(stdout).toMatch(/idlePolicy +built in; free for a plugin\n/);
    expect(stdout).toMatch(/contextSwitch\n/);
  });

  it('shows plain Linux', async () => {
    const { stdout } = await bench('plugins --plain');
    expect(stdout).toContain('plain Linux');
    expect(stdout).not.toContain('@rpal/rpal-core');
  });
});

describe('--plugin', () => {
  it("runs the benchmark with an author's own file", async () => {
    const { code, stdout } = await bench('rfc --messages 20 --phase epoll --plugin ./wake-here.ts --plugin slow-fork.ts');
    expect(code).toBe(0);
    expect(stdout).toMatch(/plugins +wake-here, slow-fork\n/);
  });

  it('runs it with an installed package, by its name, and with options', async () => {
    const at = join(directory, 'node_modules/@somebody/else');
    mkdirSync(at, { recursive: true });
    writeFileSync(join(at, 'package.json'), JSON.stringify({ name: '@somebody/else', type: 'module', exports: './index.js' }));
    writeFileSync(
      join(at, 'index.js'),
      `import { definePlugin } from '@rpal/bus';
       const options = { '~standard': { version: 1, vendor: 'x', validate: (value) => ({ value }) } };
       export const slower = definePlugin({ name: '@somebody/else', version: '2.0.0', options, setup({ plugin, hooks }, { cycles }) {
         hooks.kernelClone.tap(plugin, (cpu) => cpu.advanceTo(cpu.clock + cycles));
       } });`,
    );
    const { code, stdout, stderr } = await bench('rfc --messages 20 --phase epoll --plugin @somebody/else={"cycles":5}');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/plugins +@somebody\/else\n/);
    expect((await bench('plugins --plugin @somebody/else#slower={"cycles":5}')).stdout).toMatch(
      /kernelClone +@rpal\/rpal-core, @somebody\/else\n/,
    );
  });

  it('gives the packages that it runs on to every module of a plugin, whichever imports them', async () => {
    const at = join(directory, 'node_modules/@somebody/parts');
    mkdirSync(at, { recursive: true });
    writeFileSync(join(at, 'package.json'), JSON.stringify({ name: '@somebody/parts', type: 'module', exports: './index.js' }));
    writeFileSync(join(at, 'index.js'), "export { step } from './step.js';");
    writeFileSync(
      join(at, 'step.js'),
      `import { defineSteps } from '@rpal/hw-x86';
       export const { step } = defineSteps('@somebody/parts', { step: { cause: 'user', ns: 1000, source: 'chosen', status: 'estimated' } });`,
    );
    writeFileSync(join(directory, 'inner.mjs'), "export { step } from '@somebody/parts';");
    writeFileSync(
      join(directory, 'outer.mjs'),
      `import { step } from './inner.mjs';
       const setup = ({ plugin, hooks }) => hooks.kernelClone.tap(plugin, (cpu) => { cpu.charge(step); });
       export default { definition: { name: 'outer', version: '1.0.0', setup }, input: {} };`,
    );
    // A step of another copy of the package would not be a step of this machine.
    const copy = join(directory, 'node_modules/@rpal/hw-x86');
    mkdirSync(copy, { recursive: true });
    writeFileSync(join(copy, 'package.json'), JSON.stringify({ name: '@rpal/hw-x86', type: 'module', exports: './index.js' }));
    writeFileSync(join(copy, 'index.js'), "export const defineSteps = () => { throw new Error('another copy'); };");
    const { code, stdout, stderr } = await bench('rfc --messages 20 --phase epoll --plugin ./outer.mjs');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/plugins +outer\n/);
  });

  it('may wait at its top level', async () => {
    writeFileSync(
      join(directory, 'waits.mjs'),
      "const name = await Promise.resolve('waits'); export default { definition: { name, version: '1.0.0', setup() {} }, input: {} };",
    );
    const { code, stdout, stderr } = await bench('plugins --plugin ./waits.mjs');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('waits 1.0.0');
  });

  it.each<[string, RegExp]>([
    ['./nowhere.ts', /--plugin ".\/nowhere.ts": there is no file .*nowhere\.ts/],
    ['no-such-package-anywhere', /no package of that name is installed here/],
    ['./broken.ts', /--plugin ".\/broken.ts" could not be loaded: .*Unexpected token/],
    ['./number.ts', /what it exports is not a plugin/],
    ['./two.ts', /it exports one, other; say which is meant, as in .\/two.ts#other/],
    ['./two.ts#third', /it has no export "third"; it has one, other/],
    ['./wake-here.ts={oops', /the options behind "=" must be a JSON object/],
    ['./wake-here.ts={}', /has its options already/],
    ['#x', /names no module/],
    ['./needs-more.ts', /plugin "needs-more" requires "somebody-else"/],
  ])('%s ends with one sentence before anything runs', async (name, sentence) => {
    const { code, stdout, stderr } = await bench(`rfc --plugin ${name}`);
    expect(stderr).toMatch(sentence);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('does not start RPAL on CPUs without protection keys, and says what would help', async () => {
    const { code, stderr } = await bench('rfc --messages 20 --profile epyc-7713-nopku');
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /needs protection keys \(PKU\), which epyc-7713-nopku does not have; add a plugin that provides another isolation/,
    );
  });

  it('names the plugin whose tap throws, and fails the run', async () => {
    const { code, stderr } = await bench('rfc --messages 20 --plugin ./throws.ts');
    expect(stderr).toMatch(/"throws" .*"kernelEntry".*out of ideas/);
    expect(code).toBe(1);
  });
});
