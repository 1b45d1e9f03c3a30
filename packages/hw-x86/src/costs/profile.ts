import { HardwareError } from '../errors.js';
import { fields, flag, inspect, list, number, oneOf, optional, positive, type Shape, text, values, whole } from './check.js';
import type { KernelConfiguration } from './kernel.js';
import { COST_STATUSES, type CostStatus, findStep, PRIMITIVES, type Primitive } from './step.js';

/** A figure with its uncertainty, origin and standing. `low <= central <= high`, none below 0. */
export interface Figure {
  low: number;
  central: number;
  high: number;
  /** Where it comes from. */
  source: string;
  status: CostStatus;
}

/** The price of a hardware event: in nanoseconds if it says so, else in core cycles. */
export interface PrimitiveCost extends Figure {
  unit?: 'ns';
}

export interface TlbGeometry {
  entries: number;
  ways: number;
}

export interface CacheGeometry {
  bytes: number;
  ways: number;
  /** Of a load that hits, core cycles. */
  latency: Figure;
}

/** The idle states that a profile may have; `guest` is a HLT that leaves to the hypervisor. */
export const IDLE_STATES = ['poll', 'C1', 'C1E', 'C6', 'guest'] as const;

export interface IdleStateProfile {
  name: (typeof IDLE_STATES)[number];
  /** MWAIT hint, EAX bits 7:4 and 3:0. Polling has none. */
  mwaitHint?: number;
  /** Worst-case exit latency in the kernel's table, ns. */
  exitLatency: number;
  /** Shortest stay that pays in the kernel's table, ns. */
  targetResidency: number;
  /** Time from the waking event to the first instruction, ns. */
  wake: Figure;
  /** What it takes longer, for whoever sends it, to interrupt a CPU in this state, ns: the write leaves to the hypervisor, which wakes a halted CPU. Default 0. */
  kick?: Figure;
}

/** A CPU as data: features, geometry, clocks, and the price of every hardware event, each with its source. */
export interface CpuProfile {
  /** Lower-case letters, digits and dashes. */
  name: string;
  title: string;
  vendor: 'intel' | 'amd';
  topology: {
    sockets: number;
    coresPerSocket: number;
    threadsPerCore: number;
    /** Cores that share one last-level cache: a socket on Intel, a core complex on AMD. */
    coresPerCache: number;
    /** Links on the way between each two sockets, as a square of whole numbers. Default: one link between any two. */
    hops?: number[][];
    /** Memory of each socket, GiB: a whole number of pages, so that small machines can be made quickly. */
    memoryPerSocket: number;
  };
  features: {
    pku: boolean;
    fsgsbase: boolean;
    pcid: boolean;
    invpcid: boolean;
    /** Indirect branches of the kernel are protected in hardware: `kernel.spectreV2` of `auto` does nothing. */
    eibrs: boolean;
    /** Not exposed to Meltdown: `kernel.pti` of `auto` isolates nothing. */
    meltdownSafe: boolean;
    mwait: boolean;
    gib1Pages: boolean;
    /** VMFUNC, leaf 0: a guest switches its EPT pointer by itself. */
    vmfunc: boolean;
    /** FRED delivers events in place of the IDT, and the kernel has entry code of its own for it. Priced alike. Default false. */
    fred?: boolean;
  };
  /** The kernel that runs on it. */
  kernel: KernelConfiguration;
  clock: {
    tscGHz: number;
    coreGHz: Figure;
    /** Clock of the local APIC's timer: the crystal on Intel, the reference clock on AMD. */
    apicMHz: number;
  };
  /** Cycles per instruction of warm code, without what is priced as a primitive. */
  cpi: { kernel: Figure; user: Figure };
  costs: Record<Primitive, PrimitiveCost>;
  /** Bytes that a warm copy or clear moves per core cycle. */
  bytesPerCycle: {
    copy: Figure;
    zero: Figure;
    /** The same where the data lie in the second-level cache. Without it, they take no longer than in the first. */
    fromL2?: { copy: Figure; zero: Figure };
  };
  tlb: {
    l1d4k: TlbGeometry;
    l1d2m: TlbGeometry;
    l1d1g: TlbGeometry;
    l1i4k: TlbGeometry;
    l1i2m: TlbGeometry;
    stlb: TlbGeometry;
    stlb1g: TlbGeometry & {
      /** 4 KiB pages may use these entries too: every other group of as many pages as `stlb` has sets. */
      with4k?: boolean;
    };
  };
  cache: { l1d: CacheGeometry; l2: CacheGeometry; l3: CacheGeometry };
  /** A load that misses all caches, ns. */
  memory: { local: Figure; remote: Figure };
  /** Moving a modified line from another core, one way, ns. */
  line: {
    sameCache: Figure;
    sameSocket: Figure;
    /** Over one link. */
    crossSocket: Figure;
    /** Over two links, over three, and so on: as many as the topology's `hops` need. */
    farther?: Figure[];
  };
  /** MAXPHYADDR, 36 .. 52: higher bits of an entry's address must be zero. */
  physicalAddressBits: number;
  pmu: {
    /** `intel`: architectural, with a global status register; `amd-v2`: PerfMonV2, likewise; `amd`: no status register. */
    model: 'intel' | 'amd' | 'amd-v2';
    /** General-purpose counters of a logical processor, 1 .. 16. */
    counters: number;
    /** From the overflow of a counter to the interrupt that it raises, ns. */
    delivery: Figure;
  };
  idle: IdleStateProfile[];
  /** Replaces the computed price of single steps, by name, in core cycles. */
  steps?: Record<string, Figure>;
}

