import type { Patch } from '../../packages/rpal-core/src/patches.ts';

/** What came of one patch. */
export interface Row extends Patch {
  /** What the row's test said without it. */
  readonly verdict: string;
  /** The test failed without it, and passed with it. */
  readonly isShown: boolean;
  /** The first test that failed. */
  readonly by: string;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

/** The page docs/patches.md of rpal-core. @param commit of the sources */
export function table(rows: readonly Row[], commit: string): string {
  const shown = rows.filter(({ isShown }) => isShown).length;
  const lines = [
    '# Where each patch of the series is',
    '',
    'The 35 patches of RFC v2: what each does, the file that carries most of it, and a test that fails without it. Paths are below `packages/`, or below `plugins/` where they',
    'begin so. `pnpm patches` takes each patch out, in one place, and runs its test; this page is what it wrote (`--markdown`), and a test of this package holds the rest of it true.',
    '',
    `At ${commit}: ${shown} of ${rows.length} tests fail without their patch, and pass with it.`,
    '',
    '| Patch | Title | What it does | File | Test | Without it |',
    '|---|---|---|---|---|---|',
    ...rows.map(({ patch, title, does, file, test, verdict, by }) => {
      const number = `${patch}`.padStart(2, '0');
      return `| ${number} | ${title} | ${cell(does)} | \`${file}\` | \`${test}\` | ${by === '' ? verdict : cell(by)} |`;
    }),
    '',
  ];
  return lines.join('\n');
}
