export { cma } from './mechanism.js';
export { CopyCall, copyFromProcess, copyToProcess, crossMemoryAttach } from './plugin.js';
export { CopyStep } from './steps.js';
export { attachSystem } from './system.js';
