export type { Opener } from './calls/file-syscalls.js';
export { findKey as futexKey, type Key as FutexKey, wake as futexWake } from './calls/futex.js';
export { refuseHuge } from './calls/memory-syscalls.js';
export { awaitMmapLock, underMmapLock } from './calls/mmap-lock.js';
export { dropMask, useMask } from './calls/poll-syscalls.js';
export { refuseScheduling, thoseMeant, type WantedScheduling } from './calls/sched-syscalls.js';
export { maySend, signalTarget, takesSignal } from './calls/signal-syscalls.js';
export { whenOver } from './calls/when-over.js';
export { releaseFiles } from './dispatch/held-file.js';
export { type InterruptHandler, type Irq, IrqTable } from './dispatch/irq-table.js';
export { PathTable } from './dispatch/path-table.js';
export {
  type Syscall,
  type SyscallDeclaration,
  type SyscallExtension,
  type SyscallHandler,
  SyscallTable,
} from './dispatch/syscall-table.js';
export { Entry } from './entry/entry.js';
export { DeadlockError, MachineError, type MachineErrorCode, ProcessDeathError } from './errors.js';
export { Kernel, type KernelOptions } from './kernel.js';
export { yieldInKernel } from './lifecycle/affinity.js';
export { WAIT_CHILD, WaitChildOperation, type WaitRequest } from './lifecycle/wait.js';
export { createMachine, Machine, type RunOptions } from './machine.js';
export type { MachineOptions } from './machine-options.js';
export { type Exchange, type Measurement, type MeasureOptions, measure } from './measure/measure.js';
export { Trip, type TripStep } from './measure/trip.js';
export { Trips } from './measure/trips.js';
export { version } from './package-version.js';
export {
  type CallArguments,
  type CloneRequest,
  type EpollEvent,
  FOREVER,
  type Interval,
  type Limit,
  NO_NOTIFICATION,
  type SignalValue,
} from './process/call-arguments.js';
export { callSignatures } from './process/call-text.js';
export { type CodeEngine, ContextTable, NoCode } from './process/context-table.js';
export {
  ALL_CAPABILITIES,
  Capability,
  type CapabilityBits,
  hasCapability,
  isWithin,
  NO_CAPABILITIES,
  type ProcessCredentials,
  withFileUser,
  withUserIds,
} from './process/credentials.js';
export type { Death } from './process/death.js';
export { EntryKind } from './process/entry-kind.js';
export type { FileSystem } from './process/file-system.js';
export { GuestArguments, type GuestHandler } from './process/guest-arguments.js';
export { EI_NIDENT, type Image, type ImageSegment } from './process/image.js';
export { ResourceLimits, UNLIMITED } from './process/limits.js';
export type { MessageHeader } from './process/message-header.js';
export { bitsOf, hasSignal, NO_SIGNALS, PendingSignals, type QueuedSignal, type SignalBits } from './process/pending-signals.js';
export { type ExitState, Process, type ProcessHost, type SignalSender } from './process/process.js';
export { ProcessTable } from './process/process-table.js';
export type { SignalAction, UserHandler } from './process/signal-action.js';
export { type SignalOrigin, sentBy } from './process/signal-origin.js';
export { SyscallNumber } from './process/syscall-numbers.js';
export { currentThread, EntryFrame, type GuestBorder, type RestartBlock, type ResumeNotifier, Thread } from './process/thread.js';
export { type HandledSignal, type HandlerState, type SignalFrames, ThreadContext } from './process/thread-context.js';
export { putUsage, type Usage, usageOf } from './process/usage.js';
export { UserBuffer } from './process/user-buffer.js';
export { type CallRegisters, UserContext } from './process/user-context.js';
export type { WaitingThread } from './process/waiting.js';
export type { Call } from './program/call.js';
export { requireText, requireVector } from './program/checks.js';
export { executable, type ProgramImage } from './program/executable.js';
export { bytesOf, HostArguments, SECOND_TEXT } from './program/host-arguments.js';
export type { Main } from './program/main.js';
export { type CallFamily, Program } from './program/program.js';
export { ProgramBase } from './program/program-base.js';
export { ProgramContext, type Routine, type SignalHandler } from './program/program-context.js';
export { done, exactly } from './program/result.js';
export { Time } from './program/time.js';
export { KernelSeams } from './seams.js';
export { recalculatePending } from './signals/signal.js';
export { Signals } from './signals/signals.js';
export { KernelStep, KernelStepSources } from './steps.js';
