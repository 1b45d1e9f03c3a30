export * from './constants.js';
export { FdmapArg, Rcc, RequestArg, Scc, ServiceMetadata, TaskContext, VersionInfo } from './layouts.js';
export { pkruOf, readAllPkru } from './pkey.js';
export { type RpalOptions, rpal, rpalOf } from './plugin.js';
export { type QuirkName, quirkNames, quirks } from './quirks.js';
export { Rpal, RpalBug, RpalThread } from './rpal.js';
export { CommonData, FsBaseEntry, MapEntry, type Metadata, ReceiverData, RpalService, SenderData } from './service.js';
export { SharedPages } from './shared-pages.js';
export { RpalStep } from './steps.js';
