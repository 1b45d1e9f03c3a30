import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pnpmCommand } from '../../scripts/pnpm.cjs';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** Members of the workspace in some of its folders, as paths from `root`, sorted. */
export function membersIn(...groups: readonly string[]): string[] {
  return groups
    .flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`))
    .filter((member) => existsSync(join(root, member, 'package.json')))
    .sort();
}

/** A command that must succeed; its standard output. */
export function command(program: string, args: readonly string[], cwd: string = root): string {
  const { status, stdout, stderr, error } = attempt(program, args, cwd);
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} ended with ${status ?? error?.message}\n${stdout}${stderr}`);
}

export function attempt(program: string, args: readonly string[], cwd: string): SpawnSyncReturns<string> {
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', npm_config_update_notifier: 'false' };
  return spawnSync(program, args, { cwd, env, encoding: 'utf8', shell: process.platform === 'win32' });
}

/** pnpm in a checkout, through npx where it is not installed. */
export function pnpm(cwd: string, ...args: string[]): string {
  const [program, ...before] = pnpmCommand() as [string, ...string[]];
  return command(program, [...before, ...args], cwd);
}

/** Builds what has changed of the workspace. */
export function build(): void {
  pnpm(root, 'exec', 'turbo', 'run', 'build', '--output-logs=errors-only');
}

export function tsc(...args: string[]): string {
  return command(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...args]);
}

/** An empty project outside the workspace that has installed the packages' tarballs with npm, and nothing else. */
export class OutsideProject {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'rpal-outside-'));
  /** Tarballs by package name. */
  readonly tarballs: Map<string, string> = new Map();

  /** Builds (what has changed) and packs every package and plugin of the workspace. */
  pack(): void {
    build();
    const at = join(this.directory, 'tarballs');
    mkdirSync(at);
    pnpm(root, '-r', '--filter=./packages/*', '--filter=./plugins/*', 'pack', '--pack-destination', at);
    for (const file of readdirSync(at)) {
      const manifest = command('tar', ['-xzOf', join(at, file), 'package/package.json']);
      this.tarballs.set((JSON.parse(manifest) as { name: string }).name, join(at, file));
    }
  }

  install(): void {
    writeFileSync(join(this.directory, 'package.json'), JSON.stringify({ name: 'outside', private: true, type: 'module' }));
    command('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...this.tarballs.values()], this.directory);
  }

  copy(from: string): void {
    cpSync(from, this.directory, { recursive: true });
  }

  /** Compiles files of the project under `options` in the strictest mode there is, into `out`. */
  compile(files: readonly string[], out: string, options: object): void {
    const compilerOptions = {
      target: 'ES2022',
      // zod's declarations name URL, which a browser or Node declares.
      lib: ['ES2022', 'DOM'],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      outDir: out,
      ...options,
    };
    const config = join(this.directory, `tsconfig.${out}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions, files }));
    tsc('-p', config);
  }

  read(file: string): string {
    return readFileSync(join(this.directory, file), 'utf8');
  }

  run(file: string): string {
    return command(process.execPath, [file], this.directory);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** True if a package can be had: from the registry, or from npm's cache of it. */
export function registryReachable(): boolean {
  return attempt('npm', ['view', 'semver', 'version', '--fetch-retries=0', '--fetch-timeout=8000'], root).status === 0;
}
