import { percent, whole } from '../report/numbers.js';
import { textTable } from '../report/text-table.js';
import { COST_WORKLOADS, type CompareSettings, type CostRow, type CostWorkload, type Left, type Row } from './comparison.js';
import { sizeText } from './sizes.js';

/** What a comparison found. */
export interface Comparison {
  readonly rows: readonly Row[];
  /** Of the workload `cost`, which has no rows. */
  readonly costs: readonly CostRow[];
  /** What could not be compared, and why. */
  readonly left: readonly Left[];
  readonly complete: boolean;
}

/** The figure that rows are compared by: TSC cycles one way, or between two messages. */
export function figureOf({ oneWay, interval }: Row): number {
  return oneWay ?? interval ?? Number.NaN;
}

const WAYS = { 'ping-pong': 'one way', stream: 'between two', batch: 'between two', request: 'one way', 'fan-in': 'a request' } as const;

const READING = `\
TSC cycles and counts per message. One way: from the moment at which the client
begins to send to the one at which the server has the message. Trip: until the
client has the answer. CPU: what the CPUs of both sides were awake for, over all
messages both ways; who polls is never idle. Entries: system calls. Lines: cache
lines that came from another core. Every cycle of the way is booked, and the
messages' bytes are compared.
What others measured, beside the model: npx rpal-bench predict`;

const READING_FAN_IN = `\
TSC cycles per request that the server answers, whoever sent it, with as many at
a time as there are clients. Trip: what a client waits for its answer. The other
columns are per message, requests and answers alike, over the CPUs of all
clients and of the server.`;

const READING_COST = `\
Each message takes some work. In a stream and in batches half of it is before it
is sent, half after it has come: two CPUs do the halves at the same time and pay
for the mechanism, one thread does both and passes the message by a function
call. Of several clients each works on a core of its own before it sends, and
one server answers them all. The configuration is that from which on several
cores are faster than the thread (COST: McSherry, Isard and Murray, HotOS 2015);
- where they never are.`;

/** The comparison for people, within 80 columns. */
export function renderComparison(settings: CompareSettings, { rows, costs, left, complete }: Comparison): string {
  const { profile, placement, idle, workload, messages, sizes } = settings;
  const parts = [
    `${profile.title}`,
    `${detail(settings)}, ${placement}, idle in ${idle}, ${whole(messages)} messages a row${complete ? '' : ' (PARTIAL RESULT, interrupted)'}`,
    '',
  ];
  if (workload === 'cost') parts.push(...COST_WORKLOADS.flatMap((part) => costTable(part, settings, costs)));
  else parts.push(...ways(WAYS[workload], rows, sizes));
  if (left.length > 0) parts.push('Left out', '', ...reasons(left), '');
  return `${parts.join('\n')}\n${workload === 'cost' ? READING_COST : workload === 'fan-in' ? READING_FAN_IN : READING}\n`;
}

/** The workload, with what makes it another one. */
function detail({ workload, depth, clients }: CompareSettings): string {
  if (workload === 'batch') return `batches of ${depth}`;
  return workload === 'fan-in' ? `${clients} clients of one server` : workload;
}

/** Tables of one size, with the causes of a way where they are known, or of several. */
function ways(way: string, rows: readonly Row[], sizes: readonly number[]): string[] {
  if (sizes.length !== 1) return [`TSC cycles ${way}, by size of the message`, '', bySize(rows, sizes), ''];
  const size = sizes[0] as number;
  const own = rows.filter((row) => row.size === size).sort((a, b) => figureOf(a) - figureOf(b));
  const shown = [`Messages of ${sizeText(size)}`, '', oneSize(own, way), ''];
  return own.some(({ causes }) => causes.length > 0) ? [...shown, 'Where the way there goes', '', causes(own), ''] : shown;
}

function oneSize(rows: readonly Row[], way: string): string {
  const head = ['mechanism', way, 'trip', 'CPU', 'copies', 'entries', 'switches', 'IPIs', 'lines'];
  const cells = rows.map((row) => [
    row.mechanism,
    whole(Math.round(figureOf(row))),
    row.roundTrip === null ? '-' : whole(Math.round(row.roundTrip)),
    whole(Math.round(row.busy)),
    String(row.copies),
    row.counts.kernelEntries.toFixed(1),
    row.counts.contextSwitches.toFixed(1),
    row.counts.ipis.toFixed(1),
    row.counts.linesMoved.toFixed(1),
  ]);
  return textTable(head, cells);
}

function causes(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.mechanism,
    row.causes
      .slice(0, 4)
      .map(({ cause, cycles }) => `${cause} ${percent(cycles / figureOf(row))}`)
      .join(', '),
  ]);
  return textTable(['mechanism', 'most of it is'], cells, [0, 1]);
}

function bySize(rows: readonly Row[], sizes: readonly number[]): string {
  const names = [...new Set(rows.map(({ mechanism }) => mechanism))];
  const at = (name: string, size: number): Row | undefined => rows.find((row) => row.mechanism === name && row.size === size);
  const cells = names.map((name) => [
    name,
    ...sizes.map((size) => {
      const row = at(name, size);
      return row === undefined ? '-' : whole(Math.round(figureOf(row)));
    }),
  ]);
  const best = sizes.map((size) => {
    const own = rows.filter((row) => row.size === size).sort((a, b) => figureOf(a) - figureOf(b));
    return own[0]?.mechanism ?? '-';
  });
  return textTable(['mechanism', ...sizes.map(sizeText)], [...cells, ['fastest', ...best]]);
}

/** Which configuration beats one thread, by mechanism and size. */
function costTable(workload: CostWorkload, { depth, handlerCycles, sizes }: CompareSettings, all: readonly CostRow[]): string[] {
  const costs = all.filter((row) => row.workload === workload);
  if (costs.length === 0) return [];
  const heading = {
    stream: 'Stream: work per message from which on 2 cores beat one thread, TSC cycles',
    batch: `Batches of ${depth}: work per message from which on 2 cores do, TSC cycles`,
    'fan-in': `Several clients with ${whole(handlerCycles)} cycles of work per request: cores that do`,
  }[workload];
  return [heading, '', costsBySize(costs, sizes), ''];
}

/** The least first: work, or cores of several clients. */
function costsBySize(costs: readonly CostRow[], sizes: readonly number[]): string {
  const names = [...new Set(costs.map(({ mechanism }) => mechanism))];
  const figure = ({ workload, cores, work }: CostRow): number | null => (workload === 'fan-in' ? cores : work);
  const at = (name: string, size: number): number => {
    const row = costs.find((one) => one.mechanism === name && one.size === size);
    return (row === undefined ? null : figure(row)) ?? Number.POSITIVE_INFINITY;
  };
  const least = sizes[0] as number;
  const cells = names
    .sort((a, b) => at(a, least) - at(b, least))
    .map((name) => [name, ...sizes.map((size) => (Number.isFinite(at(name, size)) ? whole(at(name, size)) : '-'))]);
  return textTable(['mechanism', ...sizes.map(sizeText)], cells);
}

/** One line per mechanism and reason. */
function reasons(left: readonly Left[]): string[] {
  const lines = new Map<string, number[]>();
  for (const { mechanism, size, why } of left) {
    const key = `${mechanism}: ${why}`;
    lines.set(key, [...(lines.get(key) ?? []), size]);
  }
  return [...lines].map(([line, sizes]) => `  ${line} (${sizes.map(sizeText).join(', ')})`);
}
