import type { Cause, CostStatus, Ledger } from '@rpal/hw-x86';
import { z } from 'zod';
import { PUBLISHED_CONDITIONS, publishedRuns } from '../published.js';
import { coreGHzOf, cpusFor, type PhaseResult, type RfcBenchmark } from '../rfc-benchmark.js';
import type { Condition } from '../rfc-conditions.js';
import type { Range } from '../rfc-range.js';
import type { RfcSettings } from '../rfc-settings.js';
import { envelopeOf } from './envelope.js';
import { groundsOf } from './grounds.js';

const cycles = z.number().describe('TSC cycles');
const count = z.number().int().nonnegative();
const status = z.enum(['counted', 'measured', 'published', 'derived', 'recalled', 'estimated']) satisfies z.ZodType<CostStatus>;
const phase = z.enum(['epoll', 'rpal']);
const level = z.enum(['low', 'central', 'high']);

const ground = z
  .strictObject({
    what: z.string().describe('what is priced: instructions, a hardware event, a time'),
    cycles,
    amount: status.describe('how it is known how much of it there is'),
    price: status.describe('how it is known what one of it costs'),
    source: z.string(),
  })
  .describe('one of the things that the price of a step consists of');

const step = z.strictObject({
  step: z.string().describe('package and name'),
  package: z.string(),
  cause: z.string() as unknown as z.ZodType<Cause>,
  count: count.describe('executions at the fixed price; 0 for a step whose cycles are computed'),
  cycles: cycles.describe('all messages together; the steps add up to the total exactly'),
  grounds: z.array(ground),
});

const breakdown = z.strictObject({ totalCycles: cycles, steps: z.array(step) });

const tally = z.strictObject({ count, cycles });

const end = z.strictObject({ averageCycles: cycles, coreGHz: z.number().positive() });

const phaseReport = z.strictObject({
  phase,
  messages: count.describe('messages that were received and echoed'),
  totalCycles: cycles.describe('sum over all messages of server stamp minus client stamp'),
  averageCycles: cycles,
  unbalanced: count.describe('messages whose steps did not add up to the two stamps; the run fails unless it is 0'),
  range: z
    .strictObject({ messages: count, low: end, high: end })
    .nullable()
    .describe('averages with all step costs at their low and at their high value; null if the run ended before they were known'),
  forward: breakdown.describe("from the client's stamp to the server's: the RFC's figure"),
  back: breakdown.describe("from the server's stamp to the client having its echo: what the RFC's figure leaves out"),
  lazySwitches: z.strictObject({
    toReceiver: tally.describe("the kernel takes up the server, whose code the client's thread executes"),
    toSender: tally.describe('the kernel goes back to the client'),
  }),
});

const placement = z.enum(['same-cpu', 'same-socket', 'cross-socket']);

const condition = z
  .strictObject({
    placement,
    idle: z.string().describe('idle state; makes no difference on one CPU'),
    phases: z.array(z.strictObject({ phase, messages: count, oneWay: cycles, roundTrip: cycles })).describe('averages per message'),
  })
  .describe('the benchmark where the processes may have run, and as their CPUs may have idled');

const settings = z.strictObject({
  messages: count,
  size: count.describe('bytes per message'),
  phases: z.array(phase),
  profile: z.string(),
  placement,
  idle: z.string().describe('idle state that idle CPUs go to'),
  costs: level,
  synchronousWakeUps: z.boolean(),
  seed: z.number().int(),
  build: z.enum(['O0', 'O2']).describe("how RPAL's library was compiled"),
  plugins: z.array(z.string()).describe('all plugins of the machine, in set-up order'),
});

const data = z.strictObject({
  fingerprint: z.string().describe('hash of the final state of the machine: equal for equal settings on every computer'),
  machine: z.strictObject({
    title: z.string(),
    tscGHz: z.number(),
    coreGHz: z.number(),
    clientCpu: count,
    serverCpu: count,
  }),
  published: z.array(
    z.strictObject({
      source: z.string(),
      comparable: z.boolean().describe('whether size and profile are those of the published run'),
      epoll: cycles,
      rpal: cycles,
    }),
  ),
  conditions: z.array(condition).describe('each that there is on the profile, all else as in the settings; empty if the run ended before'),
  phases: z.array(phaseReport),
});

