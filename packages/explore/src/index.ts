export { Choice, describeChoice } from './choice.js';
export { invariants } from './invariants.js';
export { type CpuPicture, describeSenderState, describeState, type Picture, pictureOf, type ReceiverPicture } from './picture.js';
export { decodeRecording, deviationsIn, encodeRecording, fixesNumbered, type Recording, repairNamed } from './recording.js';
export { callee, caller, callers, nothing, nothingLost, send, systemCall, type Work, yields } from './roles.js';
export { type Deviation, Run, type RunLimits, type RunResult, type Strategy } from './run.js';
export { type Scenario, Stage } from './scenario.js';
export { scenarioNamed, scenarios } from './scenarios.js';
export {
  byChance,
  type Chance,
  type ChanceLimits,
  exhaustive,
  type Search,
  type SearchLimits,
  type SearchResult,
  type Shortest,
  searchAll,
  searchAtRandom,
  shortestOf,
  shrink,
} from './search.js';
export { STORM_CPUS, type StormOptions, type StormResult, storm } from './storm.js';
export { STORM_SERVICES } from './storm-books.js';
export { Deviations, PriorityWalk, RandomWalk, Replay } from './strategies.js';
export { type Budget, type Finding, survey } from './survey.js';
