import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packages } from 'virtual:own-packages';
import { UsageError } from './usage.js';

/** What a module exports, by name. */
export type Exports = Readonly<Record<string, unknown>>;

/** How something is named that is built in, or that a module exports. */
export const MODULE_SYNTAX = 'a name, or <file|package>[#export]';

/** Whether a word names a file or a package, with or without an export, and not what is built in. */
export function isModule(word: string): boolean {
  return word.startsWith('@') || isFileName(word.split('#')[0] as string);
}

/** Whether a name is that of a file, and not of a package. */
function isFileName(name: string): boolean {
  return /^(\.{0,2}\/|.:[\\/])/.test(name) || /\.[cm]?[jt]s$/.test(name);
}

/**
 * Loads a file of TypeScript or JavaScript, or a package. What it imports of this program's packages is this program's own copy: a machine
 * and its plugins must share one copy, which registers steps and merges seams.
 * @param flag what named it, for complaints
 * @param directory where relative files and packages are looked for first
 * @throws UsageError if it could not be loaded, and why
 */
export async function loadModule(flag: string, name: string, directory: string): Promise<Exports> {
  const path = isFileName(name) ? resolve(directory, name) : name;
  if (isFileName(name) && !existsSync(path)) throw new UsageError(`${flag} "${name}": there is no file ${path}`);
  // A compiler, which most commands can do without.
  const { createJiti } = await import('jiti');
  const loaders = [directory, fileURLToPath(new URL('.', import.meta.url))].map((from) =>
    createJiti(join(from, '_'), { virtualModules: packages, interopDefault: false }),
  );
  const loader = loaders.find((candidate) => candidate.esmResolve(path, { try: true }) !== undefined);
  if (loader === undefined) {
    throw new UsageError(
      `${flag} "${name}": no package of that name is installed here; a file is named with its path, such as ./${name}.ts`,
    );
  }
  try {
    const file = fileURLToPath(loader.esmResolve(path));
    // `import` would hand an ES module to Node, which gives it packages of its own: steps and seams that the machine does not know.
    return (await loader.evalModule(readFileSync(file, 'utf8'), { filename: file, async: true, forceTranspile: true })) as Exports;
  } catch (error) {
    throw new UsageError(`${flag} "${name}" could not be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
}
