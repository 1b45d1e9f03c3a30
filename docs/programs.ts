import { join } from 'node:path';
import ts from 'typescript';
import { type Example, examplesIn } from '../scripts/readme-modules.ts';

/** The compiler's options for the sources of this repository. */
export function compilerOptions(root: string): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  return ts.parseJsonConfigFileContent(config, ts.sys, root).options;
}

/** The TypeScript fences of Markdown files as one program, each a module beside its file. */
export interface ExampleProgram {
  readonly program: ts.Program;
  /** By the name of the module. */
  readonly examples: ReadonlyMap<string, Example & { readonly file: string }>;
}

/** @param files absolute names */
export function exampleProgram(root: string, files: readonly string[]): ExampleProgram {
  const examples = new Map<string, Example & { readonly file: string }>(
    files.flatMap((file) => examplesIn(file).map((example, index) => [`${file}.${index}.ts`, { ...example, file }] as const)),
  );
  const options = compilerOptions(root);
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (name) => examples.has(name) || fileExists(name);
  host.readFile = (name) => examples.get(name)?.code ?? readFile(name);
  // Each example is a module even if it imports nothing, and as readable as `strict` alone allows.
  const forExamples = { ...options, moduleDetection: ts.ModuleDetectionKind.Force, noUncheckedIndexedAccess: false };
  return { program: ts.createProgram([...examples.keys()], forExamples, host), examples };
}
