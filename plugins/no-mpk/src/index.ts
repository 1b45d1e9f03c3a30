export { type AttackName, attackProfile, attacks, type IsolationName, isolationNames, type Outcome } from './attacks.js';
export { type CallCost, callCosts } from './call-cost.js';
export { attackMatrix, formatMatrix, type Matrix } from './matrix.js';
export { type NoMpkIsolation, type NoMpkOptions, noMpk, noMpkIsolations } from './plugin.js';
export { ViewStep } from './steps.js';
export { Hypercall } from './view-hypervisor.js';
