import { setImmediate as breathe } from 'node:timers/promises';
import { memoryBandwidthOf, mpiPingPong, mpiRing, transports } from '@rpal/compare';
import type { CostLevel } from '@rpal/hw-x86';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { sizeFrom, sizeText } from '../compare/sizes.js';
import type { Io } from '../io.js';
import { JSON_HELP, JsonOutput } from '../json-output.js';
import { costsOption, option, profileOption } from '../machine-options.js';
import { tellWritten } from '../output-file.js';
import { profileWord } from '../profile-file.js';
import { Progress } from '../progress.js';
import { commandLine, envelope, envelopeOf } from '../report/envelope.js';
import { percent } from '../report/numbers.js';
import { textTable } from '../report/text-table.js';
import type { RfcSettings } from '../rfc-settings.js';
import { ExitCode, oneOf, UsageError, wholeNumber } from '../usage.js';

const WORKLOADS = { ring: mpiRing, 'ping-pong': mpiPingPong } as const;
type WorkloadName = keyof typeof WORKLOADS;

interface Flags {
  readonly workload: WorkloadName;
  readonly ranks: readonly number[];
  readonly size: number;
  readonly rounds: number;
  readonly bandwidth?: number;
  readonly profile: RfcSettings['profile'];
  readonly costs: CostLevel;
  readonly json?: string;
}

/** One number of ranks, with each way of bringing a message over, in the order of `transports`. */
const row = z.strictObject({
  ranks: z.number().int(),
  fromMemory: z.boolean().describe('the messages of all ranks do not fit into the caches'),
  ways: z.array(
    z.strictObject({
      transport: z.string(),
      bandwidth: z.number().describe('GB/s that a rank sends'),
      waited: z.number().describe("share of the ranks' time in which they waited for memory"),
      fingerprint: z.string().describe('hash of the final state of the machine'),
    }),
  ),
});
type MpiRow = z.infer<typeof row>;

/** What `mpi --json` writes. */
export const mpiJson = envelopeOf(
  'mpi',
  1,
  z.strictObject({
    workload: z.enum(['ring', 'ping-pong']),
    ranks: z.array(z.number().int()),
    size: z.number().int().describe('bytes'),
    rounds: z.number().int(),
    bandwidth: z.number().nullable().describe("GB/s of a socket's memory; null: what is known of the profile's"),
    profile: z.string(),
    costs: z.enum(['low', 'central', 'high']),
  }),
  z.strictObject({ rows: z.array(row) }),
);

/** `rpal-bench mpi`: a parallel program's messages, copied twice or once. @param done receives the exit code */
export function mpiCommand(io: Io, done: (code: number) => void): Command {
  return new Command('mpi')
    .description(
      'Messages of a parallel program on one machine, copied through shared memory or by cross-memory attach, until memory has no more to give.',
    )
    .addOption(
      option(
        '--workload <name>',
        'ring: each rank sends to the next, all at once; ping-pong: ranks in pairs, all pairs at once',
        oneOf('--workload', Object.keys(WORKLOADS) as WorkloadName[]),
      ).default('ring', 'ring'),
    )
    .addOption(
      option('--ranks <list>', 'processes, one to a core, with commas between', ranksFrom).default([2, 4, 8, 16, 32], '2,4,8,16,32'),
    )
    .addOption(
      option('--size <bytes>', 'of a message, such as 64k or 2m', (text) => sizeFrom('--size', text, 64 << 20)).default(2 << 20, '2m'),
    )
    .addOption(option('--rounds <n>', 'messages of each rank', wholeNumber('--rounds', 1, 100_000, 'messages')).default(3))
    .addOption(
      option('--bandwidth <n>', "GB/s of a socket's memory, if not that of the profile", wholeNumber('--bandwidth', 1, 10_000, 'GB/s')),
    )
    .addOption(profileOption())
    .addOption(costsOption())
    .addOption(new Option('--json <file>', JSON_HELP))
    .action(async (flags: Flags) => done(await mpi(flags, io)));
}

