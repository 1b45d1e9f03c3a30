import { describe, expect, it } from 'vitest';
import { HardwareError, parseProfile } from '../src/index.js';
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
  it('accepts the built-in profiles, and copies of them', () => {
    expect(parseProfile(profileInput()).name).toBe('xeon-platinum-8336c');
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

  it('refuses what is no profile at all', () => {
    for (const wrong of [undefined, null, 7, 'xeon', []]) expect(() => parseProfile(wrong)).toThrow(HardwareError);
  });
});
