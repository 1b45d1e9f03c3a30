export { DescriptorRegions, MshareIoctl } from './descriptors.js';
export { Msharefs, type NamedRegion } from './msharefs.js';
export {
  MshareCall,
  type MshareOptions,
  type MshareState,
  mshare,
  mshareCall,
  mshareCreate,
  mshareOf,
  mshareUnlink,
} from './plugin.js';
export { Region } from './region.js';
export { SharedTables } from './rpal-sharing.js';
export { MshareStep } from './steps.js';
