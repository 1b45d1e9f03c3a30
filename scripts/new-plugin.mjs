// pnpm new-plugin NAME: makes plugins/NAME from docs/template, with a test, a README and a changeset, and installs it.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Ends with the exit code of wrong usage. */
function refuse(message) {
  console.error(`new-plugin: ${message}\nusage: pnpm new-plugin NAME    for example: pnpm new-plugin wake-affine`);
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
mkdirSync(join(root, 'plugins'), { recursive: true });
cpSync(join(root, 'docs/template'), target, { recursive: true });
for (const file of readdirSync(target, { recursive: true, withFileTypes: true })) {
  if (!file.isFile()) continue;
  const path = join(file.parentPath ?? file.path, file.name);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replaceAll('plugin-name', name).replaceAll('pluginName', camel).replaceAll('PluginName', pascal));
}
renameSync(join(target, 'changeset.md'), join(root, '.changeset', `new-${name}.md`));

// Imports and long lines fall differently for each name.
const format = spawnSync('pnpm', ['exec', 'biome', 'check', '--write', `plugins/${name}`], {
  cwd: root,
  encoding: 'utf8',
  shell: process.platform === 'win32',
});
if (format.status !== 0) process.stderr.write(format.stdout + format.stderr);
const install = spawnSync('pnpm', ['install', '--prefer-offline', '--no-frozen-lockfile', '--reporter=silent'], {
  cwd: root,
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
if (install.status !== 0) console.error(`plugins/${name} is there, but "pnpm install" failed: run it before you build or test`);
console.log(`plugins/${name}   the plugin: src/plugin.ts, test/plugin.test.ts, README.md
.changeset/new-${name}.md   its line for the changelog
Try it: pnpm exec vitest run --project ${name}`);
process.exit(install.status === 0 && format.status === 0 ? 0 : 1);
