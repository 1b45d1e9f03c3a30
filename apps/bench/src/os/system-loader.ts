import type { System } from '@rpal/compare';
import { isModule, loadModule } from '../module-loader.js';
import { UsageError } from '../usage.js';
import { systems } from './systems.js';

/**
 * The system of that name, in upper or lower case, or the one that a file or package exports.
 * @param directory where relative files and packages are looked for first
 * @throws UsageError with the names that there are
 */
export async function systemNamed(word: string, directory: string): Promise<System> {
  if (!isModule(word)) {
    const found = systems.find((system) => system.name === word.toLowerCase());
    if (found !== undefined) return found;
    const names = systems.map((system) => system.name).join(', ');
    throw new UsageError(`a system is one of ${names}, or a file or package that exports one; "${word}" is none of them`);
  }
  const [name = '', wanted] = word.split('#');
  const module = await loadModule('os', name, directory);
  const found = Object.entries(module).filter(([key, value]) => isSystem(value) && (wanted === undefined || key === wanted));
  const all = [...new Set(found.map(([, value]) => value as System))];
  if (all.length === 1) return all[0] as System;
  throw new UsageError(
    all.length === 0
      ? `"${word}" exports no ${wanted === undefined ? 'system' : 'such system'}: an object with name, title, experiments and mechanisms`
      : `"${word}" exports ${found.map(([key]) => key).join(', ')}; say which is meant, as in ${name}#${found[0]?.[0]}`,
  );
}

function isSystem(value: unknown): value is System {
  const { name, title, experiments, mechanisms } = (value ?? {}) as Partial<System>;
  return typeof name === 'string' && typeof title === 'string' && Array.isArray(experiments) && Array.isArray(mechanisms);
}
