export type { CallName } from './calls.js';
export { version } from './package-version.js';
export { posix } from './plugin.js';
export { MessageQueueCalls } from './program/message-queue-calls.js';
export { SharedMemoryCalls } from './program/shared-memory-calls.js';
export { Frame, Info, Register } from './signals/frame-layout.js';
export { SignalFrame } from './signals/signal-frame.js';
export { PosixStep } from './steps.js';
