import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attempt, build, command, registryReachable, root } from './outside-project.ts';

const left = new Set(['node_modules', '.turbo', '.git', 'coverage']);
const reachable = registryReachable() && attempt('pnpm', ['--version'], root).status === 0;
if (!reachable) console.warn('skipped: scaffold. pnpm is not installed, or npm cannot reach its registry.');

describe.skipIf(!reachable)('pnpm new-plugin', () => {
  const copy = mkdtempSync(join(tmpdir(), 'rpal-scaffold-'));
  const make = (...names: string[]) => attempt(process.execPath, [join(copy, 'scripts/new-plugin.mjs'), ...names], copy);
  beforeAll(() => {
    build();
    cpSync(root, copy, {
      recursive: true,
      filter: (source) =>
        !relative(root, source)
          .split(sep)
          .some((part) => left.has(part)),
    });
    command('pnpm', ['install', '--frozen-lockfile', '--prefer-offline', '--reporter=silent'], copy);
  }, 900_000);
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  it('refuses what is no name, or is taken, and says what would be right', () => {
    for (const [names, message] of [
      [[], 'one name is needed'],
      [['Wake_Up'], '"Wake_Up" is no name: lower-case words joined by dashes'],
      [['bus'], 'packages/bus exists already; choose another name'],
    ] as const) {
      const { status, stderr } = make(...names);
      expect(status).toBe(2);
      expect(stderr).toContain(message);
    }
  });

  it('makes a plugin that passes build, lint, types and its tests untouched', { timeout: 400_000 }, () => {
    expect(make('wake-sample')).toMatchObject({ status: 0 });
    const plugin = join(copy, 'plugins/wake-sample');
    expect(readFileSync(join(copy, '.changeset/new-wake-sample.md'), 'utf8')).toContain('"@rpal/wake-sample": minor');
    expect(existsSync(join(plugin, 'changeset.md'))).toBe(false);

    command('pnpm', ['--filter=@rpal/wake-sample', 'run', 'build'], copy);
    expect(existsSync(join(plugin, 'dist/index.d.ts'))).toBe(true);
    command('pnpm', ['exec', 'biome', 'check', '--vcs-enabled=false', 'plugins/wake-sample'], copy);
    const config = {
      extends: './tsconfig.json',
      include: ['plugins/wake-sample/src', 'plugins/wake-sample/test', 'plugins/wake-sample/*.ts'],
    };
    writeFileSync(join(copy, 'tsconfig.sample.json'), JSON.stringify(config));
    command('pnpm', ['exec', 'tsc', '--noEmit', '-p', 'tsconfig.sample.json'], copy);
    expect(command('pnpm', ['exec', 'vitest', 'run', '--project', 'wake-sample'], copy)).toMatch(/5 passed/);
  });
});
