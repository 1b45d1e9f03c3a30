export { copyOnWrite, flip } from './mechanism.js';
export { PageCall, pageAccept, pageFlip, pageSend } from './plugin.js';
export { PageSend } from './send-pages.js';
export { FlipStep } from './steps.js';
export { mapping } from './system.js';
