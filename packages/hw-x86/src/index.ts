export { BareCore, type InvpcidType } from './bare/bare-core.js';
export { type BareException, type BareMapping, BareMetal, type BareProgram, type ExceptionAnswer } from './bare/bare-metal.js';
export { AddressMonitors } from './core/address-monitors.js';
export type { AddressSpace } from './core/address-space.js';
export { Cpu, type CpuEnvironment } from './core/cpu.js';
export { type ExecutionContext, type TrapHandler, TrapOutcome } from './core/execution-context.js';
export { EPTP_LIST_ENTRIES, GuestMode, type Hypervisor } from './core/guest-mode.js';
export { Exception, Vector } from './core/interrupts.js';
export { LoadStoreUnit } from './core/load-store-unit.js';
export { type DeliveryMode, type Destination, LocalApic, type TimerMode } from './core/local-apic.js';
export { type CounterSetup, Pmu, type PmuEvent } from './core/pmu.js';
export { Pointer } from './core/pointer.js';
export { XSAVE_AREA_SIZE, xrstorPkru, xsavePkru } from './core/xsave.js';
export type { Shape } from './costs/check.js';
export { type CostLevel, CostModel } from './costs/cost-model.js';
export type { KernelConfiguration, KernelPart } from './costs/kernel.js';
export { Ledger, type LedgerEntry } from './costs/ledger.js';
export { type CpuProfile, type Figure, parseProfile, profileShape } from './costs/profile.js';
export {
  allSteps,
  CAUSES,
  type Cause,
  COST_STATUSES,
  type CompositeDefinition,
  type CostStatus,
  defineSteps,
  PRIMITIVES,
  type Primitive,
  type Range,
  type Step,
  type StepDefinition,
  type StepSources,
  spread,
} from './costs/step.js';
export { HwStep, HwStepSources } from './costs/steps.js';
export { ENTERING, instructionsOf, LEAVING, workOf } from './costs/work.js';
export { HardwareError, type HardwareErrorCode, ModelBug } from './errors.js';
export { Fingerprint } from './fingerprint.js';
export {
  CACHE_LINE,
  GIB,
  HUGE_PAGE_SIZE,
  KIB,
  LARGE_PAGE_SIZE,
  MIB,
  PAGE_MASK,
  PAGE_SIZE,
  PML4_ENTRY_SPAN,
  pageCeil,
  pageFloor,
  USER_TOP,
} from './memory/address.js';
export { type CacheModel, dataCaches } from './memory/cached-coherence.js';
export { type CacheCounters, type CacheEnvironment, Caches, LineState } from './memory/caches.js';
export { CoherenceDirectory, type CoherentCore, type Topology, TransferCost } from './memory/coherence.js';
export { DEVICE_BASE, DeviceWindows, type MmioDevice } from './memory/device-windows.js';
export { type KernelLock, type LockingCore, LockKind, tellPassed, tellReleased, tellTaken } from './memory/kernel-lock.js';
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
} from './memory/page-table.js';
export { type MemoryObserver, PhysicalMemory } from './memory/physical-memory.js';
export { type CoherenceModel, queuedLines } from './memory/queued-coherence.js';
export { SpinLock } from './memory/spin-lock.js';
export { Touch } from './memory/touch.js';
export { Access, FaultCode, Mmu, Translations } from './mmu/mmu.js';
export { Ept, SecondLevel, SecondLevelTables } from './mmu/second-level.js';
export { Globals, Tlb, TlbEntry, TlbFlag } from './mmu/tlb.js';
export { version } from './package-version.js';
export { Platform, type PlatformOptions, type RunEnd } from './platform.js';
export { figure, nanoseconds } from './profiles/figure.js';
export { defaultProfile, findProfile, profileNames, profiles } from './profiles/index.js';
export { countedKernel, unmitigatedKernel } from './profiles/kernel.js';
export { HardwareSeams } from './seams.js';
export { taggedNumber } from './tagged-number.js';
export { CoreClock, type CpuPlace } from './time/core-clock.js';
export { CriticalPath } from './time/critical-path.js';
export { DISTURBANCES, type Disturbance, type DisturbanceModel, disturbances } from './time/disturbance.js';
export { EventQueue, TimedEvent } from './time/event-queue.js';
export { Rng } from './time/rng.js';
