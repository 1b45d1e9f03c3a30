export { RpalError } from './errors.js';
export { Fiber } from './fiber.js';
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
} from './layouts.js';
export { LibProcess, type Peer } from './lib-process.js';
export { LibRpal, librpal } from './librpal.js';
export type { RpalFd } from './sender.js';
export { LibStep } from './steps.js';
