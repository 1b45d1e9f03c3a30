import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import manifest from '../../package.json' with { type: 'json' };

const folder = dirname(fileURLToPath(import.meta.url));

/** Of the program alone. */
let program: string | undefined;

/**
 * The identity of the model: results of one do not count for another. It is the hash of the built program; where the program runs from its
 * sources, only its version.
 * @param modules specifications of plugins, mechanisms and profiles that take part: their files do, too
 */
export function modelIdentity(modules: readonly string[], directory: string): string {
  program ??= hashOf(manifest.version, basename(folder) === 'dist' ? readdirSync(folder).filter(isProgram).sort() : [], folder);
  return hashOf(program, modules.flatMap((specification) => filesOf(specification, directory)).sort(), directory);
}

function isProgram(name: string): boolean {
  return name.endsWith('.js');
}

function hashOf(first: string, files: readonly string[], directory: string): string {
  const hash = createHash('sha256').update(first);
  for (const file of files) hash.update(readFileSync(resolve(directory, file)));
  return hash.digest('hex').slice(0, 16);
}

/** The file that a specification names, or the manifest and the main module of a package. */
function filesOf(specification: string, directory: string): string[] {
  const [name = ''] = specification.split(/[#=]/);
  const file = resolve(directory, name);
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) return [file];
  for (const from of [directory, folder]) {
    for (let at = resolve(from); ; at = dirname(at)) {
      const manifestFile = join(at, 'node_modules', name, 'package.json');
      if (existsSync(manifestFile)) {
        const { main } = JSON.parse(readFileSync(manifestFile, 'utf8')) as { main?: string };
        const module = join(dirname(manifestFile), main ?? 'index.js');
        return statSync(module, { throwIfNoEntry: false })?.isFile() === true ? [manifestFile, module] : [manifestFile];
      }
      if (dirname(at) === at) break;
    }
  }
  return [];
}
