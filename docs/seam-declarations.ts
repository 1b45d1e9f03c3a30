import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** One argument of a seam, or the value that passes through it. */
export interface SeamArgument {
  readonly name: string;
  readonly type: string;
  /** What it is, with its unit where it is a number. Empty if nobody says. */
  readonly meaning: string;
}

/** A seam as its package declares it. */
export interface SeamDeclaration {
  readonly name: string;
  /** The class: `NotifyHook`, `FirstAnswerHook`, `ValueHook`, `Slot` or `EventSeam`. */
  readonly kind: string;
  readonly owner: string;
  /** When it happens and what a tap may do. */
  readonly when: string;
  readonly cost: string;
  readonly arguments: readonly SeamArgument[];
  /** What a tap answers, or a slot holds; empty for a notification. */
  readonly answer: string;
  /** For an event: packages whose sources observe it. */
  readonly observers: readonly string[];
}

const kinds = new Set(['NotifyHook', 'FirstAnswerHook', 'ValueHook', 'Slot', 'EventSeam']);

/** A folder of the workspace that has sources. */
interface Package {
  readonly name: string;
  /** The path of the file that says what it exports. */
  readonly entry: string;
  readonly sources: readonly ts.SourceFile[];
}

function packagesIn(root: string): Package[] {
  return ['packages', 'plugins', 'apps'].flatMap((group) => {
    const folder = join(root, group);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .sort()
      .filter((entry) => existsSync(join(folder, entry, 'package.json')))
      .map((entry) => {
        const manifest = JSON.parse(readFileSync(join(folder, entry, 'package.json'), 'utf8')) as { name: string };
        const src = join(folder, entry, 'src');
        const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
        const parse = (file: string) =>
          ts.createSourceFile(join(src, file), readFileSync(join(src, file), 'utf8'), ts.ScriptTarget.ES2022, true);
        return { name: manifest.name, entry: join(src, 'index.ts'), sources: files.sort().map(parse) };
      });
  });
}

/** Every seam of every package and plugin, read off the `seams.ts` that declares it. */
export function seamDeclarations(root: string): readonly SeamDeclaration[] {
  const packages = packagesIn(root);
  const names = new Names(packages);
  const found: SeamDeclaration[] = [];
  for (const { name: owner, sources } of packages) {
    for (const source of sources.filter(({ fileName }) => fileName.endsWith('seams.ts'))) {
      const visit = (node: ts.Node): void => {
        if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && kinds.has(node.expression.text)) {
          found.push(declaration(owner, node, node.expression.text, names, packages));
        }
        ts.forEachChild(node, visit);
      };
      visit(source);
    }
  }
  return found;
}

type TypeDeclaration = ts.ClassDeclaration | ts.InterfaceDeclaration | ts.TypeAliasDeclaration;

/** Finds out what a name stands for in a file: it may be declared there, or come from another file or package. */
class Names {
  readonly #files: ReadonlyMap<string, ts.SourceFile>;
  /** The file that a package exports, by the package's name. */
  readonly #entries: ReadonlyMap<string, string>;

  constructor(packages: readonly Package[]) {
    this.#files = new Map(packages.flatMap(({ sources }) => sources.map((source) => [source.fileName, source])));
    this.#entries = new Map(packages.map(({ name, entry }) => [name, entry]));
  }

  /** First sentence of the doc comment of the class, interface or type that `type` names in `source`, or ''. */
  meaning(source: ts.SourceFile, type: string): string {
    const declared = this.#find(source, type.replace(/ \| null$/, ''));
    const sentence = declared === null ? undefined : /^.*?[.](?=\s|$)/s.exec(documentation(declared).text)?.[0];
    return sentence?.replace(/\.$/, '') ?? '';
  }

