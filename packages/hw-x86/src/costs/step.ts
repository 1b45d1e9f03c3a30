import { didYouMean } from '@rpal/bus';
import { HardwareError } from '../errors.js';
import { KERNEL_PARTS, type KernelPart } from './kernel.js';

/** The standings that a figure can have. */
export const COST_STATUSES = ['counted', 'measured', 'published', 'derived', 'recalled', 'estimated'] as const;

/** Where a figure comes from. A report shows it beside every total the figure takes part in. */
export type CostStatus = (typeof COST_STATUSES)[number];

/** A figure with its uncertainty. One number stands for three equal ones. */
export type Range = number | readonly [low: number, central: number, high: number];

/** Why cycles are spent: the coarse columns of a breakdown. */
export const CAUSES = [
  'entry',
  'socket',
  'epoll',
  'copy',
  'wake-up',
  'switch',
  'idle',
  'tlb',
  'coherence',
  'interrupt',
  'fault',
  'memory',
  'process',
  'user',
  'library',
  'lazy switch',
  'wait',
] as const;

/** Why cycles were spent. */
export type Cause = (typeof CAUSES)[number];

/**
 * Hardware events that a step contains and that are priced one by one by the CPU profile. Instructions cover all else.
 * Unit of each price: core cycles, unless the profile gives nanoseconds.
 */
export const PRIMITIVES = [
  'syscall',
  'sysret',
  'bhbClear',
  'swapgs',
  'iret',
  'interrupt',
  'exception',
  'cr3Write',
  'cr3WriteFlush',
  'invlpg',
  'invpcid',
  'lockedOp',
  'wrpkru',
  'rdpkru',
  'wrfsbase',
  'rdfsbase',
  'wrmsr',
  'rdmsr',
  'rdpmc',
  'rdtsc',
  'lfence',
  'mfence',
  'pause',
  'xsave',
  'xrstor',
  'fpControl',
  'repString',
  'functionCall',
  'indirectCall',
  'mispredict',
  'reload',
  'codeLine',
  'stackSwitch',
  'stlbHit',
  'walkLevel',
  'ipiSend',
  'ipiDelivery',
  'monitorWake',
  'mwait',
  'verw',
  'nmi',
  'vmcall',
  'vmfunc',
] as const;

/** A price that every profile gives, in core cycles or nanoseconds: steps are made of these. */
export type Primitive = (typeof PRIMITIVES)[number];

/** What is executed. */
export interface Work {
  /** Instructions executed, without the events below. */
  readonly instructions?: Range;
  /** Hardware events among them. */
  readonly events?: Partial<Readonly<Record<Primitive, number>>>;
}

/** What parts of the kernel add where it has them. */
export type AddedWork = Partial<Readonly<Record<KernelPart, Work>>>;

/** What a step consists of. Its price on a profile is computed, never given. */
export interface StepDefinition extends Work {
  readonly cause: Cause;
  /** Where the instructions run: they are priced with the profile's kernel or user cycles per instruction. */
  readonly mode?: 'kernel' | 'user';
  /** The step is executed by kernels with this part alone. */
  readonly only?: KernelPart;
  readonly also?: AddedWork;
  /** Time that does not scale with the core clock, in nanoseconds. */
  readonly ns?: Range;
  /** What each byte costs in addition, for steps charged with a length. */
  readonly perByte?: 'copy' | 'zero';
  readonly status: CostStatus;
  /**
   * Where the numbers come from: an operation and step of the instruction counts, a paper, a manual section. Or a `StepSources` says so.
   */
  readonly source?: string;
}

/**
 * Where the numbers of a package's steps come from, by their keys. A table beside the steps, and not in them, so that a page that shows no
 * sources need not carry the texts. Steps that are made of others have none of their own.
 */
export type StepSources<Steps> = Readonly<Partial<Record<keyof Steps, string>>>;

/** Steps that always come together, charged at once: breakdowns show the parts. */
export interface CompositeDefinition {
  /** Steps that are defined before: keys in the same table, ids of other packages' steps. */
  readonly parts: readonly (string | number)[];
}

/** A named unit of work to which cycles are booked. */
export interface Step extends StepDefinition {
  /** Index into cost tables and ledgers. */
  readonly id: number;
  /** Ids of the steps it is made of; its price is the sum of theirs. */
  readonly parts?: readonly number[];
  /** `owner:key`, for example `@rpal/ipc:skbAlloc`. */
  readonly name: string;
}

const registry: Step[] = [];
const byName = new Map<string, Step>();

/**
 * Declares the steps of a package, once, when its module loads. Returns their ids under their keys.
 * The order of ids follows the order of imports; nothing but array indices depends on it. Machines know the steps that were defined
 * when they were built: one that is charged a later step says so.
 * @throws HardwareError INVALID_STEP for a definition that means nothing, UNKNOWN_STEP for a part that is not a step, DUPLICATE_STEP
 */
