export { MultikernelError, type MultikernelErrorCode } from './errors.js';
export { type UrpcCost, urpcBetween } from './experiments/urpc.js';
export { machines, opteron2220, opteron8350, opteron8380, xeonX5355 } from './machines/index.js';
export { multikernel } from './system.js';
export { channelBytes, PAYLOAD_WORDS, UrpcReceiver, UrpcSender } from './urpc/channel.js';
export { type Routine, type Words, wordsOf } from './urpc/words.js';