  #find(source: ts.SourceFile, name: string): TypeDeclaration | null {
    for (const statement of source.statements) {
      const isType = ts.isClassDeclaration(statement) || ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
      if (isType && statement.name?.text === name) return statement;
    }
    for (const statement of source.statements) {
      const from = ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement) ? statement.moduleSpecifier : undefined;
      if (from === undefined || !ts.isStringLiteral(from)) continue;
      const clause = ts.isImportDeclaration(statement)
        ? statement.importClause?.namedBindings
        : (statement as ts.ExportDeclaration).exportClause;
      const passed = passedOn(clause, name);
      const there =
        passed === null ? undefined : this.#files.get(this.#entries.get(from.text) ?? join(source.fileName, '..', sourceOf(from.text)));
      const found = there === undefined || passed === null ? null : this.#find(there, passed);
      if (found !== null) return found;
    }
    return null;
  }
}

/** What `name` is called in the module that an import or export takes it from; null if it takes something else. */
function passedOn(clause: ts.NamedImportBindings | ts.NamedExportBindings | undefined, name: string): string | null {
  // export * from
  if (clause === undefined) return name;
  if (!ts.isNamedImports(clause) && !ts.isNamedExports(clause)) return null;
  const element = clause.elements.find((one) => one.name.text === name);
  return element === undefined ? null : (element.propertyName ?? element.name).text;
}

function sourceOf(specifier: string): string {
  return specifier.replace(/\.js$/, '.ts');
}

function declaration(owner: string, node: ts.NewExpression, kind: string, names: Names, packages: readonly Package[]): SeamDeclaration {
  const { text: when, params, cost } = documentation(documented(node));
  const types = node.typeArguments ?? [];
  const meaning = (name: string, type: string): string => params.get(name) ?? names.meaning(node.getSourceFile(), type);
  const tuple = (type: ts.TypeNode | undefined): SeamArgument[] => {
    if (type === undefined || !ts.isTupleTypeNode(type)) return [];
    return type.elements.map((element, index) => {
      const named = ts.isNamedTupleMember(element);
      const name = named ? element.name.text : `argument ${index + 1}`;
      const of = (named ? element.type : element).getText();
      return { name, type: of, meaning: meaning(name, of) };
    });
  };
  const [first, second] = types;
  const firstText = first?.getText() ?? '';
  const value: SeamArgument = { name: 'value', type: firstText, meaning: meaning('value', firstText) };
  const name = (node.arguments as ts.NodeArray<ts.Expression>)[0]?.getText().slice(1, -1) ?? '';
  const shapes: Record<string, Pick<SeamDeclaration, 'arguments' | 'answer'>> = {
    NotifyHook: { arguments: tuple(first), answer: '' },
    EventSeam: { arguments: tuple(first), answer: '' },
    FirstAnswerHook: { arguments: tuple(first), answer: second?.getText() ?? '' },
    ValueHook: { arguments: [value, ...tuple(second)], answer: firstText },
    Slot: { arguments: [], answer: firstText },
  };
  const observes = ({ sources }: Package) => sources.some(({ text }) => text.includes(`events.${name}.on(`));
  const observers = kind === 'EventSeam' ? packages.filter(observes).map((observer) => observer.name) : [];
  return { name, kind, owner, when, cost, observers, ...(shapes[kind] as Pick<SeamDeclaration, 'arguments' | 'answer'>) };
}

/** The nearest node around an expression that can carry a doc comment. */
function documented(node: ts.Node): ts.Node {
  let at: ts.Node = node;
  while (!ts.isPropertyAssignment(at) && !ts.isPropertyDeclaration(at) && !ts.isVariableStatement(at) && !ts.isSourceFile(at))
    at = at.parent;
  return at;
}

interface Documentation {
  readonly text: string;
  readonly params: ReadonlyMap<string, string>;
  readonly cost: string;
}

function documentation(node: ts.Node): Documentation {
  const [doc] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc).slice(-1);
  const plain = (comment: ts.JSDoc['comment']): string => (ts.getTextOfJSDocComment(comment) ?? '').replace(/\s+/g, ' ').trim();
  const params = new Map<string, string>();
  let cost = '';
  for (const tag of doc?.tags ?? []) {
    if (ts.isJSDocParameterTag(tag)) params.set(tag.name.getText(), plain(tag.comment).replace(/^- /, ''));
    else if (tag.tagName.text === 'cost') cost = plain(tag.comment);
  }
  return { text: plain(doc?.comment), params, cost };
}
