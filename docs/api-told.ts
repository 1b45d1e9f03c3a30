import { createHash } from 'node:crypto';

/** A changeset, as it stands in `.changeset`. */
export interface Changeset {
  readonly name: string;
  readonly text: string;
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** What the changesets that name a package say: another word is another hash; '' if none names it. */
function told(name: string, changesets: readonly Changeset[]): string {
  const own = changesets.filter(({ text }) => new RegExp(`^["']${name}["']:`, 'm').test(text)).sort((a, b) => (a.name < b.name ? -1 : 1));
  return own.length === 0 ? '' : hash(own.map((one) => `${one.name}\n${one.text}`).join('\n'));
}

/**
 * A package's report under a line that says which report was told last, and by which changesets (hashes of both). So each change of
 * the report asks for a changeset that is new, or says more, since the change before it; no history is asked.
 * @param name of the package
 * @param report as the sources are
 * @param before the file as it is, or '' if there is none yet
 * @throws Error if the report is another one and no changeset tells of it
 */
export function toldReport(name: string, report: string, before: string, changesets: readonly Changeset[]): string {
  const [, of, by] = /^<!-- report ([0-9a-f]+) told by changesets ([0-9a-f]*) -->\n/.exec(before) ?? [];
  const now = { of: hash(report), by: told(name, changesets) };
  if (now.of === of) return `<!-- report ${of} told by changesets ${by} -->\n${report}`;
  if (of !== undefined && (now.by === '' || now.by === by)) {
    throw new Error(
      `${name} exports something else than it did, and no changeset tells of it: write one that names it (\`pnpm changeset\`)`,
    );
  }
  return `<!-- report ${now.of} told by changesets ${now.by} -->\n${report}`;
}
