import { defineSteps } from '@rpal/hw-x86';

/** What the mechanisms here execute and no lower package has a price for. @public for mechanisms of your own */
export const CompareStep = defineSteps('@rpal/compare', {
  call: {
    cause: 'library',
    mode: 'user',
    instructions: 4,
    events: { functionCall: 1 },
    source: 'a function that is called with two arguments in registers: two moves, the call, a move of the result',
    status: 'derived',
  },
  switchTo: {
    cause: 'switch',
    mode: 'kernel',
    instructions: [90, 150, 250],
    source:
      "switch_to: look-up of the thread (as getpid, 91 counted) and of the one that waits; wake-up and switch are the scheduler's own steps",
    status: 'estimated',
  },
});
