export { Choice, decodeSchedule, describeChoice, encodeSchedule } from './choice.js';
export { Run, type RunLimits, type RunResult, type Strategy } from './run.js';
export { type Scenario, Stage } from './scenario.js';
export { scenarioNamed, scenarios } from './scenarios.js';
export { type SearchLimits, type SearchResult, searchAll, searchAtRandom, shrink } from './search.js';
export { Deviations, PriorityWalk, RandomWalk, Replay } from './strategies.js';
