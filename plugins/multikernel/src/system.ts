import type { System } from '@rpal/compare';
import { lrpcExperiment } from './experiments/lrpc.js';
import { shootdownExperiment } from './experiments/shootdown.js';
import { unmapExperiment } from './experiments/unmap.js';
import { updatesExperiment } from './experiments/updates.js';
import { urpcExperiment } from './experiments/urpc.js';
import { lrpc } from './mechanisms/lrpc.js';
import { urpc } from './mechanisms/urpc.js';

/** The multikernel of Baumann et al. (SOSP 2009). */
export const multikernel: System = {
  name: 'multikernel',
  title: 'Multikernel (Barrelfish): a kernel per core, and messages between them',
  experiments: [urpcExperiment, lrpcExperiment, updatesExperiment, shootdownExperiment, unmapExperiment],
  mechanisms: [urpc, lrpc],
};
