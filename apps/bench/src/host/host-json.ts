import { z } from 'zod';
import { envelopeOf } from '../report/envelope.js';

const spread = {
  median: z.number().describe('of all rounds'),
  low: z.number().describe('a quarter of the rounds are below'),
  high: z.number().describe('a quarter of the rounds are above'),
  samples: z.array(z.number()).describe('one of each round, in order; of a round trip, and of a wake-up or yield, the median of the round'),
};

const step = z.strictObject({
  name: z.string(),
  what: z.string(),
  unit: z.enum(['ns', 'count']),
  ...spread,
});

const composite = z.strictObject({
  mechanism: z.string().describe('a mechanism of `rpal-bench compare`'),
  placement: z.enum(['same-cpu', 'same-socket']).describe('one CPU, or two'),
  size: z.number().int().describe('bytes'),
  ...spread,
});

const kernelConfiguration = z.strictObject({
  hz: z.number().nullable().describe('ticks per second, of /proc/config.gz or /boot/config-*; null: neither can be read'),
  pressure: z.boolean().describe('/proc/pressure tells something'),
  security: z.array(z.string()).describe('/sys/kernel/security/lsm; without it, what a process may see of itself'),
  rseq: z.boolean().describe('the C library has registered restartable sequences'),
});

const computer = z.strictObject({
  cpu: z.string(),
  vendor: z.enum(['intel', 'amd', 'other']),
  kernel: z.string(),
  configuration: kernelConfiguration.optional().describe('what of the kernel the model prices; not in files of older versions'),
  compiler: z.string(),
  guest: z.boolean().describe('CPUID says that there is a hypervisor'),
  tscGHz: z.number(),
  cpus: z.tuple([z.number().int(), z.number().int().nullable()]).describe('those that were measured on; without a second one: null'),
  flags: z.array(z.string()).describe('of /proc/cpuinfo'),
  vulnerabilities: z.record(z.string(), z.string()).describe('what the kernel does against each'),
  caches: z.array(z.strictObject({ level: z.number().int(), type: z.string(), bytes: z.number().int(), ways: z.number().int() })),
  oneCache: z.boolean().nullable().describe('the two CPUs share a last-level cache; null: not known'),
});

/** What `host --json` writes. Figures are nanoseconds, of one operation or of one round trip. */
export const hostJson = envelopeOf(
  'host',
  1,
  z.strictObject({ rounds: z.number().int() }),
  z.strictObject({
    computer,
    load: z.strictObject({
      before: z.number().describe('processes that wanted to run, on the average of a minute'),
      after: z.number(),
      stolen: z.number().describe('share of the time of all CPUs that a hypervisor gave to others'),
    }),
    steps: z.array(step).describe('single steps: what `calibrate` takes'),
    composites: z.array(composite).describe('round trips: what `validate` compares; `calibrate` does not look at them'),
    absent: z.array(z.strictObject({ name: z.string(), why: z.string() })).describe('what this computer does not do'),
    doubts: z.array(z.string()).describe('why figures may not be trusted'),
  }),
);

/** A whole file. */
export type HostFile = z.infer<typeof hostJson>;
/** What was measured. */
export type HostReport = HostFile['data'];
export type HostStep = z.infer<typeof step>;
export type Composite = z.infer<typeof composite>;
export type HostComputer = z.infer<typeof computer>;
