import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packages } from 'virtual:own-packages';
import type { Plugin } from '@rpal/bus';
import type { Jiti } from 'jiti';
import { UsageError } from './usage.js';

/** How `--plugin` names a plugin: module, name of the export, options. */
export const PLUGIN_SYNTAX = '<file|package>[#export][={"option": value, ...}]';

/**
 * Loads plugins as `--plugin` names them: files of TypeScript or JavaScript, or packages. The packages that this program runs
 * on are the ones that they import: a machine and its plugins must share one copy, which registers steps and merges seams.
 * @param directory where relative files and packages are looked for first
 * @throws UsageError naming what could not be loaded, and why
 */
export async function loadPlugins(specifications: readonly string[], directory: string): Promise<readonly Plugin[]> {
  if (specifications.length === 0) return [];
  // A compiler of its own, which most commands can do without.
  const { createJiti } = await import('jiti');
  const loaders = [directory, fileURLToPath(new URL('.', import.meta.url))].map((from) =>
    createJiti(join(from, '_'), { virtualModules: packages, interopDefault: false }),
  );
  const plugins: Plugin[] = [];
  for (const specification of specifications) plugins.push(...(await load(specification, directory, loaders)));
  return plugins;
}

async function load(specification: string, directory: string, loaders: readonly Jiti[]): Promise<readonly Plugin[]> {
  const { module: name, exported, options } = parse(specification);
  const isFile = /^(\.{0,2}\/|.:[\\/])/.test(name) || /\.[cm]?[jt]s$/.test(name);
  const path = isFile ? resolve(directory, name) : name;
  if (isFile && !existsSync(path)) throw new UsageError(`--plugin "${name}": there is no file ${path}`);
  const loader = loaders.find((candidate) => candidate.esmResolve(path, { try: true }) !== undefined);
  if (loader === undefined) {
    throw new UsageError(
      `--plugin "${name}": no package of that name is installed here; a file is named with its path, such as ./${name}.ts`,
    );
  }
  let module: Record<string, unknown>;
  try {
    const file = fileURLToPath(loader.esmResolve(path));
    // `import` would hand an ES module to Node, which gives it packages of its own: steps and seams that the machine does not know.
    module = (await loader.evalModule(readFileSync(file, 'utf8'), { filename: file, async: true, forceTranspile: true })) as typeof module;
  } catch (error) {
    throw new UsageError(`--plugin "${name}" could not be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
  return pluginsIn(name, choose(name, module, exported), options);
}

/** Takes `module#export={"option":1}` apart. */
function parse(specification: string): { module: string; exported: string | undefined; options: object | undefined } {
  const [, head = specification, json] = /^(.*?)=(\{.*)$/s.exec(specification) ?? [];
  const [module = '', exported] = head.split('#');
  if (module === '') throw new UsageError(`--plugin takes ${PLUGIN_SYNTAX}; "${specification}" names no module`);
  try {
    return { module, exported, options: json === undefined ? undefined : (JSON.parse(json) as object) };
  } catch {
    throw new UsageError(`--plugin "${module}": the options behind "=" must be a JSON object; ${json} is none`);
  }
}

/** The export that is meant: the one that is named, else the default, else the only one. */
function choose(name: string, module: Record<string, unknown>, exported: string | undefined): unknown {
  const names = Object.keys(module).filter((key) => key !== 'default' && key !== '__esModule');
  if (exported !== undefined) {
    if (!names.includes(exported)) {
      throw new UsageError(`--plugin "${name}": it has no export "${exported}"; it has ${names.join(', ') || 'only a default'}`);
    }
    return module[exported];
  }
  if (module.default !== undefined) return module.default;
  const candidates = names.filter((key) => typeof module[key] === 'function' || isPlugin(module[key]));
  if (candidates.length === 1) return module[candidates[0] as string];
  throw new UsageError(
    candidates.length === 0
      ? `--plugin "${name}": it exports no plugin; its default export should be what definePlugin returns`
      : `--plugin "${name}": it exports ${candidates.join(', ')}; say which is meant, as in ${name}#${candidates.at(-1)}`,
  );
}

/** Plugins as they may be exported: what definePlugin returns, a plugin with its options, or a list of plugins. */
function pluginsIn(name: string, value: unknown, options: object | undefined): readonly Plugin[] {
  const made: unknown = typeof value === 'function' ? (value as (options?: object) => unknown)(options) : value;
  if (typeof value !== 'function' && options !== undefined) {
    throw new UsageError(`--plugin "${name}": the plugin that it exports has its options already; export what definePlugin returns`);
  }
  const list = Array.isArray(made) ? (made as unknown[]) : [made];
  if (list.length > 0 && list.every(isPlugin)) return list;
  throw new UsageError(`--plugin "${name}": what it exports is no plugin; its default export should be what definePlugin returns`);
}

function isPlugin(value: unknown): value is Plugin {
  const definition = (value as Plugin | null | undefined)?.definition as unknown as { setup?: unknown } | undefined;
  return typeof definition?.setup === 'function';
}
