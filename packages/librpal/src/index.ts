export type { RpalFd } from './call/sender.js';
export { RpalError } from './errors.js';
export { findReceiver, introduce, welcome } from './handshake.js';
export { rpalExecutable } from './image.js';
export {
  EPOLLRPALIN,
  EPOLLRPALOUT,
  FdNode,
  FdRecord,
  FdSlot,
  Pool,
  QUEUE_WORDS,
  ReadyQueue,
  ReceiverRecord,
  SenderRecord,
  SlotUse,
} from './layouts.js';
export { LibRpal, type LibraryOptions, librpal } from './librpal.js';
export { LibProcess, type Peer } from './process/lib-process.js';
export { type LibraryBuild, LibStep, LibStepSources, type LibSteps, unoptimised } from './steps.js';
export { optimised } from './steps-optimised.js';
