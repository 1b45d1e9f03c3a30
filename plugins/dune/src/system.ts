import type { System } from '@rpal/compare';
import { applications } from './experiments/applications.js';
import { primitives } from './experiments/primitives.js';
import { protection } from './experiments/protection.js';
import { compartments } from './mechanism.js';

/** Dune of Belay et al. (OSDI 2012). */
export const duneSystem: System = {
  name: 'dune',
  title: 'Dune: a process of Linux as a guest in ring 0, with page tables and exceptions of its own',
  experiments: [primitives, applications, protection],
  mechanisms: [compartments],
};
