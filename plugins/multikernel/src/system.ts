import type { System } from '@rpal/compare';
import { urpcExperiment } from './experiments/urpc.js';

/** The multikernel of Baumann et al. (SOSP 2009). */
export const multikernel: System = {
  name: 'multikernel',
  title: 'Multikernel (Barrelfish): a kernel per core, and messages between them',
  experiments: [urpcExperiment],
  mechanisms: [],
};
