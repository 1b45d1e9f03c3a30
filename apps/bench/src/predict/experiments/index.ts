import type { Experiment } from '@rpal/compare';
import { arrakis } from './arrakis.js';
import { attach } from './attach.js';
import { erim } from './erim.js';
import { iceoryx } from './iceoryx.js';
import { ipcBench } from './ipc-bench.js';
import { ladder } from './ladder.js';
import { libmpk } from './libmpk.js';
import { mshare } from './mshare.js';
import { userInterrupts } from './user-interrupts.js';

/** What others measured of several mechanisms or sizes together: orders and ratios. */
export const experiments: readonly Experiment[] = [ladder, ipcBench, userInterrupts, iceoryx, attach, arrakis, libmpk, erim, mshare];
