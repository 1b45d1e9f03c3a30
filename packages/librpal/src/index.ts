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
export { LIBRARY_BUILDS, type LibraryBuild, LibStep, LibStepO2, LibStepSources, type LibSteps } from './steps.js';
