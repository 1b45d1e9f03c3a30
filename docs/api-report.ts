import { join } from 'node:path';
import ts from 'typescript';
import { compilerOptions } from './programs.ts';

/**
 * What packages export, as declarations without comments, sorted by name. What is marked `@internal` and private members are left out.
 * @param folders of packages, from `root`
 * @returns Markdown by folder
 */
export function apiReports(root: string, folders: readonly string[]): ReadonlyMap<string, string> {
  const entries = folders.map((folder) => join(root, folder, 'src/index.ts'));
  const program = ts.createProgram(entries, {
    ...compilerOptions(root),
    noEmit: false,
    emitDeclarationOnly: true,
    removeComments: true,
    stripInternal: true,
    rootDir: root,
    outDir: '/declarations',
  });
  const declarations = new Map<string, ts.SourceFile>();
  program.emit(undefined, (name, text, _mark, _error, sources) => {
    const source = sources?.[0];
    if (source !== undefined) declarations.set(source.fileName, ts.createSourceFile(name, text, ts.ScriptTarget.ES2022));
  });
  return new Map(folders.map((folder, index) => [folder, report(program, entries[index] as string, declarations)]));
}

function report(program: ts.Program, entry: string, declarations: ReadonlyMap<string, ts.SourceFile>): string {
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile);
  const exported = module === undefined ? [] : checker.getExportsOfModule(module);
  const texts = exported
    .map((symbol) => ({ name: symbol.name, text: declared(checker, symbol, declarations) }))
    .filter(({ text }) => text !== '')
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return `\`\`\`text\n${texts.map(({ text }) => text).join('\n')}\`\`\`\n`;
}

function declared(checker: ts.TypeChecker, symbol: ts.Symbol, declarations: ReadonlyMap<string, ts.SourceFile>): string {
  const origin = (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
  const files = new Set((origin.declarations ?? []).map((declaration) => declaration.getSourceFile().fileName));
  const statements = [...files].flatMap((file) => {
    const emitted = declarations.get(file);
    return emitted?.statements.filter((statement) => names(statement).includes(origin.name)).map((one) => shown(one, emitted)) ?? [];
  });
  const renamed = symbol.name === origin.name ? '' : `// as ${symbol.name}\n`;
  return statements.length === 0 ? '' : `${renamed}${statements.join('')}`;
}

function names(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) => (ts.isIdentifier(name) ? [name.text] : []));
  }
  const { name } = statement as ts.Statement & { readonly name?: ts.Node };
  return name !== undefined && ts.isIdentifier(name) ? [name.text] : [];
}

function shown(statement: ts.Statement, file: ts.SourceFile): string {
  const lines = statement
    .getText(file)
    .replace(/^export (declare )?/, '')
    .split('\n');
  return lines.map((line) => (/^ {4}(#private|private )/.test(line) ? '' : `${line}\n`)).join('');
}
