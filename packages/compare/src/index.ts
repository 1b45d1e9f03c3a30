export { CompareError, type CompareErrorCode } from './errors.js';
export { type Stretch, type Waterfall, waterfall } from './explain/waterfall.js';
export type { Attach } from './mechanism/attach.js';
export type { Gathering, Hub } from './mechanism/gathering.js';
export type { Endpoint, Mechanism, MechanismLimits, Meeting, Routine, Side, Waiting } from './mechanism/mechanism.js';
export { byClone, byFork, type Ends } from './mechanism/related.js';
export { MessageRegisters, openThreads, otherThread, type Threads, untilSwitchedTo } from './mechanism/switching.js';
export { lookAgain, untilThere } from './mechanism/waiting.js';
export { attachMechanism } from './mechanisms/by-reference.js';
export { mechanisms } from './mechanisms/index.js';
export { type RpalVariant, rpalMechanism } from './mechanisms/rpal.js';
export { type MemoryBandwidth, memoryBandwidthOf } from './mpi/memory-bandwidth.js';
export { type MpiOptions, type MpiResult, mpiPingPong, mpiRing } from './mpi/mpi.js';
export { attachTransport, type Transport, transports } from './mpi/transport.js';
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
export { type Cost, type CostInCores, cost, costInCores, type Exchange } from './workload/cost.js';
export { Counters, type Counts } from './workload/counters.js';
export { type FanIn, type FanInOptions, fanIn } from './workload/fan-in.js';
export {
  batches,
  type Handler,
  type PingPong,
  pingPong,
  requests,
  type Streaming,
  streaming,
  type Usage,
  type WorkloadOptions,
} from './workload/workload.js';
