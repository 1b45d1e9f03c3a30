export type { Attacker, AttackName, AttackOutcome } from './attacks/attacks.js';
export { attackMatrix, formatMatrix, type Matrix } from './attacks/matrix.js';
export { ExokernelError, type ExokernelErrorCode } from './errors.js';
export { CompiledFilters } from './filters/compiled.js';
export type { Label, Operation } from './filters/compiler.js';
export type { Atom, Field, Filter, Verdict } from './filters/filter.js';
export { InterpretedFilters, type InterpreterStyle } from './filters/interpreter.js';
export type { TableLevel } from './kernel/bindings.js';
export { type Capability, capabilityOf, type Refusal, wordsOf } from './kernel/capability.js';
export {
  type Entries,
  Environment,
  type EnvironmentProgram,
  type Repossessed,
  type Routine,
  type Transfer,
  type Trap,
  type TrapAnswer,
} from './kernel/environment.js';
export { Exokernel, type ExokernelOptions } from './kernel/exokernel.js';
export { type FrameTable, granted, type OwnedFrame } from './kernel/frames.js';
export type { PacketClaims } from './kernel/packet-claims.js';
export { TransferMode } from './kernel/transfer-mode.js';
export { call, offer, type Service } from './libos/lrpc.js';
export { PageTables } from './libos/page-tables.js';
export { endOf, PIPE_BYTES, Pipe, type PipeEnd, type PipeStyle } from './libos/pipe.js';
export { publish, subscribe } from './libos/shared-memory.js';
export { yieldTo } from './libos/yield.js';
export { decstation2100, decstation3100, decstation5000 } from './machines/r3000.js';
export { pct } from './mechanism.js';
export { exokernel } from './system.js';
