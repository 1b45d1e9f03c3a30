import ts from 'typescript';
import { exampleProgram } from './programs.ts';

/** Accesses end a program that may not make them, and `sleep` comes back early only where a signal has a handler. */
const NO_RESULT = /\.(compute|sleep|getpid|(load|store)(\d+|Bytes)?)$/;

/**
 * Calls in the TypeScript fences of Markdown files whose numeric result nobody looks at.
 * @param files absolute names
 * @returns a line for each: file, line, and the call
 */
export function droppedResults(root: string, files: readonly string[]): string[] {
  const { program, examples } = exampleProgram(root, files);
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
