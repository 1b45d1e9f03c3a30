import type { System } from '@rpal/compare';
import { crossoverExperiment } from './experiments/crossover.js';
import { copyOnWrite, flip } from './mechanism.js';

/** Map, not copy: what the discussion of cross-memory attach asked in 2010. */
export const mapping: System = {
  name: 'flip',
  title: 'Map, not copy: page flipping and copy-on-write sending beside a copy between processes',
  experiments: [crossoverExperiment],
  mechanisms: [flip, copyOnWrite],
};
