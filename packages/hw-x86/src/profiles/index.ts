import type { CpuProfile } from '../costs/profile.js';
import { epycGenoa9654, epycMilan7713 } from './epyc.js';
import { xeonPlatinum8160 } from './xeon-platinum-8160.js';
import { xeonPlatinum8336c } from './xeon-platinum-8336c.js';

/** The profiles that come with the package; the first is the RFC's machine. */
export const profiles: readonly CpuProfile[] = [xeonPlatinum8336c, xeonPlatinum8160, epycMilan7713, epycGenoa9654];

/** A built-in profile by name, or undefined. */
export function findProfile(name: string): CpuProfile | undefined {
  return profiles.find((profile) => profile.name === name);
}
