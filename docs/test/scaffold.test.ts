import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, sep } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attempt, build, pnpm, registryReachable, root } from './outside-project.ts';

const left = new Set(['node_modules', '.turbo', '.git', 'coverage']);
const reachable = registryReachable();
if (!reachable) console.warn('skipped: scaffold. npm cannot reach its registry.');

describe.skipIf(!reachable)('npm run new-plugin', () => {
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
    pnpm(copy, 'install', '--frozen-lockfile', '--prefer-offline', '--reporter=silent');
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

  it('leaves nothing behind if it cannot install', () => {
    const before = readFileSync(join(copy, 'pnpm-lock.yaml'), 'utf8');
    // A computer with Node alone: neither pnpm nor npx is found.
    const { status, stderr } = spawnSync(process.execPath, [join(copy, 'scripts/new-plugin.mjs'), 'no-luck'], {
      cwd: copy,
      encoding: 'utf8',
      env: { PATH: join(copy, 'docs') },
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/npx --yes pnpm@.* failed: .*ENOENT[\s\S]*Nothing has been changed/);
    expect(existsSync(join(copy, 'plugins/no-luck'))).toBe(false);
    expect(existsSync(join(copy, '.changeset/new-no-luck.md'))).toBe(false);
    expect(readFileSync(join(copy, 'pnpm-lock.yaml'), 'utf8')).toBe(before);
  });

  it('makes a plugin that passes build, lint, types and its tests untouched', { timeout: 400_000 }, () => {
    expect(make('wake-sample')).toMatchObject({ status: 0 });
    const plugin = join(copy, 'plugins/wake-sample');
    expect(readFileSync(join(copy, '.changeset/new-wake-sample.md'), 'utf8')).toContain('"@rpal/wake-sample": minor');
    expect(existsSync(join(plugin, 'changeset.md'))).toBe(false);

    pnpm(copy, '--filter=@rpal/wake-sample', 'run', 'build');
    expect(existsSync(join(plugin, 'dist/index.d.ts'))).toBe(true);
    pnpm(copy, 'exec', 'biome', 'check', '--vcs-enabled=false', 'plugins/wake-sample');
    const config = {
      extends: './tsconfig.json',
      include: ['plugins/wake-sample/src', 'plugins/wake-sample/test', 'plugins/wake-sample/*.ts'],
    };
    writeFileSync(join(copy, 'tsconfig.sample.json'), JSON.stringify(config));
    pnpm(copy, 'exec', 'tsc', '--noEmit', '-p', 'tsconfig.sample.json');
    expect(pnpm(copy, 'exec', 'vitest', 'run', '--project', 'wake-sample')).toMatch(/5 passed/);
  });
});
