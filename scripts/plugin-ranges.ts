import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where plugins are defined, the template and examples included. */
const FOLDERS = ['packages', 'plugins', 'apps', 'docs/template', 'docs/test/third-party'];
const REQUIRES = /requires: \{[^\n]*\}/g;
const RANGE = /'(@rpal\/[a-z0-9-]+)': '[^']+'/g;

/** Versions of the packages of this repository, by name. */
function presentVersions(root: string): ReadonlyMap<string, string> {
  const manifests = ['packages', 'plugins', 'apps'].flatMap((group) =>
    readdirSync(join(root, group)).map((name) => JSON.parse(readFileSync(join(root, group, name, 'package.json'), 'utf8'))),
  );
  return new Map(manifests.map(({ name, version }) => [name, version]));
}

/** A line of source, with every package of this repository that it requires in a range that begins at its present version. */
export function withPresentRanges(line: string, versions: ReadonlyMap<string, string>): string {
  return line.replace(RANGE, (range, name: string) => (versions.has(name) ? `'${name}': '^${versions.get(name)}'` : range));
}

/** Sources that define plugins with requirements: the path of each from the root, and what it should be at the present versions. */
export function pluginSources(root: string): { readonly file: string; readonly text: string }[] {
  const versions = presentVersions(root);
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !/(^|\/)(dist|node_modules|test)\//.test(file))
      .map((file) => ({ file: `${folder}/${file}`, text: readFileSync(join(root, folder, file), 'utf8') }))
      .filter(({ text }) => text.match(REQUIRES)?.some((line) => line.match(RANGE) !== null) === true),
  ).map(({ file, text }) => ({ file, text: text.replace(REQUIRES, (line) => withPresentRanges(line, versions)) }));
}
