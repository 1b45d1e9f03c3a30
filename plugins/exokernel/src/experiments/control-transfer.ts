import type { Experiment, ExperimentOptions } from '@rpal/compare';
import { type CpuProfile, figure } from '@rpal/hw-x86';
import { decstations } from '../machines/r3000.js';
import { each, exokernelFor, finish, inCycles, MHZ, NAMES, published, today } from './lab.js';

/** Cycles of a protected control transfer, one way: half of one there and one back, between environments that do nothing else. */
export function transferOneWay(profile: CpuProfile, options: ExperimentOptions): number {
  const os = exokernelFor(profile, options);
  let cycles = Number.NaN;
  const server = os.environment('server', function* (e) {
    e.entries.transfer = function* ({ words }) {
      yield;
      return words;
    };
    yield* e.serve();
  });
  const client = os.environment('client', function* (e) {
    cycles = (yield* each(os, () => e.call(server.id))) / 2;
  });
  finish(os, client);
  return cycles;
}

const PCT = [2.9, 2.2, 1.4];
/** Clocks of today at which the same is asked. */
const GHZ = [1.2, 2.3, 3.5];

/** A processor whose entries, returns and changes of page tables take no time. */
function unpriced(profile: CpuProfile): CpuProfile {
  const none = figure(0, 0, 0, 'derived', 'left out, to see the rest');
  return { ...profile, costs: { ...profile.costs, syscall: none, sysret: none, bhbClear: none, cr3Write: none } };
}

const PROCESSOR =
  'The path is the same 30 instructions. What they take of the whole is in EXO-3f; the rest is SYSCALL, SYSRET, the clearing of branch history ' +
  'and the load of CR3, for which the R3000 took a handful of cycles: at its prices the figure comes out (EXO-3a to c).';

/** EXO-3, and what of it is the processor. */
export const controlTransfer: Experiment = {
  name: 'control-transfer',
  title: 'a protected control transfer: registers and the time slice go to another environment',
  published: [
    ...NAMES.map((name, i) =>
      inCycles(`EXO-3${'abc'[i]}`, `one way, at the prices of a DECstation ${name}`, PCT[i] as number, MHZ[i] as number, 'recalled', 0.25),
    ),
    { kind: 'law', id: 'EXO-3d', what: 'over the clock', value: 'about 36 cycles on all three machines', ...published, status: 'derived' },
    inCycles('EXO-3e', "one way, on the RFC's server", 1.4, 25, 'recalled', 0.25),
    inCycles('EXO-3f', 'of it, the instructions of the path: entry, return and CR3 at no price', 1.4, 25, 'recalled', null),
  ],
  misses: { 'EXO-3e': PROCESSOR },
  left: ['The other IPC systems that the paper scales to its machines (EXO-4, EXO-5): they are not on the model.'],
  run(options) {
    const old = decstations.map((profile) => transferOneWay(profile, options));
    const now = GHZ.map((ghz) => transferOneWay(today(ghz), options));
    const same = new Set(old).size === 1 && new Set(now).size === 1;
    return {
      findings: [
        ...old.map((here, i) => ({ id: `EXO-3${'abc'[i]}`, here })),
        { id: 'EXO-3d', here: `${old.join(', ')} at ${MHZ.join(', ')} MHz; ${now.join(', ')} at ${GHZ.join(', ')} GHz`, holds: same },
        { id: 'EXO-3e', here: now[1] as number },
        { id: 'EXO-3f', here: transferOneWay(unpriced(today()), options) },
      ],
    };
  },
};
