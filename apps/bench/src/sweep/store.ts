import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { OutputFile, reasonOf } from '../output-file.js';
import { UsageError } from '../usage.js';
import type { Figures } from './experiments.js';
import type { Settings } from './parameters.js';

/** A point that has been run. */
export interface Result {
  readonly key: string;
  readonly settings: Settings;
  readonly figures: Figures;
}

/** Two runs of one point came to different results. */
export class DisagreementError extends Error {
  override readonly name = 'DisagreementError';
}

/** The lines of a result. No figure of the host is in it: it is the same on every computer. */
function lineOf({ key, settings, figures }: Result): string {
  return JSON.stringify({ key, settings, figures });
}

/**
 * The folder of a sweep. Every process writes a file of its own, a line per point, and reads those of all others: no two share a file, and
 * a process that is killed loses at most the line that it was writing.
 */
export class Store {
  readonly directory: string;
  readonly #results = new Map<string, { readonly line: string; readonly result: Result }>();
  #file: number | null = null;

  /** @throws UsageError if the folder cannot be made @throws DisagreementError */
  constructor(directory: string) {
    this.directory = directory;
    try {
      mkdirSync(directory, { recursive: true });
    } catch (error) {
      throw new UsageError(`--out takes a folder that can be made; "${directory}" cannot: ${(error as Error).message}`);
    }
    for (const name of readdirSync(directory).sort()) {
      if (/^shard-.*\.jsonl$/.test(name)) this.#read(join(directory, name));
    }
  }

  /** The result of a point, if some process has it. */
  get(key: string): Result | undefined {
    return this.#results.get(key)?.result;
  }

  /** Adds results, which are on the disk when this returns. @throws DisagreementError */
  add(results: readonly Result[]): void {
    const lines = results.map((result) => this.#remember(lineOf(result), result)).filter((line) => line !== null);
    if (lines.length === 0) return;
    const path = join(this.directory, `shard-${hostname()}-${process.pid}.jsonl`);
    try {
      this.#file ??= openSync(path, 'a');
      writeSync(this.#file, `${lines.join('\n')}\n`);
      fsyncSync(this.#file);
    } catch (error) {
      throw new Error(`${path} could not be written: ${reasonOf(error)}; what is in it is kept`, { cause: error });
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  /** @returns the line, or null if it is there already */
  #remember(line: string, result: Result): string | null {
    const known = this.#results.get(result.key);
    if (known === undefined) {
      this.#results.set(result.key, { line, result });
      return line;
    }
    if (known.line !== line) {
      throw new DisagreementError(
        `${this.directory} has two results for one point, and the model is to be deterministic: ${known.line} and ${line}`,
      );
    }
    return null;
  }

  #read(path: string): void {
    const lines = readFileSync(path, 'utf8').split('\n');
    // A process that was killed may have left a line without an end.
    lines.pop();
    for (const [index, line] of lines.entries()) {
      let result: Result;
      try {
        result = JSON.parse(line) as Result;
      } catch {
        throw new UsageError(`${path}, line ${index + 1} is not a result; remove the file to have its points run anew`);
      }
      this.#remember(line, result);
    }
  }
}

/** Writes the final results once all are there: the same bytes whoever ran them. @returns paths of JSON Lines and CSV */
export function writeMerged(directory: string, results: readonly Result[]): readonly [lines: string, csv: string] {
  const lines = join(directory, 'results.jsonl');
  const csv = join(directory, 'results.csv');
  new OutputFile('--out', lines).write(`${results.map(lineOf).join('\n')}\n`);
  new OutputFile('--out', csv).write(csvOf(results));
  return [lines, csv];
}

/** A row per point: settings, then figures, whose names have their units in brackets. */
export function csvOf(results: readonly Result[]): string {
  const settings = [...new Set(results.flatMap((result) => Object.keys(result.settings)))];
  const figures = [...new Set(results.flatMap((result) => Object.keys(result.figures)))];
  const rows = results.map((result) => [
    ...settings.map((key) => result.settings[key] ?? ''),
    ...figures.map((key) => result.figures[key] ?? ''),
  ]);
  return `${[[...settings, ...figures], ...rows].map((row) => row.map(cell).join(',')).join('\n')}\n`;
}

function cell(value: string | number): string {
  const text = String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Whether a folder holds results of a sweep. */
export function isStore(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => /^shard-.*\.jsonl$/.test(name));
}
