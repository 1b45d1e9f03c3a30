import { defineSteps } from './step.js';

/** Steps of the hardware itself. Their price follows from the profile's geometry tables, so they are charged by amount. */
export const HwStep = defineSteps('@rpal/hw-x86', {
  stlbHit: { cause: 'tlb', source: 'profile: costs.stlbHit', status: 'derived' },
  pageWalk: { cause: 'tlb', source: 'profile: costs.walkLevel per level read', status: 'derived' },
  dirtyAssist: { cause: 'tlb', source: 'profile: costs.walkLevel for the entry whose D bit is set', status: 'derived' },
  lineSameCache: { cause: 'coherence', source: 'profile: line.sameCache per line', status: 'derived' },
  lineSameSocket: { cause: 'coherence', source: 'profile: line.sameSocket per line', status: 'derived' },
  lineCrossSocket: { cause: 'coherence', source: 'profile: line.crossSocket per line', status: 'derived' },
  lockWait: { cause: 'wait', source: 'time until the holder releases', status: 'derived' },
  idle: { cause: 'idle', source: 'time until the next event', status: 'derived' },
  idleExit: { cause: 'idle', source: 'profile: idle[].wake', status: 'derived' },
  wakeTransit: { cause: 'wake-up', source: "time from the waker's kick until the woken core notices", status: 'derived' },
  receiverBusy: { cause: 'wait', source: 'time during which the receiving core did something else', status: 'derived' },
  wrpkru: { cause: 'user', events: { wrpkru: 1 }, source: 'one WRPKRU', status: 'derived' },
  rdpkru: { cause: 'user', events: { rdpkru: 1 }, source: 'one RDPKRU', status: 'derived' },
  wrfsbase: { cause: 'user', events: { wrfsbase: 1 }, source: 'one WRFSBASE', status: 'derived' },
  rdfsbase: { cause: 'user', events: { rdfsbase: 1 }, source: 'one RDFSBASE', status: 'derived' },
  rdtsc: { cause: 'user', events: { rdtsc: 1 }, source: 'one RDTSC', status: 'derived' },
});
