import type { CpuProfile } from '../costs/profile.js';
import { epycGenoa9654, epycMilan7713 } from './epyc.js';
import { cite } from './figure.js';
import { xeonPlatinum8160 } from './xeon-platinum-8160.js';
import { xeonPlatinum8336c } from './xeon-platinum-8336c.js';
import { xeonPlatinum8336cSources } from './xeon-platinum-8336c-sources.js';

/** The RFC's CPU, which a machine has by default. */
export const defaultProfile: CpuProfile = xeonPlatinum8336c;

const known: CpuProfile[] = [defaultProfile];

/**
 * The profiles that come with the package; the first is the RFC's machine. They are known by their names, too: in a bundle only where a
 * program imports this list, so that a page carries no CPU that it does not use, and not where the figures of the one come from.
 */
export const profiles: readonly CpuProfile[] = /* @__PURE__ */ named([xeonPlatinum8160, epycMilan7713, epycGenoa9654]);

function named(others: readonly CpuProfile[]): readonly CpuProfile[] {
  cite(defaultProfile, xeonPlatinum8336cSources);
  known.push(...others);
  return known;
}

/** A profile by name, or undefined. */
export function findProfile(name: string): CpuProfile | undefined {
  return known.find((profile) => profile.name === name);
}

/** The names that `findProfile` knows. */
export function profileNames(): readonly string[] {
  return known.map(({ name }) => name);
}