const figureFields = {
  low: number(0),
  central: number(0),
  high: number(0),
  source: text(/^.{3}/s, 'a text of at least three characters'),
  status: oneOf(...COST_STATUSES),
};

/** Low, central and high come in this order. */
function ordered(shape: Shape): Shape {
  return { ...shape, also: ({ low, central, high }: Figure) => (low > central || central > high ? 'have low <= central <= high' : null) };
}

/** An amount of memory in GiB that ends on the border of a page. */
const wholePages: Shape = {
  ...positive,
  also: (gib: number) => (Number.isInteger(gib * 2 ** 18) ? null : 'be a whole number of 4 KiB pages, in GiB'),
};

const figure = ordered(fields<Figure>(figureFields));
const primitive = ordered(fields<PrimitiveCost>({ ...figureFields, unit: optional(oneOf('ns')) }));
const tlb = fields<TlbGeometry>({ entries: whole(1), ways: whole(1) });
const cache = fields<CacheGeometry>({ bytes: whole(1), ways: whole(1), latency: figure });

/** What a profile has to be. @public for schemas that are made of it */
export const profileShape: Shape = fields<CpuProfile>({
  name: text(/^[a-z0-9-]+$/, 'a name of lower-case letters, digits and dashes'),
  title: text(/^/, 'a text'),
  vendor: oneOf('intel', 'amd'),
  topology: fields<CpuProfile['topology']>({
    sockets: whole(1),
    coresPerSocket: whole(1),
    threadsPerCore: whole(1),
    coresPerCache: whole(1),
    hops: optional(list(list(whole(0)))),
    memoryPerSocket: wholePages,
  }),
  features: fields<CpuProfile['features']>({
    pku: flag,
    fsgsbase: flag,
    pcid: flag,
    invpcid: flag,
    eibrs: flag,
    meltdownSafe: flag,
    mwait: flag,
    gib1Pages: flag,
    vmfunc: flag,
    fred: optional(flag),
  }),
  kernel: fields<KernelConfiguration>({
    version: text(/^/, 'a text'),
    hz: oneOf(100, 250, 300, 1000),
    pressure: flag,
    security: oneOf('none', 'apparmor'),
    rseq: flag,
    pti: oneOf('auto', 'on', 'off'),
    spectreV2: oneOf('auto', 'retpoline', 'ibrs', 'off'),
    returnFill: flag,
    clearBuffers: flag,
    instructions: optional(values(number(0))),
  }),
  clock: fields<CpuProfile['clock']>({ tscGHz: positive, coreGHz: figure, apicMHz: positive }),
  cpi: fields<CpuProfile['cpi']>({ kernel: figure, user: figure }),
  costs: fields<CpuProfile['costs']>(Object.fromEntries(PRIMITIVES.map((name) => [name, primitive])) as Record<Primitive, Shape>),
  bytesPerCycle: fields<CpuProfile['bytesPerCycle']>({
    copy: figure,
    zero: figure,
    fromL2: optional(fields<NonNullable<CpuProfile['bytesPerCycle']['fromL2']>>({ copy: figure, zero: figure })),
  }),
  tlb: fields<CpuProfile['tlb']>({
    l1d4k: tlb,
    l1d2m: tlb,
    l1d1g: tlb,
    l1i4k: tlb,
    l1i2m: tlb,
    stlb: tlb,
    stlb1g: fields<CpuProfile['tlb']['stlb1g']>({ entries: whole(1), ways: whole(1), with4k: optional(flag) }),
  }),
  cache: fields<CpuProfile['cache']>({ l1d: cache, l2: cache, l3: cache }),
  memory: fields<CpuProfile['memory']>({ local: figure, remote: figure }),
  line: fields<CpuProfile['line']>({ sameCache: figure, sameSocket: figure, crossSocket: figure, farther: optional(list(figure)) }),
  physicalAddressBits: whole(36, 52),
  pmu: fields<CpuProfile['pmu']>({ model: oneOf('intel', 'amd', 'amd-v2'), counters: whole(1, 16), delivery: figure }),
  idle: list(
    fields<IdleStateProfile>({
      name: oneOf(...IDLE_STATES),
      mwaitHint: optional(whole(0)),
      exitLatency: number(0),
      targetResidency: number(0),
      wake: figure,
      kick: optional(figure),
    }),
  ),
  steps: optional(values(figure)),
});

