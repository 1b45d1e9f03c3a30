import type { System } from '@rpal/compare';
import { broadcastExperiment } from './experiments/broadcast.js';
import { pingPongExperiment } from './experiments/ping-pong.js';
import { byDaemon } from './mechanisms/by-daemon.js';
import { byKernel } from './mechanisms/by-kernel.js';

/** D-Bus, whose daemon is a process, beside a bus in the kernel (AF_DBUS of 2010, kdbus of 2013). */
export const bus: System = {
  name: 'bus',
  title: 'A bus in the kernel (AF_DBUS, kdbus) beside the daemon of D-Bus',
  experiments: [pingPongExperiment, broadcastExperiment],
  mechanisms: [byDaemon('on'), byKernel('on')],
};