/** What `rfc --json` writes. */
export const rfcJson = envelopeOf('rfc', 3, settings, data);

/** The result of a run of the benchmark. */
export interface RfcReport extends z.infer<typeof data> {
  /** False: interrupted; what is here is a partial result. */
  readonly complete: boolean;
  readonly settings: z.infer<typeof settings>;
}

export type PhaseReport = z.infer<typeof phaseReport>;
export type Breakdown = z.infer<typeof breakdown>;
export type StepReport = z.infer<typeof step>;

/** What is run beside the benchmark; undefined what did not take place. */
interface Beside {
  /** At the low and the high end of the step costs. */
  readonly range: Range | undefined;
  readonly conditions: readonly Condition[] | undefined;
}

/** Puts the report of a run together. */
export function reportOf(asked: RfcSettings, benchmark: RfcBenchmark, { range, conditions }: Beside): RfcReport {
  const { machine } = benchmark;
  const { costs } = machine.platform;
  const result = benchmark.result();
  const [clientCpu, serverCpu] = cpusFor(asked.profile, asked.placement);
  const comparable = asked.size === PUBLISHED_CONDITIONS.size && asked.profile.name === PUBLISHED_CONDITIONS.profile;
  return {
    complete: range !== undefined && conditions !== undefined,
    fingerprint: result.fingerprint,
    settings: {
      messages: asked.messages,
      size: asked.size,
      phases: [...asked.phases],
      profile: asked.profile.name,
      placement: asked.placement,
      idle: asked.idle,
      costs: asked.costs,
      synchronousWakeUps: asked.synchronousWakeUps,
      seed: asked.seed,
      build: asked.build,
      plugins: [...machine.plugins],
    },
    machine: { title: asked.profile.title, tscGHz: asked.profile.clock.tscGHz, coreGHz: coreGHzOf(benchmark), clientCpu, serverCpu },
    published: publishedRuns.map(({ source, cycles: { epoll, rpal } }) => ({ source, comparable, epoll, rpal })),
    conditions: (conditions ?? []).map(({ phases, ...place }) => ({ ...place, phases: [...phases] })),
    phases: result.phases.map((measured) => ({
      phase: measured.phase,
      messages: measured.messages,
      totalCycles: measured.totalCycles,
      averageCycles: measured.totalCycles / measured.messages,
      unbalanced: measured.unbalanced,
      range: rangeOf(measured, range),
      forward: breakdownOf(measured.forward),
      back: breakdownOf(measured.back),
      lazySwitches: { toReceiver: { ...measured.toReceiver }, toSender: { ...measured.toSender } },
    })),
  };

  function breakdownOf(ledger: Ledger): Breakdown {
    const steps = ledger.entries.map((entry): StepReport => {
      const { name, cause } = entry.step;
      const grounds = groundsOf(entry, costs, asked.idle).map((part) => ({ ...part }));
      return { step: name, package: name.slice(0, name.lastIndexOf(':')), cause, count: entry.count, cycles: entry.cycles, grounds };
    });
    return { totalCycles: ledger.total, steps };
  }
}

function rangeOf({ phase: wanted }: PhaseResult, range: Range | undefined): PhaseReport['range'] {
  if (range === undefined) return null;
  const [low, high] = [range.low, range.high].map(({ phases }) => phases.find(({ phase }) => phase === wanted));
  if (low === undefined || high === undefined) return null;
  return {
    messages: low.messages,
    low: { averageCycles: low.totalCycles / low.messages, coreGHz: range.low.coreGHz },
    high: { averageCycles: high.totalCycles / high.messages, coreGHz: range.high.coreGHz },
  };
}
