import { type Mechanism, mechanisms } from '@rpal/compare';
import { isModule, loadModule } from '../module-loader.js';
import { systems } from '../os/systems.js';
import { UsageError } from '../usage.js';

/** All that are built in: those of Linux and of RPAL first, then those of other systems. */
export const builtInMechanisms: readonly Mechanism[] = [...mechanisms, ...systems.flatMap((system) => system.mechanisms)];

/**
 * The mechanisms that a list of words with commas between names: those built in by their names, `all` of Linux and of RPAL, and what files
 * and packages export.
 * @param directory where relative files and packages are looked for first
 * @throws UsageError with the names that there are
 */
export async function mechanismsNamed(text: string, directory: string): Promise<readonly Mechanism[]> {
  if (text.toLowerCase() === 'all') return mechanisms;
  const found: Mechanism[] = [];
  for (const word of text.split(',')) found.push(...(isModule(word) ? await exportedBy(word, directory) : [builtIn(word)]));
  return found;
}

/** The one mechanism that a word names. @throws UsageError */
export async function mechanismNamed(word: string, directory: string): Promise<Mechanism> {
  const [mechanism, ...others] = await mechanismsNamed(word, directory);
  if (mechanism !== undefined && others.length === 0) return mechanism;
  throw new UsageError(`"${word}" are several mechanisms (${[mechanism, ...others].map((each) => each?.name).join(', ')}); name one`);
}

/** The built-in mechanism of that name, in upper or lower case. @throws UsageError with the names that there are */
export function builtIn(word: string): Mechanism {
  const found = builtInMechanisms.find(({ name }) => name === word.toLowerCase());
  if (found !== undefined) return found;
  const names = builtInMechanisms.map(({ name }) => name).join(', ');
  throw new UsageError(`a mechanism is one of ${names}, or a file or package that exports one; "${word}" is none of them`);
}

async function exportedBy(word: string, directory: string): Promise<readonly Mechanism[]> {
  const [name = '', wanted] = word.split('#');
  const module = await loadModule('--mechanism', name, directory);
  const all = Object.entries(module).flatMap(([key, value]) => {
    const list = (Array.isArray(value) ? value : [value]) as unknown[];
    return list.filter(isMechanism).map((mechanism) => ({ key, mechanism }));
  });
  const chosen = all.filter(({ key, mechanism }) => wanted === undefined || key === wanted || mechanism.name === wanted);
  // A default export may be a named one, too.
  const found = [...new Set(chosen.map(({ mechanism }) => mechanism))];
  if (found.length > 0) return found;
  const has = all.map(({ key }) => key).join(', ');
  throw new UsageError(
    `--mechanism "${word}" exports ${has === '' ? 'no mechanism: an object with name, sizes, waits and start' : `${has}, and no such one`}`,
  );
}

function isMechanism(value: unknown): value is Mechanism {
  const { name, title, sizes, waits, start } = (value ?? {}) as Partial<Mechanism>;
  return (
    typeof name === 'string' && typeof title === 'string' && Array.isArray(sizes) && Array.isArray(waits) && typeof start === 'function'
  );
}
