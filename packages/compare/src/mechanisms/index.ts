import type { Mechanism } from '../mechanism/mechanism.js';
import { byReference } from './by-reference.js';
import { byFiles } from './files.js';
import { functionCall } from './function-call.js';
import { messageQueue } from './message-queue.js';
import { byRpal } from './rpal.js';
import { bySharedMemory } from './shared-memory.js';
import { signals } from './signals.js';
import { bySwitchTo } from './switch-to.js';
import { sysvQueue } from './sysv-queue.js';

/** The mechanisms of Linux and of RPAL. */
export const mechanisms: readonly Mechanism[] = [
  ...byFiles,
  messageQueue,
  sysvQueue,
  signals,
  ...bySharedMemory,
  bySwitchTo,
  ...byReference,
  functionCall,
  ...byRpal,
];
