import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the mutated line decides. */
export type Kind = 'wake-up' | 'flush' | 'errno' | 'bound' | 'cost' | 'key' | 'state' | 'order' | 'permission';

/** One line of the sources, made wrong. The tests must notice. */
export interface Mutant {
  readonly kind: Kind;
  /** Part of the line. It is in one place in the sources of the package; so the mutant stays the same when the line moves. */
  readonly text: string;
  readonly mutated: string;
  /** The end of the file's path, where the same text is in other files, too. */
  readonly in?: string;
  /** Tests that are to notice, as paths in `test` without `.test.ts`; in another package: `kernel/futex`. None: those of the group. */
  readonly tests?: readonly string[];
  /** Why no test can notice, or none needs to. Then it is to survive. */
  readonly survives?: string;
}

/** Mutants of one package. */
export interface Group {
  /** Its folder: `packages/mm`. */
  readonly package: string;
  /** Fast tests that are to notice, unless a mutant names others. None that measures the host's time. */
  readonly tests: readonly string[];
  readonly mutants: readonly Mutant[];
}

/** Where a mutant is. */
export interface Place {
  /** Absolute. */
  readonly file: string;
  readonly line: number;
}

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** @throws Error if the text is in no place, or in more than one */
export function locate({ package: folder }: Group, { text, mutated, in: end = '' }: Mutant): Place {
  if (text === mutated || text.includes('\n')) throw new Error(`${folder}: not a mutant of one line: ${text}`);
  const places = sources(join(root, folder, 'src')).flatMap(({ file, content }) => {
    const found: Place[] = [];
    if (!file.endsWith(end)) return found;
    for (let at = content.indexOf(text); at >= 0; at = content.indexOf(text, at + 1)) {
      found.push({ file, line: content.slice(0, at).split('\n').length });
    }
    return found;
  });
  if (places.length === 1) return places[0] as Place;
  const where = places.map(({ file, line }) => `${file.slice(root.length)}:${line}`).join(', ');
  throw new Error(`${folder}: ${places.length === 0 ? 'nowhere' : `in more than one place (${where})`}: ${text}`);
}

const read = new Map<string, readonly { readonly file: string; readonly content: string }[]>();

function sources(folder: string) {
  const known = read.get(folder);
  if (known !== undefined) return known;
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const found = names.map((name) => ({ file: join(folder, name), content: readFileSync(join(folder, name), 'utf8') }));
  read.set(folder, found);
  return found;
}

/** Test files that are to notice, relative to the root. */
export function testFiles(group: Group, { tests = group.tests }: Mutant): readonly string[] {
  return tests.map((test) => {
    const [first, ...rest] = test.split('/') as [string, ...string[]];
    // Of another package, or below a folder of its own tests.
    const other = ['packages', 'plugins', 'apps'].map((all) => `${all}/${first}`).find(isThere);
    const isOther = rest.length > 0 && other !== undefined;
    return isOther ? `${other}/test/${rest.join('/')}.test.ts` : `${group.package}/test/${test}.test.ts`;
  });
}

/** @param path relative to the root */
export function isThere(path: string): boolean {
  return existsSync(join(root, path));
}
