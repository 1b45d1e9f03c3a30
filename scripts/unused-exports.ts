import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';

/**
 * What packages export and nobody else uses: no other package, plugin, application, script, document or example imports it, no
 * exported declaration that is used mentions it, and its comment does not mark it as `@public`, with what for, or as `@internal`.
 * `node_modules/.bin/jiti scripts/unused-exports.ts` lists it.
 */
export function unusedExports(root: string): readonly string[] {
  const members = ['packages', 'plugins']
    .flatMap((group) => folders(join(root, group)))
    .filter(hasManifest)
    .filter(isNoHeader);
  const readers = [
    ...['packages', 'plugins', 'apps'].flatMap((group) => folders(join(root, group))),
    join(root, 'docs'),
    join(root, 'scripts'),
  ];
  const used = new Map<string, Set<string>>();
  for (const reader of [...readers.flatMap(filesOf), ...textsIn(root)]) {
    for (const { from, names } of importsOf(reader)) {
      const all = used.get(from) ?? new Set();
      for (const name of names) all.add(name);
      used.set(from, all);
    }
  }
  return members.flatMap((member) => {
    const name = nameOf(member);
    return unusedOf(join(member, 'src/index.ts'), used.get(name) ?? new Set()).map((symbol) => `${name}: ${symbol}`);
  });
}

/** Exports of one entry point that are neither used nor marked. */
export function unusedOf(entry: string, used: ReadonlySet<string>): readonly string[] {
  const declared = declarationsBelow(dirname(entry));
  const exported = exportsOf(entry);
  const open = [...used].flatMap((name) => exported.get(name) ?? []);
  const reached = new Set(open);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const mentioned of (declared.get(name) ?? []).flatMap((declaration) => [...mentionedIn(declaration)])) {
      if (reached.has(mentioned) || !declared.has(mentioned)) continue;
      reached.add(mentioned);
      open.push(mentioned);
    }
  }
  return [...exported].filter(([, origin]) => !reached.has(origin) && !(declared.get(origin) ?? []).some(isMarked)).map(([name]) => name);
}

/** The names that an entry point exports, and those they have in their own modules. */
function exportsOf(entry: string): ReadonlyMap<string, string> {
  const exported = new Map<string, string>();
  for (const statement of parse(entry).statements) {
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined) continue;
    if (statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause)) continue;
    for (const { name, propertyName } of statement.exportClause.elements) exported.set(name.text, (propertyName ?? name).text);
  }
  return exported;
}

const parsed = new Map<string, ts.SourceFile>();

function parse(file: string): ts.SourceFile {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  parsed.set(file, source);
  return source;
}

/** What the modules below a folder declare, by name. */
function declarationsBelow(folder: string): ReadonlyMap<string, readonly ts.Node[]> {
  const declared = new Map<string, ts.Node[]>();
  const add = (name: ts.Node | undefined, node: ts.Node): void => {
    if (name === undefined || !ts.isIdentifier(name)) return;
    const others = declared.get(name.text);
    if (others === undefined) declared.set(name.text, [node]);
    else others.push(node);
  };
  for (const file of filesOf(folder)) {
    for (const statement of parse(file).statements) {
      if (ts.isVariableStatement(statement)) for (const { name } of statement.declarationList.declarations) add(name, statement);
      else add((statement as ts.Statement & { readonly name?: ts.Node }).name, statement);
    }
  }
  return declared;
}

function isMarked(node: ts.Node): boolean {
  return ts
    .getJSDocTags(node)
    .some(({ tagName, comment = '' }) => tagName.text === 'internal' || (tagName.text === 'public' && comment !== ''));
}

/** Identifiers in what a declaration file would show: no bodies, no values, no private members. */
function mentionedIn(declaration: ts.Node): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isBlock(node)) return;
    if (ts.isIdentifier(node)) names.add(node.text);
    if (ts.isClassElement(node) && isPrivate(node)) return;
    const hasValue = ts.isVariableDeclaration(node) || ts.isPropertyDeclaration(node) || ts.isParameter(node);
    ts.forEachChild(node, (child) => {
      if (!hasValue || child !== node.initializer) visit(child);
      else if (node.type === undefined) visitValue(child);
    });
  };
  // Where a type is not written down it is that of the value.
  const visitValue = (value: ts.Node): void => {
    if (!ts.isObjectLiteralExpression(value)) visit(value);
    else for (const one of value.properties) if (ts.isPropertyAssignment(one)) visitValue(one.initializer);
  };
  visit(declaration);
  return names;
}

function isPrivate(member: ts.ClassElement): boolean {
  if (member.name !== undefined && ts.isPrivateIdentifier(member.name)) return true;
  return ts.canHaveModifiers(member) && (ts.getModifiers(member) ?? []).some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword);
}

interface Import {
  readonly from: string;
  readonly names: readonly string[];
}

/** What a file takes from packages of the house. In texts, the programs between fences count. */
function importsOf(file: string): readonly Import[] {
  const text = readFileSync(file, 'utf8');
  const code = file.endsWith('.md') ? [...text.matchAll(/^```(?:ts|js)\n(.*?)^```/gms)].map(([, block]) => block).join('\n') : text;
  const found: Import[] = [];
  for (const [, clause = '', from = ''] of code.matchAll(/(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s+from\s+'(@rpal\/[\w-]+)'/g)) {
    const names = clause.split(',').map((one) =>
      (
        one
          .trim()
          .replace(/^type\s+/, '')
          .split(/\s+as\s+/)[0] ?? ''
      ).trim(),
    );
    found.push({ from, names: names.filter((name) => name !== '') });
  }
  for (const [, from = '', name = ''] of code.matchAll(/import\('(@rpal\/[\w-]+)'\)\.(\w+)/g)) found.push({ from, names: [name] });
  // A package's README and examples use it as others do; its sources and tests are its own.
  const [, member] = /^(.*\/(?:packages|plugins)\/[^/]+)\/(?:src|test)\//.exec(file.replaceAll('\\', '/')) ?? [];
  return member === undefined ? found : found.filter(({ from }) => from !== nameOf(member));
}

function folders(parent: string): readonly string[] {
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(parent, name));
}

/** What a package exports whose constants are Linux's is for every program, as a header is. */
const isNoHeader = (folder: string): boolean => nameOf(folder) !== '@rpal/uapi';

const hasManifest = (folder: string): boolean => existsSync(join(folder, 'package.json'));

const names = new Map<string, string>();

function nameOf(member: string): string {
  const known = names.get(member) ?? (JSON.parse(readFileSync(join(member, 'package.json'), 'utf8')) as { name: string }).name;
  names.set(member, known);
  return known;
}

const SKIPPED = new Set(['node_modules', 'dist', 'etc', '.turbo', 'coverage']);

function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesOf(path);
    return /\.(ts|mjs|md)$/.test(entry.name) && entry.name !== 'CHANGELOG.md' ? [path] : [];
  });
}

const textsIn = (root: string): readonly string[] => readdirSync(root).flatMap((name) => (name.endsWith('.md') ? [join(root, name)] : []));

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const root = resolve(import.meta.dirname, '..');
  for (const line of unusedExports(root)) console.log(line);
}
