import type { Plugin } from '@rpal/bus';
import { loadModule } from './module-loader.js';
import { UsageError } from './usage.js';

/** How `--plugin` names a plugin: module, name of the export, options. */
export const PLUGIN_SYNTAX = '<file|package>[#export][={"option": value, ...}]';

/**
 * Loads plugins as `--plugin` names them: files of TypeScript or JavaScript, or packages.
 * @param directory where relative files and packages are looked for first
 * @throws UsageError naming what could not be loaded, and why
 */
export async function loadPlugins(specifications: readonly string[], directory: string): Promise<readonly Plugin[]> {
  const plugins: Plugin[] = [];
  for (const specification of specifications) {
    const { module: name, exported, options } = parse(specification);
    const module = await loadModule('--plugin', name, directory);
    plugins.push(...pluginsIn(name, choose(name, module, exported), options));
  }
  return plugins;
}

/** `module#export={"option":1}`: the module and its export. */
export function withoutOptions(specification: string): string {
  return /^(.*?)=\{/s.exec(specification)?.[1] ?? specification;
}

/** Takes `module#export={"option":1}` apart. */
function parse(specification: string): { module: string; exported: string | undefined; options: object | undefined } {
  const head = withoutOptions(specification);
  const json = head === specification ? undefined : specification.slice(head.length + 1);
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
  throw new UsageError(`--plugin "${name}": what it exports is not a plugin; its default export should be what definePlugin returns`);
}

function isPlugin(value: unknown): value is Plugin {
  const definition = (value as Plugin | null | undefined)?.definition as unknown as { setup?: unknown } | undefined;
  return typeof definition?.setup === 'function';
}
