import { describe, expect, it } from 'vitest';
import * as verdict from '../src/questions/verdicts.js';

/** What each verdict says of the machine as it is, and of one that behaves otherwise. */
const cases: readonly [what: string, text: string, says: RegExp][] = [
  ['a slice that is full', verdict.ofReservations([300, 511, 512, 600], [4096, 8192, -12, -12], -12), /hard limit: 511 GiB .* ENOMEM/],
  ['no limit', verdict.ofReservations([300, 600], [4096, 8192], -12), /^No limit was met: 600 GiB/],
  ['another limit', verdict.ofReservations([300, 600], [4096, -12], -12), /^There is a limit: 300 GiB/],
  ['several errors', verdict.ofReservations([300, 512, 600], [4096, -12, -22], -12), /errors of several kinds/],
  [
    'a call that beats a yield',
    verdict.ofYield([2000, 4000], [500, 5000]),
    /the call beats a yield by 4.0 times.*threads that yield are cheaper/,
  ],
  [
    'a yield that beats a call',
    verdict.ofYield([500, 4000], [2000, 3000]),
    /a yield beats the call by 4.0 times.*the call is cheaper, too/,
  ],
  ['copying that costs little', verdict.ofSharing(2000, 2100, 2300), /copying is not what such a message costs/],
  ['copying that costs most', verdict.ofSharing(500, 600, 2300), /copying is most of what/],
  ['a gain by idle CPUs', verdict.ofBaselines(1.5, [2, 6]), /1.5 to 6.0 times one way: part of what/],
  ['a gain without idle CPUs', verdict.ofBaselines(6, [2, 3]), /does not depend on the wake-up/],
  ['savings', verdict.ofSavings(1000, 600), /Of 1,000 cycles saved one way, 600 \(60 %\).*The rest/],
  ['savings by scheduling alone', verdict.ofSavings(1000, 1000), /\(100 %\)(?!.*The rest)/],
  ['a loss', verdict.ofSavings(-20, 0), /^Nothing is saved one way: RPAL takes 20 cycles more/],
  ['x86 alone', verdict.ofArchitecture(new Map([['protection keys', 50]]), 500), /^50 of 500 cycles \(10 %\).*\(protection keys\)/],
  ['no architecture', verdict.ofArchitecture(new Map([['protection keys', 0]]), 500), /nothing in a call depends/],
  ['a space that is shared in full', verdict.ofReach(9, 9, 0), /9 of 9 pages .* shared in full, and only PKRU separates/],
  ['a space that is open', verdict.ofReach(9, 9, 9), /not even PKRU separates/],
  ['a space that is shared in part', verdict.ofReach(3, 9, 0), /shared in part/],
  ['a space that is not shared', verdict.ofReach(0, 9, 0), /nothing is shared/],
  ['more than there is room for', verdict.ofCrowd(254, 257, [-1, -1, -1]), /^254 become services; .* before they ask/],
  ['others that are not told', verdict.ofCrowd(254, 257, [0, 0, 0]), /not told even when they ask/],
  ['room for all', verdict.ofCrowd(257, 257, []), /^All 257 become services/],
  ['a sample of the receiver', verdict.ofObservers(['server (pid 1)'], 'server', false), /books the time to the receiver.*cannot read/],
  [
    'a sample of the sender',
    verdict.ofObservers(['client (pid 2)'], 'server', true),
    /^A profiler books the time to client \(pid 2\);.*reads the memory/,
  ],
  ['no sample', verdict.ofObservers([], 'server', true), /to nobody/],
  [
    'moves that wait',
    verdict.ofMoves([2e6, 3e6], 60e6, true),
    /waits in a loop .* 2,000,000 .* waits in a loop .* 3,000,000 .* the unlock fails/,
  ],
  [
    'moves that do not',
    verdict.ofMoves([900, 2000], 60e6, false),
    /need not wait: 900 cycles here\. .* pushes both off, .*: 2,000 cycles here\.$/,
  ],
];

describe('verdicts', () => {
  it.each(cases)('say of %s what it is', (_what, text, says) => {
    expect(text).toMatch(says);
  });
});
