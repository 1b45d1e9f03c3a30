import type { Experiment, ExperimentOptions } from '@rpal/compare';
import { createMachine, executable } from '@rpal/kernel';
import { check } from '../../outcome.js';
import { profileNamed } from '../../rfc-settings.js';
import { asOf } from './as-of.js';
import { machineOf, RATIO } from './setting.js';

const PAPER = 'Vahldiek-Oberwagner et al., ERIM, USENIX Security 2019, as summarised in public notes: Skylake-SP, 2.6 GHz';
const README = 'README of the ERIM project: the same machine';
const GHZ = 2.6;
const GATES = 1000;
const SWITCHES_PER_SECOND = 100_000;
/** ECX, EDX and EAX set, and behind WRPKRU a comparison of EAX and a branch: on the way in and on the way back. */
const INSTRUCTIONS = 2 * 5;
/** The middle of the published 55 to 80. */
const GATE = 67.5;

/** Call gates of protection keys, whose checks are in the code around WRPKRU. */
export const erim: Experiment = {
  name: 'erim',
  title: 'ERIM: call gates with protection keys, on a Skylake-SP at 2.6 GHz',
  published: [
    {
      kind: 'figure',
      id: 'gate',
      what: 'call gate, in and back (published: 55 to 80)',
      unit: 'cycles',
      value: GATE,
      within: RATIO,
      source: PAPER,
      status: 'published',
    },
    {
      kind: 'law',
      id: 'rate',
      what: 'overhead at 100,000 switches a second',
      value: 'below 1 %',
      source: README,
      status: 'published',
    },
  ],
  misses: {},
  left: [
    'WRPKRU and VMFUNC themselves: inputs of the profiles, the former from this paper',
    'lwC: another kernel (FreeBSD) with contexts that Linux has not',
    'NGINX and the ratios to MPX, lwC and VT-x: no web server and no MPX on the machine',
  ],
  run(options) {
    const gate = gateCycles(options);
    // A switch is one way: in, or back.
    const share = (gate / 2 / (GHZ * 1e9)) * SWITCHES_PER_SECOND;
    return {
      findings: [
        { id: 'gate', here: gate },
        { id: 'rate', here: `${(100 * share).toFixed(2)} %`, holds: share < 0.01 },
      ],
    };
  },
};

/** Core cycles of one gate: two WRPKRU, what is around them, and the call. */
function gateCycles(options: ExperimentOptions): number {
  const profile = asOf(profileNamed('xeon-platinum-8160'), ['rseq']);
  const machine = createMachine(machineOf(options, { profile, coreGHz: GHZ }));
  const { costs } = machine.platform;
  const around = INSTRUCTIONS * profile.cpi.user[options.costs] * costs.tscPerCore + costs.primitive('functionCall');
  let cycles = 0;
  machine.spawn(
    executable('gates', function* (p) {
      const [outside, inside] = [p.rdpkru(), 0];
      const began = p.rdtsc();
      for (let i = 0; i < GATES; i++) {
        p.wrpkru(inside);
        p.wrpkru(outside);
      }
      yield* p.compute(GATES * around);
      cycles = p.rdtsc() - began;
      return 0;
    }),
    0,
  );
  machine.run();
  check(cycles > 0, 'the gates took no time');
  return cycles / GATES / costs.tscPerCore;
}
