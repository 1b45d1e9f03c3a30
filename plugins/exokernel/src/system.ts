import type { System } from '@rpal/compare';
import { controlTransfer } from './experiments/control-transfer.js';
import { exceptions } from './experiments/exceptions.js';
import { filters } from './experiments/filters.js';
import { ipc } from './experiments/ipc.js';
import { memory } from './experiments/memory.js';
import { pct } from './mechanism.js';

/** The exokernel of Engler et al. (SOSP 1995). */
export const exokernel: System = {
  name: 'exokernel',
  title: 'Exokernel (Aegis, Xok): a kernel that protects and leaves the rest to libraries',
  experiments: [controlTransfer, exceptions, memory, ipc, filters],
  mechanisms: [pct],
};
