import { defineSteps } from '@rpal/hw-x86';

/** What sending pages takes beyond entries and flushes, which memory management charges. @public for meters that ask what a step costs */
export const FlipStep = defineSteps('@rpal/page-flip', {
  /** One call: both areas looked up under the locks of their address spaces, the right to send checked. */
  call: {
    cause: 'memory',
    mode: 'kernel',
    instructions: [300, 500, 900],
    events: { lockedOp: 4 },
    source: 'written down for this plugin: two look-ups of areas (242 each, counted) and the locks of two address spaces',
    status: 'estimated',
  },
});