/** Parses `--ranks`. */
function ranksFrom(text: string): readonly number[] {
  const one = wholeNumber('--ranks', 2, 1024, 'processes');
  return [...new Set(text.split(',').map(one))].sort((a, b) => a - b);
}

async function mpi(flags: Flags, io: Io): Promise<number> {
  const { workload, ranks: counts, size, rounds, bandwidth, profile, costs } = flags;
  const { sockets, coresPerSocket } = profile.topology;
  const odd = counts.find((count) => count % 2 !== 0);
  if (workload === 'ping-pong' && odd !== undefined) throw new UsageError(`--ranks: a ping-pong is between two; ${odd} is odd`);
  const many = counts.find((count) => count > sockets * coresPerSocket);
  if (many !== undefined)
    throw new UsageError(`--ranks: ${profile.name} has ${sockets * coresPerSocket} cores, and each rank takes one; not ${many}`);
  const memory = memoryBandwidthOf(profile, bandwidth);
  const json = new JsonOutput(flags.json, io);
  const rows: MpiRow[] = [];
  const progress = new Progress(io);
  try {
    const all = counts.reduce((sum, count) => sum + count, 0);
    let through = 0;
    for (const ranks of counts) {
      const ways: MpiRow['ways'] = [];
      let fromMemory = false;
      for (const [index, transport] of transports.entries()) {
        // The work grows with the ranks.
        progress.show(`${ranks} ranks, ${transport.name}`, through + (ranks * index) / transports.length, all);
        await breathe();
        if (progress.interrupted) break;
        const given = bandwidth === undefined ? {} : { bandwidth };
        const result = WORKLOADS[workload]({ machine: { profile, costs }, transport, ranks, size, rounds, ...given });
        ({ fromMemory } = result);
        ways.push({ transport: transport.name, bandwidth: result.bandwidth, waited: result.waited, fingerprint: result.fingerprint });
      }
      if (progress.interrupted) break;
      rows.push({ ranks, fromMemory, ways });
      through += ranks;
    }
  } finally {
    progress.end();
  }
  const complete = rows.length === counts.length;
  const settings = { workload, ranks: counts, size, rounds, bandwidth: bandwidth ?? null, profile: profile.name, costs };
  const words = { ...settings, ranks: counts.join(','), profile: profileWord(profile) };
  const command = commandLine([
    'mpi',
    ...Object.entries(words).flatMap(([key, value]) => (value === null ? [] : [`--${key}`, String(value)])),
  ]);
  json.write(envelope({ schema: 'rpal-bench/mpi', version: 1, complete, settings, command }, { rows }));
  if (json.textWanted) {
    const text = [
      profile.title,
      `${workload}, messages of ${sizeText(size)}, ${rounds} of each rank${complete ? '' : ' (PARTIAL RESULT, interrupted)'}`,
      '',
      table(rows),
      '',
      ...transports.map(({ name, title }) => `${name}: ${title}.`),
      'Gain: GB/s of a rank by attach over those by eager. Wait: share of the time in',
      'which ranks waited for memory.',
      `Memory moves ${memory.socket.central.toFixed(0)} GB/s per socket (${memory.socket.source}) and ${memory.core.central.toFixed(1)} GB/s per core (${memory.core.source}), where the messages of all ranks do not fit into the last-level cache. A copy reads each byte there and writes it; rings stay in the cache.`,
      '',
    ];
    io.stdout.write(text.join('\n'));
  }
  tellWritten(io, `${rows.length} rows`, json);
  return complete ? ExitCode.OK : ExitCode.INTERRUPTED;
}

function table(rows: readonly MpiRow[]): string {
  const head = ['ranks', ...transports.flatMap(({ name }) => [`${name} GB/s`, 'wait']), 'gain', 'messages come from'];
  const cells = rows.map(({ ranks, fromMemory, ways }) => [
    String(ranks),
    ...ways.flatMap(({ bandwidth, waited }) => [bandwidth.toFixed(2), percent(waited)]),
    ((ways[1]?.bandwidth as number) / (ways[0]?.bandwidth as number)).toFixed(2),
    fromMemory ? 'memory' : 'the cache',
  ]);
  return textTable(head, cells, [head.length - 1]);
}
