export { ftraceText } from './ftrace.js';
export { perfettoTrace } from './perfetto.js';
export { Recorder, type Recording, type TraceEvent, type Who } from './recording.js';
export { type Frame, type SpeedscopeFile, speedscopeFile, speedscopeTrace } from './speedscope.js';
export { type Counter, type Flow, type Moment, type Slice, type Track, type Tracks, tracksOf } from './tracks.js';
