export { ExploreError, type ExploreErrorCode } from './errors.js';
export { type CpuPicture, describeSenderState, describeState, type Picture, pictureOf, type ReceiverPicture } from './picture.js';
export type { Defect } from './scenarios/defect.js';
export { invariants } from './scenarios/invariants.js';
export { type CalleeWork, callee, caller, callers, nothing, nothingLost, send, systemCall, yields } from './scenarios/roles.js';
export { type Scenario, Stage } from './scenarios/scenario.js';
export { defects, scenarioNamed, scenarios } from './scenarios/scenarios.js';
export { Choice, describeChoice } from './search/choice.js';
export { decodeRecording, deviationsIn, encodeRecording, fixesNumbered, type Recording, repairNamed } from './search/recording.js';
export { type Deviation, Run, type RunLimits, type RunResult, type Strategy } from './search/run.js';
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
} from './search/search.js';
export { Deviations, PriorityWalk, RandomWalk, Replay } from './search/strategies.js';
export { type Budget, type Finding, survey } from './search/survey.js';
export { STORM_CPUS, type StormOptions, type StormResult, storm } from './storm/storm.js';
export { STORM_SERVICES } from './storm/storm-books.js';
