import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { compilerOptions } from './programs.ts';

/**
 * Calls of what packages export, functions and methods, that pass a bare `true` or `false`: who reads the call does not learn what is true.
 * @param folders of packages, from `root` @param sources further files whose calls are looked at
 * @returns a line for each: what is called, and where
 */
export function bareBooleans(root: string, folders: readonly string[], sources: readonly string[] = []): string[] {
  const own = folders.flatMap((folder) =>
    readdirSync(join(root, folder, 'src'), { recursive: true, encoding: 'utf8' }).map((name) => join(root, folder, 'src', name)),
  );
  const program = ts.createProgram([...own.filter((name) => name.endsWith('.ts')), ...sources], compilerOptions(root));
  const checker = program.getTypeChecker();
  const exported = new Set<ts.Declaration>();
  for (const folder of folders) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(root, folder, 'src/index.ts')) as ts.SourceFile);
    for (const symbol of module === undefined ? [] : checker.getExportsOfModule(module)) {
      const origin = (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
      for (const declaration of origin.declarations ?? []) exported.add(declaration);
    }
  }
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isCallExpression(node) || ts.isNewExpression(node)) && node.arguments?.some(isBare)) {
      const called = checker.getResolvedSignature(node)?.declaration as ts.Declaration | undefined;
      if (called !== undefined && !isPrivate(called) && (exported.has(called) || exported.has(called.parent as ts.Declaration))) {
        const file = node.getSourceFile();
        const line = file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
        found.push(`${node.expression.getText(file)}: ${file.fileName.slice(root.length)}:${line}`);
      }
    }
    ts.forEachChild(node, visit);
  };
  for (const name of [...own, ...sources]) {
    const file = program.getSourceFile(name);
    if (file !== undefined) visit(file);
  }
  return found.sort();
}

/** A part of an exported class that only the class itself sees. */
function isPrivate(member: ts.Declaration): boolean {
  const { name } = member as ts.NamedDeclaration;
  return (name !== undefined && ts.isPrivateIdentifier(name)) || (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) !== 0;
}

function isBare({ kind }: ts.Node): boolean {
  return kind === ts.SyntaxKind.TrueKeyword || kind === ts.SyntaxKind.FalseKeyword;
}