/** Links between sockets that are no map of this machine, or that a line has no price for. */
function wrongHops({ topology: { sockets, hops }, line: { farther = [] } }: CpuProfile): string[] {
  if (hops === undefined) return [];
  const square = hops.length === sockets && hops.every((row) => row.length === sockets);
  const sound = square && hops.every((row, a) => row.every((links, b) => links === hops[b]?.[a] && (links === 0) === (a === b)));
  if (!sound) return [`topology.hops: must be ${sockets} rows of ${sockets} numbers, the same both ways, 0 from a socket to itself alone`];
  const priced = farther.length + 1;
  const most = Math.max(...hops.flat());
  return most > priced ? [`line.farther: must have ${most - 1} figures, as some sockets are ${most} links apart`] : [];
}

/**
 * Checks a profile, and gives it back.
 * @throws HardwareError INVALID_PROFILE listing every field that is missing, unknown or out of range;
 *   UNKNOWN_STEP if it prices a step that no loaded package defines
 */
export function parseProfile(input: unknown): CpuProfile {
  const wrong: string[] = [];
  inspect(profileShape, input, '', wrong);
  if (wrong.length === 0) wrong.push(...wrongHops(input as CpuProfile));
  if (wrong.length > 0) throw new HardwareError('INVALID_PROFILE', `the CPU profile is not valid: ${wrong.join('; ')}`);
  const { steps, kernel } = input as CpuProfile;
  for (const name of Object.keys({ ...steps, ...kernel.instructions })) {
    if (findStep(name) === undefined) {
      throw new HardwareError('UNKNOWN_STEP', `the CPU profile prices step "${name}", which no loaded package defines`);
    }
  }
  return input as CpuProfile;
}
