import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { type CpuProfile, findProfile, HardwareError, parseProfile, profiles } from '@rpal/hw-x86';
import { UsageError } from './usage.js';

/** Whether `--profile` names a file, and not a profile that is built in. */
export function isProfileFile(text: string): boolean {
  return /[\\/]/.test(text) || /\.json$/i.test(text);
}

/** The files that profiles came from. */
const files = new WeakMap<CpuProfile, string>();

/** What `--profile` takes for this profile: its name, or the file that it came from. */
export function profileWord(profile: CpuProfile): string {
  return files.get(profile) ?? profile.name;
}

/** How many files may extend each other in a row. */
const DEEPEST = 10;

/**
 * A profile out of a file of JSON. With `extends`, the name of a profile that is built in or of another file, it says only what differs: objects
 * are merged field by field, lists are replaced.
 * @param path absolute, or relative to the working directory
 * @throws UsageError that lists every field that is missing, unknown or out of range
 */
export function readProfile(path: string): CpuProfile {
  const merged = merge(path, DEEPEST);
  // A profile without a name is called after its file.
  const named = { ...merged, name: merged.name ?? slug(path), title: merged.title ?? slug(path) };
  try {
    const profile = parseProfile(named);
    files.set(profile, path);
    return profile;
  } catch (error) {
    if (!(error instanceof HardwareError)) throw error;
    throw new UsageError(`${path}: ${error.message}`);
  }
}

type Json = Record<string, unknown>;

/** The file's fields on top of those of what it extends. */
function merge(path: string, left: number): Json {
  if (left === 0) throw new UsageError(`${path}: more than ${DEEPEST} files extend each other; is there a circle?`);
  const { extends: base, $schema: _, ...own } = read(path);
  if (base === undefined) return own;
  if (typeof base !== 'string') throw new UsageError(`${path}: "extends" takes the name of a profile or of a file`);
  if (isProfileFile(base)) return onTop(unnamed(merge(resolve(dirname(path), base), left - 1)), own);
  const known = findProfile(base);
  if (known === undefined) {
    const names = profiles.map(({ name }) => name).join(', ');
    throw new UsageError(`${path}: "extends" takes one of ${names}, or a file; "${base}" is none of them`);
  }
  return onTop(unnamed(known as unknown as Json), own);
}

/** What extends a profile is another one. */
function unnamed({ name: _, title: __, ...others }: Json): Json {
  return others;
}

function onTop(base: Json, own: Json): Json {
  const merged: Json = { ...base };
  for (const [key, value] of Object.entries(own)) {
    const before = merged[key];
    merged[key] = isObject(value) && isObject(before) ? onTop(before, value) : value;
  }
  return merged;
}

function read(path: string): Json {
  if (!existsSync(path)) throw new UsageError(`--profile: there is no file ${path}`);
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`${path} is not JSON: ${(error as Error).message}`);
  }
  if (!isObject(json)) throw new UsageError(`${path}: a profile is an object`);
  return json;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function slug(path: string): string {
  const name = basename(path)
    .replace(/\.json$/i, '')
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-');
  return name.replace(/^-+|-+$/g, '') || 'profile';
}
