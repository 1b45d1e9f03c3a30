import { fileURLToPath } from 'node:url';
import { HardwareError, parseProfile, profileShape, profiles, type Shape } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { profileFields } from '../src/profile-fields.js';
import { profileSchema } from '../src/profile-schema.js';
import { run } from './terminal.js';

const shipped = fileURLToPath(new URL('../profile.schema.json', import.meta.url));
const schema = z.fromJSONSchema(profileSchema() as never);

type Json = Record<string, unknown>;

/** A copy of a profile with another value at a path; undefined: without the field. */
function changed(path: string, value: unknown): Json {
  const copy = structuredClone(profiles[0]) as unknown as Json;
  const keys = path.split('.');
  const last = keys.pop() as string;
  const at = keys.reduce((object, key) => object[key] as Json, copy);
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}

function accepted(profile: unknown): boolean {
  try {
    parseProfile(profile);
    return true;
  } catch (error) {
    if (error instanceof HardwareError) return false;
    throw error;
  }
}

/** The paths of all fields, without those of figures. */
function pathsOf(shape: Shape, path = ''): readonly string[] {
  if (shape.is === 'list') return pathsOf(shape.of, path);
  if (shape.is !== 'fields') return [path];
  return [path, ...Object.entries(shape.fields).flatMap(([name, of]) => pathsOf(of, path === '' ? name : `${path}.${name}`))];
}

describe('the schema of profiles', () => {
  it('is what is shipped, and what the command prints', async () => {
    const text = `${JSON.stringify(profileSchema(), null, 2)}\n`;
    await expect(text).toMatchFileSnapshot(shipped);
    expect((await run(['profile', 'schema'])).stdout).toBe(text);
  });

  it('takes every built-in profile, and a file that extends one', () => {
    for (const profile of profiles) expect(schema.safeParse(profile).success, profile.name).toBe(true);
    expect(schema.safeParse({ extends: 'epyc-9654', clock: { coreGHz: { central: 3.5 } } }).success).toBe(true);
    expect(schema.safeParse({ clock: { coreGHz: { central: 3.5 } } }).success).toBe(false);
  });

  it.each<[string, unknown]>([
    ['costs.wrpkru', undefined],
    ['costs.wrpkru.central', -1],
    ['costs.wrpkru.source', ''],
    ['costs.wrpkru.unit', 'us'],
    ['costs.nothing', { low: 1, central: 1, high: 1, source: 'test', status: 'measured' }],
    ['topology.sockets', 0],
    ['topology.sockets', 1.5],
    ['topology.hops', undefined],
    ['features.pku', 'yes'],
    ['features.fred', undefined],
    ['clock.tscGHz', 0],
    ['tlb.stlb.ways', undefined],
    ['cache.l1d.latency', 5],
    ['idle', []],
    ['idle.0.name', 'C9'],
    ['name', 'Xeon 1'],
    ['vendor', 'via'],
    ['physicalAddressBits', 53],
    ['pmu.counters', 16],
    ['pmu.counters', 17],
    ['turbo', true],
  ])('agrees with the check about %s = %j', (path, value) => {
    const profile = changed(path, value);
    expect(schema.safeParse(profile).success).toBe(accepted(profile));
  });

  it('says of every field what it is and how it is found out, and of none that there is not', () => {
    const paths = new Set(pathsOf(profileShape));
    expect(Object.keys(profileFields).filter((path) => !paths.has(path))).toEqual([]);
    // A field without a text would be refused.
    expect(() => profileSchema()).not.toThrow();
  });
});
