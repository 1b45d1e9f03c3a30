export { SampleTally } from './perf-event.js';
export { type AmdNmiOptions, amdNmi, samplesOf } from './plugin.js';
export { SampleStep } from './steps.js';
