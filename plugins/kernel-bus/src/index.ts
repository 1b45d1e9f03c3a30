export { BROADCAST, BusIoctl } from './kernel/connection.js';
export type { BusNamespace } from './kernel/namespace.js';
export type { Validation } from './library/message.js';
export { byDaemon } from './mechanisms/by-daemon.js';
export { byKernel } from './mechanisms/by-kernel.js';
export { BUS_PATH, busOf, type KernelBusOptions, kernelBus } from './plugin.js';
export { BusStep } from './steps.js';
export { bus } from './system.js';
