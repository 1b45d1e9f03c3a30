import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { markdownExamples } from '../../scripts/readme-examples.ts';
import { examplesIn } from '../../scripts/readme-modules.ts';
import { root } from './outside-project.ts';

markdownExamples(join(root, 'README.md'));

describe('the TypeScript of every Markdown file', () => {
  it('compiles against the packages under `strict`', { timeout: 120_000 }, () => {
    // The template becomes a package before anything in it has a meaning; its test makes one.
    const listed = execFileSync('git', ['ls-files', '*.md', ':!docs/template', ':!*.api.md'], { cwd: root, encoding: 'utf8' });
    const files = listed.trim().split('\n');
    const sources = new Map<string, string>();
    for (const file of files.map((name) => join(root, name))) {
      for (const [index, { code }] of examplesIn(file).entries()) sources.set(`${file}.${index}.ts`, code);
    }
    expect(sources.size).toBeGreaterThan(0);
    expect(complaints(sources)).toEqual([]);
  });
});

/** What the compiler says of files that are in memory only. */
function complaints(sources: ReadonlyMap<string, string>): readonly string[] {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (name) => sources.has(name) || fileExists(name);
  host.readFile = (name) => sources.get(name) ?? readFile(name);
  // Each example is a module even if it imports nothing, and as readable as `strict` alone allows.
  const forExamples = { ...options, moduleDetection: ts.ModuleDetectionKind.Force, noUncheckedIndexedAccess: false };
  const program = ts.createProgram([...sources.keys()], forExamples, host);
  return ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const { file, start = 0, messageText } = diagnostic;
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
    return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
