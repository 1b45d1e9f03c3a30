import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import manifest from '../../package.json' with { type: 'json' };

/**
 * Which model this is: results of one do not count for another. The bytes of the built program say it, and nothing but its version where it
 * runs from its sources.
 * @param plugin specification of a plugin that takes part, whose file does, too
 */
export function modelIdentity(plugin: string, directory: string): string {
  const hash = createHash('sha256').update(manifest.version);
  const folder = dirname(fileURLToPath(import.meta.url));
  if (basename(folder) === 'dist') {
    for (const name of readdirSync(folder).sort()) if (name.endsWith('.js')) hash.update(readFileSync(join(folder, name)));
  }
  const file = resolve(directory, plugin.split(/[#=]/)[0] as string);
  if (plugin !== 'none' && existsSync(file)) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}
