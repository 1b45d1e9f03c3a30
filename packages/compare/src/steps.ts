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
});
