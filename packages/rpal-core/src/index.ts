export {
  callState,
  MAX_REQUEST_SERVICE,
  MapType,
  PkuOn,
  QUARANTINE_NS,
  ReceiverState,
  RPAL_ADDR_SPACE_SIZE,
  RPAL_ADDRESS_SPACE_HIGH,
  RPAL_ADDRESS_SPACE_LOW,
  RPAL_API_VERSION,
  RPAL_CAP_PKU,
  RPAL_COMPAT_VERSION,
  RPAL_EP_POLL_MAGIC,
  RPAL_ERROR_MAGIC,
  RPAL_KERNEL_PENDING,
  RPAL_MAGIC,
  RPAL_MAGIC_OFFSET,
  RPAL_NR_ID,
  RPAL_PROC_FILE,
  RPAL_RECEIVER_STATE_MASK,
  RPAL_USER_PENDING,
  RpalFlag,
  RpalIoctl,
  SenderState,
} from './abi/constants.js';
export { FdmapArg, Rcc, RequestArg, Scc, ServiceMetadata, TaskContext, VersionInfo } from './abi/layouts.js';
export { Instruments } from './instruments.js';
export { RPAL_IGNORE } from './memory/copied-entries.js';
export { pkruOf, readAllPkru } from './memory/pkey.js';
export { protectionKeys } from './memory/protection-keys.js';
export type { RpalOptions } from './options.js';
export { type Patch, patches } from './patches.js';
export { findRpal, rpal, rpalOf } from './plugin.js';
export { type QuirkName, quirkNames, quirks, type RaceFix, raceFixes, raceFixPatches } from './quirks.js';
export { Rpal } from './rpal.js';
export { type CrashKind, RpalBug } from './rpal-bug.js';
export { LazySwitch, RpalSeams, ServiceChange } from './seams.js';
export type { Isolation } from './services/isolation.js';
export { RecordHeap } from './services/record-heap.js';
export { RoleData } from './services/role.js';
export { FsBaseEntry, MapEntry, type Metadata, RpalService } from './services/service.js';
export type { SharedMapping } from './services/shared-mapping.js';
export type { Sharing } from './services/sharing.js';
export { type RpalTask, RpalThread, rpalThread } from './services/thread.js';
export { RpalStep, RpalStepSources } from './steps.js';
export { receiverRows, senderRows, type TransitionRow } from './threads/transitions.js';
