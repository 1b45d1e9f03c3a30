import { defineSteps } from '@rpal/hw-x86';

/** Steps of shared page tables, beyond what the memory management of the host address space charges. @public for meters that ask what a step costs */
export const MshareStep = defineSteps('@rpal/mshare', {
  call: {
    cause: 'memory',
    instructions: [300, 600, 1200],
    events: { lockedOp: 4 },
    source: 'written down for this plugin: look the region up by name or descriptor, check permissions',
    status: 'estimated',
  },
  attach: {
    cause: 'memory',
    instructions: [200, 400, 800],
    events: { lockedOp: 4 },
    source: 'written down for this plugin: an area, and one top-level entry under its lock',
    status: 'estimated',
  },
  faultLookUp: {
    cause: 'fault',
    instructions: [40, 70, 120],
    events: { lockedOp: 2 },
    source: 'written down for this plugin: find the region of the address, take the lock of its host',
    status: 'estimated',
  },
  shareTable: {
    cause: 'fault',
    instructions: [60, 100, 180],
    events: { lockedOp: 2 },
    source: 'written down for this plugin: copy one entry of a level-3 table under both locks',
    status: 'estimated',
  },
});
