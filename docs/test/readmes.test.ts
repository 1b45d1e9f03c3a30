import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { markdownExamples } from '../../scripts/readme-examples.ts';
import { exampleProgram } from '../programs.ts';
import { root } from './outside-project.ts';

markdownExamples(join(root, 'README.md'));

describe('the TypeScript of every Markdown file', () => {
  it('compiles against the packages under `strict`', { timeout: 120_000 }, () => {
    // The template becomes a package before anything in it has a meaning; its test makes one.
    const listed = execFileSync('git', ['ls-files', '*.md', ':!docs/template', ':!*.api.md'], { cwd: root, encoding: 'utf8' });
    const files = listed.trim().split('\n');
    const { program, examples } = exampleProgram(
      root,
      files.map((name) => join(root, name)),
    );
    expect(examples.size).toBeGreaterThan(0);
    expect(complaints(program)).toEqual([]);
  });
});

/** What the compiler says of a program. */
function complaints(program: ts.Program): readonly string[] {
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const { file, start = 0, messageText } = diagnostic;
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
    return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
