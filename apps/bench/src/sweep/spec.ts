import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../usage.js';
import { type Experiment, experimentNamed } from './experiments.js';
import { parameterNamed, type Settings, type Value } from './parameters.js';

/** What a sweep's file holds. */
export const specificationFile = z.strictObject({
  $schema: z.string().optional(),
  experiment: z.string().describe('rfc or compare'),
  over: z
    .record(z.string(), z.union([z.string(), z.number(), z.array(z.union([z.string(), z.number()])).min(1)]))
    .describe('parameters: a value, a list of values, or "range(low,high,step)", "double(low,high)"'),
});

/** Every combination of the values of some parameters of an experiment. */
export interface Specification {
  readonly experiment: Experiment;
  /** Parameters in the order given, each with its values. All others have their standard value. */
  readonly over: readonly (readonly [key: string, values: readonly Value[]])[];
}

/** One point of a sweep: what is run, and by which name its result is known. */
export interface Point {
  /** SHA-256 of the experiment, all its settings, and the model's identity. */
  readonly key: string;
  readonly settings: Settings;
}

/** Points that one sweep may have. */
const MOST = 1_000_000;

/**
 * @param spec a file of JSON, or the name of an experiment
 * @param overrides `key=a,b,c`, `key=range(low,high,step)` or `key=double(low,high)`, which come before what the file says
 * @throws UsageError
 */
export function readSpecification(spec: string, overrides: readonly string[], directory: string): Specification {
  const isFile = /[./\\]/.test(spec);
  const { experiment: name, over } = isFile ? readFile(resolve(directory, spec)) : { experiment: spec, over: {} };
  const experiment = experimentNamed(name);
  const values = new Map<string, readonly Value[]>();
  for (const [key, given] of Object.entries(over)) {
    const texts = Array.isArray(given) ? given.map(String) : listOf(key, String(given));
    values.set(key, parsed(experiment, key, texts));
  }
  for (const override of overrides) {
    const [, key, text] = /^([^=]+)=(.+)$/s.exec(override) ?? [];
    if (key === undefined || text === undefined) {
      throw new UsageError(`parameters are given as key=a,b,c or key=range(low,high,step); "${override}" is no such thing`);
    }
    values.set(key, parsed(experiment, key, listOf(key, text)));
  }
  const count = [...values.values()].reduce((product, { length }) => product * length, 1);
  if (count > MOST) throw new UsageError(`this sweep has ${count} points; ${MOST} are the most`);
  return { experiment, over: [...values] };
}

function readFile(path: string): z.infer<typeof specificationFile> {
  if (!existsSync(path)) throw new UsageError(`there is no file ${path}; a sweep is a file of JSON or one of rfc, compare`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`${path} is not JSON: ${(error as Error).message}`);
  }
  const checked = specificationFile.safeParse(json);
  if (!checked.success) throw new UsageError(`${path} is no sweep: ${z.prettifyError(checked.error).replaceAll('\n', ' ')}`);
  return checked.data;
}

/** Takes `a,b,c`, `range(1,9,2)` (both ends, if met) or `double(8,64)` apart. */
function listOf(key: string, text: string): readonly string[] {
  const call = /^(range|double)\(([^()]*)\)$/.exec(text);
  if (call === null) return text.split(',');
  const [, name, inside = ''] = call;
  const numbers = inside.split(',').map((word) => (/^-?\d+(\.\d+)?$/.test(word.trim()) ? Number(word) : Number.NaN));
  const wanted = name === 'range' ? 3 : 2;
  const [low = 0, high = 0, step = 1] = numbers;
  const isWell = numbers.length === wanted && !numbers.includes(Number.NaN) && low <= high && step > 0 && (name === 'range' || low > 0);
  if (!isWell) {
    throw new UsageError(`${key} takes range(low,high,step) or double(low,high) with low <= high and a step above 0; "${text}" is none`);
  }
  const values: string[] = [];
  for (let i = 0; values.length <= MOST; i++) {
    const value = name === 'range' ? low + i * step : low * 2 ** i;
    // A remainder that is only rounding does not count.
    if (value > high + 1e-9 * Math.abs(high)) break;
    values.push(String(Number(value.toPrecision(12))));
  }
  return values;
}

function parsed(experiment: Experiment, key: string, texts: readonly string[]): readonly Value[] {
  const { parse } = parameterNamed(experiment.parameters, key);
  return [...new Set(texts.map((text) => parse(text.trim())))];
}

/** All points in order: the last parameter changes fastest. @param identity of the model @throws UsageError for one that cannot be */
export function pointsOf({ experiment, over }: Specification, identity: string): readonly Point[] {
  const standard = Object.entries(experiment.parameters).map(([key, parameter]) => [key, parameter.standard] as const);
  let all: Settings[] = [Object.fromEntries(standard)];
  for (const [key, values] of over) all = all.flatMap((settings) => values.map((value) => ({ ...settings, [key]: value })));
  return all.map((settings) => {
    experiment.check(settings);
    return { key: keyOf(experiment, settings, identity), settings };
  });
}

function keyOf({ name }: Experiment, settings: Settings, identity: string): string {
  const sorted = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([name, sorted, identity]))
    .digest('hex');
}

/** A short name for a specification, for the folder of its results. */
export function nameOf({ experiment, over }: Specification): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([experiment.name, over]))
    .digest('hex');
  return `${experiment.name}-${hash.slice(0, 8)}`;
}
