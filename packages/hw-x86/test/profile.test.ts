import { describe, expect, it } from 'vitest';
import { HardwareError, parseProfile, profiles } from '../src/index.js';
import { UNCITED } from '../src/profiles/figure.js';
import { profileInput } from './support.js';

/** The message that a changed profile is refused with. */
function refusal(change: (profile: Record<string, never>) => void): string {
  const profile = profileInput();
  change(profile as never);
  try {
    parseProfile(profile);
  } catch (error) {
    if (error instanceof HardwareError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

/** Sets a field by its path. */
function set(path: string, value: unknown): (profile: Record<string, never>) => void {
  return (profile) => {
    const keys = path.split('.');
    let at = profile as Record<string, unknown>;
    for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>;
    const last = keys.at(-1) as string;
    if (value === undefined) delete at[last];
    else at[last] = value;
  };
}

describe('parseProfile', () => {
  it.each(profiles.map((profile) => [profile.name, profile] as const))('accepts the built-in profile %s', (_name, profile) => {
    expect(parseProfile(profile)).toBe(profile);
  });

  it.each([
    ['costs.wrpkru', undefined],
    ['costs.wrpkru.central', -1],
    ['costs.wrpkru.source', ''],
    ['topology.sockets', 0],
    ['topology.sockets', 1.5],
    ['features.pku', 'yes'],
    ['clock.tscGHz', 0],
    ['tlb.stlb.ways', undefined],
    ['cache.l1d.latency', 5],
    ['idle', []],
    ['idle.0.name', 'C9'],
    ['name', 'Xeon 1'],
    ['vendor', 'via'],
    ['physicalAddressBits', 53],
    ['memory.local.low', Number.NaN],
    ['costs.wrpkru.unit', 'us'],
    ['features.fred', 1],
    ['steps', []],
  ])('names the field %s when it is %s', (path, value) => {
    expect(refusal(set(path, value))).toMatch(
      new RegExp(`^INVALID_PROFILE the CPU profile is not valid: (.*; )?${path.replaceAll('.', '\\.')}`),
    );
  });

  it('refuses fields that it does not know, instead of ignoring them', () => {
    expect(refusal(set('costs.wrpkrux', { low: 1, central: 1, high: 1, source: 'x', status: 'measured' }))).toMatch(/costs: .*wrpkrux/);
    expect(refusal(set('turbo', true))).toMatch(/profile: .*turbo/);
  });

  it('refuses a range whose ends are in the wrong order', () => {
    expect(refusal(set('costs.wrpkru', { low: 3, central: 2, high: 4, source: 'test', status: 'measured' }))).toMatch(
      /costs\.wrpkru.*low <= central <= high/,
    );
  });

  it('says what would be right', () => {
    expect(refusal(set('pmu.counters', 17))).toBe(
      'INVALID_PROFILE the CPU profile is not valid: pmu.counters: must be a whole number of 1 .. 16',
    );
    expect(refusal(set('idle.0.name', 'C9'))).toMatch(/idle\.0\.name: must be one of poll, C1, C1E, C6, guest$/);
  });

  it('lists everything that is wrong at once', () => {
    const message = refusal((profile) => {
      set('vendor', 'via')(profile);
      set('topology.sockets', 0)(profile);
    });
    expect(message).toMatch(/vendor: .*topology\.sockets: /);
  });

  it('refuses a price for a step that nobody defines', () => {
    const figure = { low: 1, central: 1, high: 1, source: 'test', status: 'measured' };
    expect(refusal(set('steps', { '@rpal/nowhere:nothing': figure }))).toBe(
      'UNKNOWN_STEP the CPU profile prices step "@rpal/nowhere:nothing", which no loaded package defines',
    );
  });

  it('refuses what is not a profile at all', () => {
    for (const wrong of [undefined, null, 7, 'xeon', []]) expect(() => parseProfile(wrong)).toThrow(HardwareError);
  });
});

describe('where figures come from', () => {
  it('is said of every figure of every profile', () => {
    const without: string[] = [];
    const look = (value: unknown, place: string): void => {
      if (typeof value !== 'object' || value === null) return;
      if ('central' in value && (value as unknown as { source: string }).source === UNCITED) without.push(place);
      for (const [key, inner] of Object.entries(value)) look(inner, `${place}.${key}`);
    };
    for (const profile of profiles) look(profile, profile.name);
    expect(without).toEqual([]);
  });
});
