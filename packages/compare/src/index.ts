export { CompareError, type CompareErrorCode, done, exactly } from './errors.js';
export { type Stretch, type Waterfall, waterfall } from './explain/waterfall.js';
export type { Endpoint, Mechanism, MechanismLimits, Meeting, Routine, Side, Waiting } from './mechanism/mechanism.js';
export { byClone, byFork, type Ends } from './mechanism/related.js';
export { lookAgain, untilThere } from './mechanism/waiting.js';
export { mechanisms } from './mechanisms/index.js';
export { type RpalVariant, rpalMechanism } from './mechanisms/rpal.js';
export { CompareStep } from './steps.js';
export type {
  Curves,
  Experiment,
  ExperimentOptions,
  Finding,
  Outcome,
  Published,
  PublishedFigure,
  PublishedLaw,
  System,
} from './system/system.js';
export { type ExperimentRow, verdicts } from './system/verdict.js';
export { type Cost, cost } from './workload/cost.js';
export { Counters, type Counts } from './workload/counters.js';
export {
  type Handler,
  type PingPong,
  pingPong,
  requests,
  type Streaming,
  streaming,
  type Usage,
  type WorkloadOptions,
} from './workload/workload.js';
