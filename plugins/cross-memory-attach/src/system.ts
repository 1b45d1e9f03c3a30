import type { System } from '@rpal/compare';
import { parallelExperiment } from './experiments/parallel.js';
import { cma } from './mechanism.js';

/** Cross-memory attach, as C. Yeoh proposed it in September 2010. */
export const attachSystem: System = {
  name: 'cma',
  title: 'Cross-memory attach: copy_from_process and copy_to_process, for parallel programs on one machine',
  experiments: [parallelExperiment],
  mechanisms: [cma],
};