export function defineSteps<K extends string>(
  owner: string,
  table: Readonly<Record<K, StepDefinition | CompositeDefinition>>,
): Readonly<Record<K, number>> {
  const steps = new Map<string, Step>();
  const ids = {} as Record<K, number>;
  for (const [key, definition] of Object.entries(table) as [K, StepDefinition | CompositeDefinition][]) {
    const name = `${owner}:${key}`;
    requireMeaning(name, definition);
    if (byName.has(name)) throw new HardwareError('DUPLICATE_STEP', `step "${name}" is defined twice`);
    const id = registry.length + steps.size;
    steps.set(key, { ...('parts' in definition ? compose(steps, definition) : definition), id, name });
    ids[key] = id;
  }
  // All steps of a table, or none.
  for (const step of steps.values()) {
    registry.push(step);
    byName.set(step.name, step);
  }
  // V8 keeps an object that was filled key by key as a hash table, which every `Step.x` of a hot path would search; not so its copy.
  return { ...ids };
}

/** Looks the parts of a composite step up. @param own the steps of its table so far, by key */
function compose(own: ReadonlyMap<string, Step>, { parts }: CompositeDefinition): Omit<Step, 'id' | 'name'> {
  const steps = parts.map((part) => {
    const step = typeof part === 'number' ? registry[part] : own.get(part);
    if (step === undefined || step.parts !== undefined) {
      throw new HardwareError(
        'UNKNOWN_STEP',
        `"${part}" is not a simple step defined before its use${didYouMean(String(part), own.keys())}`,
      );
    }
    return step;
  });
  return { cause: (steps[0] as Step).cause, source: 'sum of its parts', status: 'derived', parts: steps.map(({ id }) => id) };
}

const SIMPLE_KEYS = ['cause', 'mode', 'instructions', 'events', 'only', 'also', 'ns', 'perByte', 'source', 'status'];

/** Plain JavaScript may hand us anything. */
function requireMeaning(name: string, definition: StepDefinition | CompositeDefinition): void {
  const refuse = (field: string, given: unknown, known: readonly string[]): never => {
    const hint = didYouMean(String(given), known) || `; known are ${known.join(', ')}`;
    throw new HardwareError('INVALID_STEP', `step "${name}": ${field} "${String(given)}" is unknown${hint}`);
  };
  const oneOf = (field: string, given: unknown, known: readonly string[]): void => {
    if (!known.includes(given as string)) refuse(field, given, known);
  };
  const keys = 'parts' in definition ? ['parts'] : SIMPLE_KEYS;
  for (const key of Object.keys(definition)) oneOf('field', key, keys);
  if ('parts' in definition) {
    if (definition.parts.length === 0) throw new HardwareError('INVALID_STEP', `step "${name}": parts: there must be at least one`);
    return;
  }
  const { cause, mode, status, perByte, events, only, also = {}, source } = definition;
  oneOf('cause', cause, CAUSES);
  oneOf('status', status, COST_STATUSES);
  if (mode !== undefined) oneOf('mode', mode, ['kernel', 'user']);
  if (perByte !== undefined) oneOf('perByte', perByte, ['copy', 'zero']);
  if (source !== undefined) requireSource(name, source);
  for (const [event, count] of Object.entries(events ?? {})) {
    oneOf('event', event, PRIMITIVES);
    if (!Number.isFinite(count) || count < 0) {
      throw new HardwareError('INVALID_STEP', `step "${name}": events.${event}: ${count} is not a number of events, 0 or more`);
    }
  }
  for (const field of ['instructions', 'ns'] as const) requireRange(name, field, definition[field] ?? 0);
  for (const part of [only, ...Object.keys(also)]) if (part !== undefined) oneOf('part of the kernel', part, KERNEL_PARTS);
  for (const work of Object.values(also)) requireMeaning(name, { cause, status, ...work });
}

function requireSource(name: string, source: unknown): void {
  if (typeof source === 'string' && source !== '') return;
  throw new HardwareError('INVALID_STEP', `step "${name}": source must say where the numbers come from`);
}

function requireRange(name: string, field: string, range: Range): void {
  const [low, central, high] = spread(range);
  if (low >= 0 && low <= central && central <= high && Number.isFinite(high)) return;
  throw new HardwareError('INVALID_STEP', `step "${name}": ${field}: ${String(range)} is not a number, 0 or more, or [low, central, high]`);
}

/** All steps defined so far, by id. */
export function allSteps(): readonly Step[] {
  return registry;
}

/** A step that some package has defined, by its full name: `@rpal/mm:flushPage`. */
export function findStep(name: string): Step | undefined {
  return byName.get(name);
}

/** The three values of a range. */
export function spread(range: Range): readonly [number, number, number] {
  return typeof range === 'number' ? [range, range, range] : range;
}
