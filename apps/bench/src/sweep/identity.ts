import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import manifest from '../../package.json' with { type: 'json' };

/**
 * The identity of the model: results of one do not count for another. It is the hash of the built program; where the program runs from its
 * sources, only its version.
 * @param modules specifications of plugins and mechanisms that take part, whose files do, too
 */
export function modelIdentity(modules: readonly string[], directory: string): string {
  const hash = createHash('sha256').update(manifest.version);
  const folder = dirname(fileURLToPath(import.meta.url));
  if (basename(folder) === 'dist') {
    for (const name of readdirSync(folder).sort()) if (name.endsWith('.js')) hash.update(readFileSync(join(folder, name)));
  }
  for (const specification of modules) {
    const file = resolve(directory, specification.split(/[#=]/)[0] as string);
    if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) hash.update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}
