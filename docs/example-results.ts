import { join } from 'node:path';
import ts from 'typescript';
import { type Example, examplesIn } from '../scripts/readme-modules.ts';

/** Accesses end a program that may not make them, and `sleep` comes back early only where a signal has a handler. */
const NO_RESULT = /\.(compute|sleep|getpid|(load|store)(\d+|Bytes)?)$/;

/**
 * Calls in the TypeScript fences of Markdown files whose numeric result nobody looks at.
 * @param files absolute names
 * @returns a line for each: file, line, and the call
 */
export function droppedResults(root: string, files: readonly string[]): string[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const examples = new Map<string, Example & { readonly file: string }>(
    files.flatMap((file) => examplesIn(file).map((example, index) => [`${file}.${index}.ts`, { ...example, file }] as const)),
  );
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => examples.has(name) || fileExists(name);
  host.readFile = (name) => examples.get(name)?.code ?? readFile(name);
  host.getSourceFile = (name, target, ...rest) => {
    const example = examples.get(name);
    return example === undefined ? getSourceFile(name, target, ...rest) : ts.createSourceFile(name, example.code, target, true);
  };
  const program = ts.createProgram([...examples.keys()], { ...options, noEmit: true }, host);
  const checker = program.getTypeChecker();

  return [...examples].flatMap(([name, { file, line }]) => {
    const source = program.getSourceFile(name) as ts.SourceFile;
    const dropped: string[] = [];
    const visit = (node: ts.Node): void => {
      const call = ts.isExpressionStatement(node) ? node.expression : undefined;
      if (call !== undefined && ts.isYieldExpression(call) && call.expression !== undefined && ts.isCallExpression(call.expression)) {
        const numeric = (checker.getTypeAtLocation(call).flags & ts.TypeFlags.NumberLike) !== 0;
        if (numeric && !NO_RESULT.test(call.expression.expression.getText(source))) {
          const at = source.getLineAndCharacterOfPosition(call.getStart(source)).line;
          dropped.push(`${file.slice(root.length)}:${line + 1 + at} ${call.getText(source).split('\n')[0]}`);
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return dropped;
  });
}
