import type { Experiment, PublishedLaw } from '@rpal/compare';
import type { AttackName, Place } from '../attacks/attacks.js';
import { attackMatrix } from '../attacks/matrix.js';

const common = { kind: 'law', source: 'Belay et al., Dune, OSDI 2012, design and sandbox', status: 'recalled' } as const;

const published: readonly PublishedLaw[] = [
  {
    ...common,
    id: 'DUN-P1',
    what: 'a process in Dune mode against the rest of the machine',
    value: 'it reaches no memory that Linux has not given it',
  },
  {
    ...common,
    id: 'DUN-P2',
    what: 'code in a sandbox against the program that runs it',
    value: 'it reaches neither memory nor calls but those that it was given',
  },
];

/** Attacks that aim beyond the process; the others aim at the program that runs the code. */
const BEYOND: readonly AttackName[] = ['frame that is not its own', 'page that was taken back'];

/** Attacks against what Dune says that it protects. */
export const protection: Experiment = {
  name: 'protection',
  title: 'code that is not trusted: in a process, in ring 0, in a sandbox',
  published,
  misses: {},
  left: ['Privileged instructions in ring 3: programs have no way to try them here.', 'Side channels.'],
  run() {
    const matrix = attackMatrix();
    const names = Object.keys(matrix) as AttackName[];
    const got = (place: Place, among: readonly AttackName[]) => among.filter((name) => matrix[name][place].succeeds);
    const said = (place: Place, among: readonly AttackName[]) =>
      got(place, among).length === 0 ? `none of ${among.length} attacks succeeds` : `these succeed: ${got(place, among).join(', ')}`;
    const survives = names.every((name) => matrix[name].sandbox.ends !== 'the process');
    return {
      findings: [
        { id: 'DUN-P1', here: said('dune', BEYOND), holds: got('dune', BEYOND).length === 0 },
        {
          id: 'DUN-P2',
          here: `${said('sandbox', names)}, and the program ${survives ? 'goes on' : 'ends'}`,
          holds: survives && got('sandbox', names).length === 0,
        },
      ],
    };
  },
};
