export {
  CACHE_LINE,
  formatAddress,
  GIB,
  HUGE_PAGE_SIZE,
  KIB,
  LARGE_PAGE_SIZE,
  MIB,
  PAGE_MASK,
  PAGE_SHIFT,
  PAGE_SIZE,
  PML4_ENTRY_SPAN,
  pageCeil,
  pageFloor,
  requireCanonical,
  USER_TOP,
} from './address.js';
export type { AddressSpace } from './address-space.js';
export { BareCore, type InvpcidType } from './bare-core.js';
export { type BareException, type BareMapping, BareMetal, type BareProgram, type ExceptionAnswer } from './bare-metal.js';
export { type CacheCounters, Caches, LineState } from './caches.js';
export { CoherenceDirectory, type Topology, TransferCost } from './coherence.js';
export { type CostLevel, CostModel } from './cost-model.js';
export { Cpu, type CpuEnvironment, type CpuPlace } from './cpu.js';
export { CriticalPath } from './critical-path.js';
export { HardwareError, type HardwareErrorCode } from './errors.js';
export { EventQueue, TimedEvent } from './event-queue.js';
export type { ExecutionContext, TrapHandler } from './execution-context.js';
export { Fingerprint } from './fingerprint.js';
export { EPTP_LIST_ENTRIES, GuestMode, type Hypervisor } from './guest-mode.js';
export { Exception, Vector } from './interrupts.js';
export { Ledger, type LedgerEntry } from './ledger.js';
export { type DeliveryMode, type Destination, LocalApic, type TimerMode } from './local-apic.js';
export { Access, FaultCode, Mmu } from './mmu.js';
export { AddressMonitors } from './monitor.js';
export {
  entryAddress,
  entryFrame,
  entryHigh,
  entryLow,
  LEVEL_SPAN,
  type Mapping,
  mapPage,
  Pte,
  type Walk,
  walk,
} from './page-table.js';
export { PhysicalMemory } from './physical-memory.js';
export { Platform, type PlatformOptions, type RunEnd } from './platform.js';
export { type CounterSetup, Pmu, type PmuEvent } from './pmu.js';
export { Pointer } from './pointer.js';
export { type CpuProfile, type CpuProfileInput, type Figure, parseProfile } from './profile.js';
export { findProfile, profiles } from './profiles/index.js';
export { Rng } from './rng.js';
export { Ept, SecondLevel, SecondLevelTables } from './second-level.js';
export { SpinLock } from './spin-lock.js';
export {
  allSteps,
  type Cause,
  type CompositeDefinition,
  type CostStatus,
  defineSteps,
  findStep,
  PRIMITIVES,
  type Primitive,
  type Range,
  type Step,
  type StepDefinition,
  spread,
} from './step.js';
export { HwStep } from './steps.js';
export { Tlb, TlbEntry, TlbFlag } from './tlb.js';
export { XSAVE_AREA_SIZE, xrstorPkru, xsavePkru } from './xsave.js';
