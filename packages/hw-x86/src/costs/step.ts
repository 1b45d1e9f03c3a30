import { HardwareError } from '../errors.js';

/** Where a figure comes from. A report shows it beside every total the figure takes part in. */
export type CostStatus = 'counted' | 'measured' | 'published' | 'derived' | 'recalled' | 'estimated';

/** A figure with its uncertainty. One number stands for three equal ones. */
export type Range = number | readonly [low: number, central: number, high: number];

/** Why cycles were spent: the coarse columns of a breakdown. */
export type Cause =
  | 'entry'
  | 'socket'
  | 'epoll'
  | 'copy'
  | 'wake-up'
  | 'switch'
  | 'idle'
  | 'tlb'
  | 'coherence'
  | 'interrupt'
  | 'fault'
  | 'memory'
  | 'process'
  | 'user'
  | 'library'
  | 'lazy switch'
  | 'wait';

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
  'mispredict',
  'stackSwitch',
  'stlbHit',
  'walkLevel',
  'ipiSend',
  'ipiDelivery',
  'monitorWake',
  'mwait',
  'nmi',
  'vmcall',
  'vmfunc',
] as const;

/** A price that every profile gives, in core cycles or nanoseconds: steps are made of these. */
export type Primitive = (typeof PRIMITIVES)[number];

/** What a step consists of. Its price on a profile is computed, never given. */
export interface StepDefinition {
  readonly cause: Cause;
  /** Where the instructions run: they are priced with the profile's kernel or user cycles per instruction. */
  readonly mode?: 'kernel' | 'user';
  /** Instructions executed, without the events below. */
  readonly instructions?: Range;
  /** Hardware events within the step. */
  readonly events?: Partial<Readonly<Record<Primitive, number>>>;
  /** Time that does not scale with the core clock, in nanoseconds. */
  readonly ns?: Range;
  /** What each byte costs in addition, for steps charged with a length. */
  readonly perByte?: 'copy' | 'zero';
  /** Where the numbers come from: an operation and step of the instruction counts, a paper, a manual section. */
  readonly source: string;
  readonly status: CostStatus;
}

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
 * The order of ids follows the order of imports; nothing but array indices depends on it.
 */
export function defineSteps<K extends string>(
  owner: string,
  table: Readonly<Record<K, StepDefinition | CompositeDefinition>>,
): Readonly<Record<K, number>> {
  const ids = {} as Record<K, number>;
  for (const [key, definition] of Object.entries(table) as [K, StepDefinition | CompositeDefinition][]) {
    const name = `${owner}:${key}`;
    if (byName.has(name)) throw new HardwareError('DUPLICATE_STEP', `step "${name}" is defined twice`);
    const step: Step = { ...('parts' in definition ? compose(owner, definition) : definition), id: registry.length, name };
    registry.push(step);
    byName.set(name, step);
    ids[key] = step.id;
  }
  return fast(ids);
}

/** Looks the parts of a composite step up. */
function compose(owner: string, { parts }: CompositeDefinition): Omit<Step, 'id' | 'name'> {
  const steps = parts.map((part) => {
    const step = typeof part === 'number' ? registry[part] : byName.get(`${owner}:${part}`);
    if (step === undefined || step.parts !== undefined)
      throw new HardwareError('UNKNOWN_STEP', `"${part}" is no simple step defined before its use`);
    return step;
  });
  return { cause: (steps[0] as Step).cause, source: 'sum of its parts', status: 'derived', parts: steps.map(({ id }) => id) };
}

/**
 * An object filled key by key is a hash table to V8, and every `Step.x` in a hot path would look it up. Serving as a
 * prototype makes V8 lay it out like an object literal.
 */
function fast<T extends object>(object: T): T {
  return Object.create(object) as T;
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
