import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { membersIn, root } from './outside-project.ts';

/** The floors of the house, lowest first. A package imports from lower floors only; those on one floor do not know each other. */
const FLOORS: readonly (readonly string[])[] = [
  ['packages/bus', 'packages/uapi'],
  ['packages/hw-x86'],
  ['packages/mm', 'packages/sched'],
  ['packages/vfs'],
  ['packages/ipc'],
  ['packages/epoll'],
  ['packages/kernel'],
  ['packages/posix', 'packages/rpal-core', 'packages/tmpfs'],
  ['packages/librpal'],
  ['packages/explore', 'packages/compare', 'packages/trace'],
  membersIn('plugins'),
  membersIn('apps'),
];

/** Members whose folders still import each other in circles. Whoever unties one takes it off. */
const TANGLED: ReadonlySet<string> = new Set<string>();

interface Source {
  /** Path below the package's `src`, with forward slashes. */
  readonly path: string;
  /** What it imports, types included: module specifiers. */
  readonly imports: readonly string[];
  /** Its identifiers and the texts of its literals, without module specifiers. */
  readonly words: readonly string[];
}

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const members = FLOORS.flat();
const manifests = new Map(members.map((member) => [member, manifestOf(member)]));
const sources = new Map(members.map((member) => [member, sourcesOf(member)]));
const floorByName = new Map(FLOORS.flatMap((floor, at) => floor.map((member) => [(manifests.get(member) as Manifest).name, at])));

describe('the house', () => {
  it('has every package, plugin and application on a floor', () => {
    expect(membersIn('packages', 'plugins', 'apps')).toEqual([...members].sort());
  });

  it('has each package in the table of the README, below those it imports from', () => {
    const folders = readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^\| \[`[^`]+`\]\(([^)]+)\) \|/gm);
    const listed = Array.from(folders, ([, folder]) => folder as string);
    expect([...listed].sort()).toEqual([...members].sort());
    const above = new Set<string>();
    for (const member of listed) {
      const { name, dependencies } = manifests.get(member) as Manifest;
      const own = Object.keys({ ...dependencies }).filter((other) => floorByName.has(other));
      expect({ member, unknown: own.filter((other) => !above.has(other)) }).toEqual({ member, unknown: [] });
      above.add(name);
    }
  });

  it.each(members)('%s depends on lower floors only', (member) => {
    const { name, dependencies, peerDependencies, optionalDependencies } = manifests.get(member) as Manifest;
    const needed = Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies });
    const own = floorByName.get(name) as number;
    expect(needed.filter((other) => (floorByName.get(other) ?? -1) >= own)).toEqual([]);
  });

  it.each(members)('%s imports only what its manifest names, through public entry points', (member) => {
    const { name, dependencies, peerDependencies, optionalDependencies } = manifests.get(member) as Manifest;
    const needed = new Set(Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies }));
    const stray = (sources.get(member) as readonly Source[]).flatMap(({ path, imports }) =>
      imports
        .filter((specifier) => specifier.startsWith('@rpal/') && !needed.has(specifier) && specifier !== name)
        .map((specifier) => `${path} imports ${specifier}`),
    );
    expect(stray).toEqual([]);
  });
});

describe('RPAL', () => {
  const below = FLOORS.slice(
    0,
    FLOORS.findIndex((floor) => floor.includes('packages/rpal-core')),
  ).flat();

  it.each(below)('is not known to %s', (member) => {
    const named = (sources.get(member) as readonly Source[]).flatMap(({ path, words }) =>
      words
        .map((word) => word.replaceAll('@rpal/', ''))
        .filter((word) => /rpal/i.test(word))
        .map((word) => `${path}: ${word}`),
    );
    expect(named).toEqual([]);
  });
});

describe('the folders of a package', () => {
  it('are told apart by what imports what, circles found', () => {
    const source = (path: string, ...imports: string[]): Source => ({ path, imports, words: [] });
    const straight = [source('a/one.ts', '../b/two.js', './three.js'), source('a/three.ts', './one.js'), source('b/two.ts', '../root.js')];
    expect(circles([...straight, source('root.ts')])).toEqual([]);
    expect(circles([...straight, source('root.ts', './a/three.js')])).toEqual([
      'a, b, root.ts: a/one.ts -> b/two.ts; b/two.ts -> root.ts; root.ts -> a/three.ts',
    ]);
    expect(circles([source('index.ts', './a/one.js'), source('a/one.ts', '../index.js')])).toEqual([]);
  });

  it.each(members.filter((member) => !TANGLED.has(member)))('import each other without a circle in %s', (member) => {
    expect(circles(sources.get(member) as readonly Source[])).toEqual([]);
  });

  it.runIf(TANGLED.size > 0).each([...TANGLED])('%s is rightly on the list of tangled packages', (member) => {
    expect(circles(sources.get(member) as readonly Source[]), `${member} has no circle any more: take it off TANGLED`).not.toEqual([]);
  });
});

function manifestOf(member: string): Manifest {
  return JSON.parse(readFileSync(join(root, member, 'package.json'), 'utf8')) as Manifest;
}

function sourcesOf(member: string): readonly Source[] {
  const top = join(root, member, 'src');
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return parse(relative(top, file).replaceAll('\\', '/'), readFileSync(file, 'utf8'));
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function parse(path: string, text: string): Source {
  const imports: string[] = [];
  const words: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier !== undefined) imports.push((node.moduleSpecifier as ts.StringLiteral).text);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      imports.push((node.argument.literal as ts.StringLiteral).text);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      imports.push((node.arguments[0] as ts.StringLiteral).text);
    } else if (
      ts.isIdentifier(node) ||
      ts.isPrivateIdentifier(node) ||
      ts.isLiteralExpression(node) ||
      ts.isTemplateMiddleOrTemplateTail(node)
    ) {
      words.push(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest));
  return { path, imports, words };
}

/** A folder, or a file that is in none. The entry point gathers everything and is left out. */
function nodeOf(path: string): string {
  const folder = dirname(path);
  return folder === '.' ? path : folder;
}

/** Circles among the folders: for each its folders, and the imports that close it. */
function circles(all: readonly Source[]): readonly string[] {
  const edges = all
    .filter(({ path }) => path !== 'index.ts')
    .flatMap(({ path, imports }) =>
      imports
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => ({ from: path, to: posix.join(dirname(path), specifier).replace(/\.js$/, '.ts') })),
    )
    .filter(({ from, to }) => to !== 'index.ts' && nodeOf(from) !== nodeOf(to));
  const reach = new Map<string, Set<string>>();
  const nodes = [...new Set(all.map(({ path }) => nodeOf(path)))].sort();
  for (const node of nodes) {
    const found = new Set<string>();
    const open = [node];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const { from, to } of edges) {
        const next = nodeOf(to);
        if (nodeOf(from) !== at || found.has(next)) continue;
        found.add(next);
        open.push(next);
      }
    }
    reach.set(node, found);
  }
  const together = (a: string, b: string): boolean => reach.get(a)?.has(b) === true && reach.get(b)?.has(a) === true;
  const groups: string[][] = [];
  for (const node of nodes) {
    if (!together(node, node)) continue;
    const group = groups.find(([first]) => together(first as string, node));
    if (group === undefined) groups.push([node]);
    else group.push(node);
  }
  return groups.map((group) => {
    const closing = edges.filter(({ from, to }) => group.includes(nodeOf(from)) && group.includes(nodeOf(to)));
    return `${group.join(', ')}: ${closing.map(({ from, to }) => `${from} -> ${to}`).join('; ')}`;
  });
}
