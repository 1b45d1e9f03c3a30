import { type Attach, attachMechanism, attachTransport, type Mechanism, type Transport } from '@rpal/compare';
import { exactly } from '@rpal/kernel';
import { copyFromProcess, crossMemoryAttach } from './plugin.js';

const byCopyFromProcess: Attach = {
  plugins: () => [crossMemoryAttach()],
  *copy(p, pid, from, to, length) {
    exactly('copy_from_process', yield* copyFromProcess(p, pid, from, length, to), length);
  },
};

const title = 'copy_from_process as proposed in 2010, the address goes through a pipe';

/** Two processes. @public for comparisons of your own */
export const cma: Mechanism = attachMechanism({ name: 'cma', title }, byCopyFromProcess);

/** Ranks of a parallel program. */
export const cmaTransport: Transport = attachTransport(
  { name: 'cma', title: "copied once from the sender's memory, by copy_from_process" },
  byCopyFromProcess,
);
