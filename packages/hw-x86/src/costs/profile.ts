import { z } from 'zod';
import { HardwareError } from '../errors.js';
import { findStep, PRIMITIVES, type Primitive } from './step.js';

const status = z.enum(['counted', 'measured', 'published', 'derived', 'recalled', 'estimated']);

const range = z
  .object({
    low: z.number().nonnegative(),
    central: z.number().nonnegative(),
    high: z.number().nonnegative(),
    source: z.string().min(3),
    status,
  })
  .strict()
  .refine(({ low, central, high }) => low <= central && central <= high, { message: 'must have low <= central <= high' });

/** A figure with its uncertainty, origin and standing. */
export type Figure = z.infer<typeof range>;

const primitive = z.union([range.safeExtend({ unit: z.literal('ns') }).strict(), range]);

const tlb = z.object({ entries: z.number().int().positive(), ways: z.number().int().positive() }).strict();

const stlb1g = tlb
  .extend({
    /** 4 KiB pages may use these entries too: every other group of as many pages as `stlb` has sets. */
    with4k: z.boolean().optional(),
  })
  .strict();

const cache = z.object({ bytes: z.number().int().positive(), ways: z.number().int().positive(), latency: range }).strict();

const idleState = z
  .object({
    name: z.enum(['poll', 'C1', 'C1E', 'C6']),
    /** MWAIT hint, EAX bits 7:4 and 3:0. Polling has none. */
    mwaitHint: z.number().int().nonnegative().optional(),
    /** What the kernel's table says: worst-case exit latency, ns. */
    exitLatency: z.number().nonnegative(),
    /** What the kernel's table says: shortest stay that pays, ns. */
    targetResidency: z.number().nonnegative(),
    /** Time from the waking event to the first instruction, ns. */
    wake: range,
  })
  .strict();

const schema = z
  .object({
    name: z.string().regex(/^[a-z0-9-]+$/, 'must consist of lower-case letters, digits and dashes'),
    title: z.string(),
    vendor: z.enum(['intel', 'amd']),
    topology: z
      .object({
        sockets: z.number().int().positive(),
        coresPerSocket: z.number().int().positive(),
        threadsPerCore: z.number().int().positive(),
        /** Cores that share one last-level cache: a socket on Intel, a core complex on AMD. */
        coresPerCache: z.number().int().positive(),
        /** Memory of each socket, GiB. */
        memoryPerSocket: z.number().int().positive(),
      })
      .strict(),
    features: z
      .object({
        pku: z.boolean(),
        fsgsbase: z.boolean(),
        pcid: z.boolean(),
        invpcid: z.boolean(),
        fsrm: z.boolean(),
        /** Branch-target injection is stopped in hardware, so the kernel uses no retpolines. */
        eibrs: z.boolean(),
        /** Not exposed to Meltdown: no page-table isolation. */
        meltdownSafe: z.boolean(),
        mwait: z.boolean(),
        gib1Pages: z.boolean(),
        /** VMFUNC, leaf 0: a guest switches its EPT pointer by itself. */
        vmfunc: z.boolean(),
        /** Events are delivered by FRED in place of the IDT: the kernel has entry code of its own for it. Priced alike. */
        fred: z.boolean().default(false),
      })
      .strict(),
    clock: z
      .object({
        tscGHz: z.number().positive(),
        coreGHz: range,
        /** Clock of the local APIC's timer: the crystal on Intel, the reference clock on AMD. */
        apicMHz: z.number().positive(),
      })
      .strict(),
    /** Cycles per instruction of warm code, everything priced as a primitive left out. */
    cpi: z.object({ kernel: range, user: range }).strict(),
    costs: z.object(Object.fromEntries(PRIMITIVES.map((name) => [name, primitive])) as Record<Primitive, typeof primitive>).strict(),
    /** Bytes that a warm copy or clear moves per core cycle. */
    bytesPerCycle: z.object({ copy: range, zero: range }).strict(),
    tlb: z.object({ l1d4k: tlb, l1d2m: tlb, l1d1g: tlb, l1i4k: tlb, l1i2m: tlb, stlb: tlb, stlb1g }).strict(),
    cache: z.object({ l1d: cache, l2: cache, l3: cache }).strict(),
    memory: z.object({ local: range, remote: range }).strict(),
    /** Moving a modified line from another core, one way, ns. */
    line: z.object({ sameCache: range, sameSocket: range, crossSocket: range }).strict(),
    /** MAXPHYADDR: higher bits of an entry's address must be zero. */
    physicalAddressBits: z.number().int().min(36).max(52),
    pmu: z
      .object({
        /** `intel`: architectural, with a global status register; `amd-v2`: PerfMonV2, likewise; `amd`: no status register. */
        model: z.enum(['intel', 'amd', 'amd-v2']),
        /** General-purpose counters of a logical processor. */
        counters: z.number().int().min(1).max(16),
        /** From the overflow of a counter to the interrupt that it raises, ns. */
        delivery: range,
      })
      .strict(),
    idle: z.array(idleState).min(1),
    /** Replaces the computed price of single steps, by name, in core cycles. */
    steps: z.record(z.string(), range).optional(),
  })
  .strict();

/** A CPU as data: features, geometry, clocks, and the price of every hardware event, each with its source. */
export type CpuProfile = z.infer<typeof schema>;

/** As `CpuProfile`, before validation. */
export type CpuProfileInput = z.input<typeof schema>;

/**
 * Checks a profile.
 * @throws HardwareError INVALID_PROFILE listing every field that is missing, unknown or out of range;
 *   UNKNOWN_STEP if it prices a step that no loaded package defines
 */
export function parseProfile(input: unknown): CpuProfile {
  const result = schema.safeParse(input);
  if (!result.success) {
    const issues = result.error.issues.map(({ path, message }) => `${path.join('.') || 'profile'}: ${message}`);
    throw new HardwareError('INVALID_PROFILE', `the CPU profile is not valid: ${issues.join('; ')}`);
  }
  for (const name of Object.keys(result.data.steps ?? {})) {
    if (findStep(name) === undefined) {
      throw new HardwareError('UNKNOWN_STEP', `the CPU profile prices step "${name}", which no loaded package defines`);
    }
  }
  return result.data;
}
