// npm run new-plugin -- NAME: makes plugins/NAME from docs/template, with a test, a README and a changeset, and installs it.
// Takes Node and npm, as everything here; uses pnpm where it is installed. If it fails it leaves nothing behind.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pnpmCommand } from './pnpm.cjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Ends with the exit code of wrong usage. */
function refuse(message) {
  console.error(`new-plugin: ${message}\nusage: npm run new-plugin -- NAME    for example: npm run new-plugin -- wake-affine`);
  process.exit(2);
}

const [name, ...rest] = process.argv.slice(2);
if (name === undefined || rest.length > 0) refuse('one name is needed');
if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
  refuse(`"${name}" is no name: lower-case words joined by dashes, the first beginning with a letter`);
for (const group of ['packages', 'plugins', 'apps']) {
  if (existsSync(join(root, group, name))) refuse(`${group}/${name} exists already; choose another name`);
}

const camel = name.replace(/-(.)/g, (_match, letter) => letter.toUpperCase());
const pascal = camel[0].toUpperCase() + camel.slice(1);
const target = join(root, 'plugins', name);
const changeset = join(root, '.changeset', `new-${name}.md`);
const lockfile = join(root, 'pnpm-lock.yaml');
const lock = readFileSync(lockfile);
mkdirSync(join(root, 'plugins'), { recursive: true });
cpSync(join(root, 'docs/template'), target, { recursive: true });
for (const file of readdirSync(target, { recursive: true, withFileTypes: true })) {
  if (!file.isFile()) continue;
  const path = join(file.parentPath ?? file.path, file.name);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replaceAll('plugin-name', name).replaceAll('pluginName', camel).replaceAll('PluginName', pascal));
}
renameSync(join(target, 'changeset.md'), changeset);

const [program, ...pnpm] = pnpmCommand();
/** Runs pnpm in the project. @returns null, or what went wrong */
function failure(...args) {
  const { status, error, stdout, stderr } = spawnSync(program, [...pnpm, ...args], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  return status === 0 ? null : `"${[program, ...pnpm, ...args].join(' ')}" failed: ${error?.message ?? `${stdout}${stderr}`.trim()}`;
}

const problem =
  failure('install', '--prefer-offline', '--no-frozen-lockfile', '--reporter=append-only') ??
  // Imports and long lines fall differently for each name.
  failure('exec', 'biome', 'check', '--write', `plugins/${name}`);
if (problem !== null) {
  rmSync(target, { recursive: true });
  rmSync(changeset);
  writeFileSync(lockfile, lock);
  console.error(`new-plugin: ${problem}\nNothing has been changed. It takes npm's registry, or pnpm and its store, to install the plugin.`);
  process.exit(1);
}
console.log(`plugins/${name}   the plugin: src/plugin.ts, test/plugin.test.ts, README.md
.changeset/new-${name}.md   its line for the changelog
Try it: npx vitest run --project ${name}`);
