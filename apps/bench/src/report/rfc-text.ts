import type { createColors } from 'picocolors';
import { percent, tenths, tenthsThatAddUp, whole } from './numbers.js';
import { containedIn, countedShare, oneCpuNote } from './reading.js';
import type { Breakdown, PhaseReport, RfcReport } from './rfc-report.js';
import { bar, textTable } from './text-table.js';

export interface TextOptions {
  /** Steps of each phase to list. */
  readonly steps: number;
  readonly colors: ReturnType<typeof createColors>;
}

const NAMES = { epoll: 'EPOLL', rpal: 'RPAL' } as const;
const BAR_WIDTH = 10;

/** The lines that the RFC's sample prints, as it prints them: programs read them. */
export function rfcLines(report: RfcReport, { colors: { yellow } }: TextOptions): string {
  const note = report.complete ? [] : [yellow(partialNote(report)), ''];
  return [...note, ...report.phases.map((phase) => rfcLine(phase, report)), ''].join('\n');
}

/** The rest of the report of `rpal-bench rfc`, for people. */
export function renderRfc(report: RfcReport, options: TextOptions): string {
  const { bold } = options.colors;
  const sections: string[] = [];
  if (report.conditions.length > 0) {
    sections.push(`${bold('TSC cycles per message, by what the RFC leaves open')}\n${places(report)}`);
  }
  if (report.phases.length > 0) {
    sections.push(`${bold('Average latency in TSC cycles, published and here')}\n${comparison(report)}`);
  }
  sections.push(`${bold('Conditions')}\n${conditions(report)}`);
  if (report.phases.length > 0) {
    sections.push(`${bold('Where the cycles of one average message went')}\n${causes(report)}`);
    for (const phase of report.phases) {
      sections.push(`${bold(`${NAMES[phase.phase]}, step by step`)}\n${stepTable(phase, options.steps)}`);
    }
    sections.push(`${bold('How these cycles are known')}\n${grounds(report)}`);
    sections.push(`${bold('Contained in these figures')}\n${contained(report)}`);
    sections.push(`${bold("What the RFC's figure leaves out: the way back")}\n${roundTrip(report)}`);
  }
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function partialNote({ phases, settings }: RfcReport): string {
  const done = phases.map(({ phase, messages }) => `${whole(messages)} of ${whole(settings.messages)} messages in the ${phase} phase`);
  return `PARTIAL RESULT, interrupted: ${done.length === 0 ? 'no message was received' : done.join(', ')}.`;
}

function rfcLine({ phase, messages, totalCycles }: PhaseReport, { settings }: RfcReport): string {
  const average = Math.trunc(totalCycles / messages);
  return `${NAMES[phase]}: Message length: ${settings.size} bytes, Total TSC cycles: ${totalCycles}, Message count: ${messages}, Average latency: ${average} cycles`;
}

/** Headings of a table that has a figure of each phase, and the ratio of two. */
function headings(phases: readonly PhaseReport[]): string[] {
  return [...phases.map(({ phase }) => NAMES[phase]), ...(phases.length === 2 ? ['ratio'] : [])];
}

function figures(values: readonly number[], shown: (value: number) => string = whole): string[] {
  const [epoll, rpal] = values;
  return [...values.map(shown), ...(epoll === undefined || rpal === undefined ? [] : [`${(epoll / rpal).toFixed(1)} x`])];
}

/** One way and there and back, by where the processes run and how their CPUs idle. */
function places({ conditions: rows, settings, phases }: RfcReport): string {
  const cells = rows.map(({ placement, idle, phases: measured }) => {
    const alone = placement === 'same-cpu';
    const here = placement === settings.placement && (alone || idle === settings.idle);
    return [
      `${placement}${here ? ' *' : ''}`,
      alone ? '-' : idle,
      ...figures(measured.map(({ oneWay }) => oneWay)),
      ...figures(measured.map(({ roundTrip }) => roundTrip)),
    ];
  });
  const names = headings(phases);
  const table = textTable(['', 'idle', ...names, ...names.map((name, index) => (index === 0 ? `trip: ${name}` : name))], cells, [0, 1]);
  const messages = rows[0]?.phases[0]?.messages ?? 0;
  return `${table}\n  * the conditions of this run; ${whole(messages)} messages each. Trip: there and back.`;
}

function comparison(report: RfcReport): string {
  const { phases, published, settings } = report;
  const rows = published.map((run) => [run.source + (run.comparable ? '' : ' *'), ...figures(phases.map(({ phase }) => run[phase]))]);
  rows.push([`this run, ${settings.costs} step costs`, ...figures(phases.map(({ averageCycles }) => averageCycles))]);
  for (const end of ['low', 'high'] as const) {
    const values = phases.flatMap(({ range }) => (range === null ? [] : [range[end].averageCycles]));
    if (values.length < phases.length) continue;
    const { messages } = phases[0]?.range ?? { messages: 0 };
    const label = `all step costs ${end} (${whole(messages)} messages)`;
    rows.push([label, ...figures(values)]);
  }
  const table = textTable(['', ...headings(phases)], rows);
  const notes = phases.flatMap((phase) => rangeNote(phase, report));
  if (published.some(({ comparable }) => !comparable)) {
    notes.push('* published for messages of 32 bytes on xeon-platinum-8336c: not comparable with this run.');
  }
  return [table, ...notes.map((note) => `  ${note}`)].join('\n');
}

/** Whether the published figures lie in the range. */
function rangeNote({ phase, range }: PhaseReport, { published }: RfcReport): string[] {
  const comparable = published.filter((run) => run.comparable);
  if (range === null || comparable.length === 0) return [];
  const { low, high } = range;
  const inside = comparable.filter((run) => low.averageCycles <= run[phase] && run[phase] <= high.averageCycles);
  const outside = comparable.filter((run) => !inside.includes(run)).map((run) => whole(run[phase]));
  const verdict =
    outside.length === 0 ? 'holds all published figures' : `does not hold ${outside.join(' and ')}, so the RFC ran under other conditions`;
  return [`${NAMES[phase]}: the range ${whole(low.averageCycles)} .. ${whole(high.averageCycles)} ${verdict}.`];
}

function conditions({ settings, machine, fingerprint }: RfcReport): string {
  const core = `${machine.coreGHz} GHz core clock, ${machine.tscGHz} GHz TSC`;
  const rows = [
    ['profile', `${settings.profile}: ${machine.title}; ${core}`],
    ['placement', `${settings.placement}: client on CPU ${machine.clientCpu}, server on CPU ${machine.serverCpu}, both pinned`],
    ['idle state', settings.placement === 'same-cpu' ? `${settings.idle}, but the CPU is never idle between messages` : settings.idle],
    [
      'wake-ups',
      `epoll wakes ${settings.synchronousWakeUps ? 'synchronously' : 'not synchronously'}; it chooses no CPU here, both tasks being pinned`,
    ],
    ['step costs', `${settings.costs} value of each`],
    ...(settings.phases.includes('rpal')
      ? [['library', `compiled with -${settings.build}${settings.build === 'O0' ? ', as the Makefile of the sample does' : ''}`]]
      : []),
    ['seed', String(settings.seed)],
    ['plugins', settings.plugins.length === 0 ? 'none: plain Linux' : settings.plugins.join(', ')],
    ['fingerprint', fingerprint],
  ];
  return textTable(['', ''], rows, [0, 1]).split('\n').slice(1).join('\n');
}

/** Cycles per message and share by cause, the phases side by side. */
function causes({ phases }: RfcReport): string {
  const columns = phases.map(({ forward, messages }) => {
    const byCause = sumBy(forward, ({ cause }) => cause);
    const names = [...byCause.keys()];
    const rounded = tenthsThatAddUp([...byCause.values()].map((sum) => sum / messages));
    return new Map(names.map((name, index) => [name, rounded[index] as number]));
  });
  const names = [...new Set(columns.flatMap((column) => [...column.keys()]))];
  const largest = (name: string): number => Math.max(...columns.map((column) => column.get(name) ?? 0));
  names.sort((a, b) => largest(b) - largest(a));
  const sums = phases.map(({ averageCycles }) => averageCycles);
  const rows = names
    .filter((name) => largest(name) >= 0.1)
    .map((name) => [
      name,
      ...columns.flatMap((column, index) => {
        const value = column.get(name) ?? 0;
        const share = value / (sums[index] as number);
        return [tenths(value), percent(share), bar(share, BAR_WIDTH).padEnd(BAR_WIDTH)];
      }),
    ]);
  rows.push(['all, as measured', ...sums.flatMap((sum) => [tenths(sum), '100.0 %', ''])]);
  const head = ['cause', ...phases.flatMap(({ phase }) => [NAMES[phase], 'share', ''])];
  return textTable(head, rows, [0, ...phases.map((_, index) => 3 * index + 3)]);
}

function stepTable({ forward, messages, averageCycles }: PhaseReport, limit: number): string {
  const rounded = tenthsThatAddUp(forward.steps.map(({ cycles }) => cycles / messages));
  const listed = forward.steps.slice(0, limit);
  const rows = listed.map((step, index) => [
    step.step,
    step.count === 0 ? '' : (step.count / messages).toFixed(step.count % messages === 0 ? 0 : 3),
    tenths(rounded[index] as number),
    percent(step.cycles / forward.totalCycles),
    standing(step),
  ]);
  const rest = rounded.slice(limit);
  if (rest.length > 0) {
    const sum = rest.reduce((total, value) => total + value, 0);
    rows.push([`${rest.length} more (--steps all)`, '', tenths(sum), percent(sum / averageCycles), '']);
  }
  rows.push(['all, as measured', '', tenths(averageCycles), '100.0 %', '']);
  return textTable(['step', 'times', 'cycles', 'share', 'known by'], rows, [0, 4]);
}

/** How the largest part of a step's cycles is known. */
function standing({ grounds: parts }: Breakdown['steps'][number]): string {
  const sums = new Map<string, number>();
  for (const part of parts) sums.set(kindOf(part), (sums.get(kindOf(part)) ?? 0) + part.cycles);
  const [largest] = [...sums].sort((a, b) => b[1] - a[1]);
  return largest?.[0] ?? '';
}

function kindOf({ what, amount, price }: Breakdown['steps'][number]['grounds'][number]): string {
  return what.endsWith(' instructions') ? `instructions ${amount}, cycles of each ${price}` : `number ${amount}, price ${price}`;
}

/** Cycles per message by how well they are known. */
function grounds({ phases }: RfcReport): string {
  const columns = phases.map(({ forward, messages }) => {
    const sums = new Map<string, number>();
    for (const part of forward.steps.flatMap((step) => step.grounds)) sums.set(kindOf(part), (sums.get(kindOf(part)) ?? 0) + part.cycles);
    const rounded = tenthsThatAddUp([...sums.values()].map((sum) => sum / messages));
    return new Map([...sums.keys()].map((kind, index) => [kind, rounded[index] as number]));
  });
  const kinds = [...new Set(columns.flatMap((column) => [...column.keys()]))];
  const largest = (kind: string): number => Math.max(...columns.map((column) => column.get(kind) ?? 0));
  kinds.sort((a, b) => largest(b) - largest(a));
  const rows = kinds
    .filter((kind) => largest(kind) >= 0.1)
    .map((kind) => [
      kind,
      ...columns.flatMap((column, index) => {
        const value = column.get(kind) ?? 0;
        return [tenths(value), percent(value / (phases[index] as PhaseReport).averageCycles)];
      }),
    ]);
  const table = textTable(['', ...phases.flatMap(({ phase }) => [NAMES[phase], 'share'])], rows);
  return [
    table,
    ...phases.map(
      (phase) =>
        `  ${NAMES[phase.phase]}: ${percent(countedShare(phase))} are numbers that were counted, of instructions, events or lines, at their prices.`,
    ),
  ].join('\n');
}

function contained(report: RfcReport): string {
  const rows = containedIn(report).map(({ what, perPhase }) => [what, ...perPhase.map(tenths)]);
  const table = textTable(['cycles per message', ...report.phases.map(({ phase }) => NAMES[phase])], rows);
  return [table, ...oneCpuNote(report).map((line) => `  ${line}`)].join('\n');
}

function roundTrip({ phases }: RfcReport): string {
  const row = (label: string, value: (phase: PhaseReport) => number): string[] => [label, ...figures(phases.map(value), tenths)];
  const back = ({ back: { totalCycles }, messages }: PhaseReport): number => totalCycles / messages;
  const rows = [
    row("one way, the RFC's figure", ({ averageCycles }) => averageCycles),
    row('echo and way back', back),
    row('full round trip', (phase) => phase.averageCycles + back(phase)),
  ];
  const table = textTable(['cycles per message', ...headings(phases)], rows);
  const rpal = phases.find(({ phase }) => phase === 'rpal');
  return rpal === undefined ? table : `${table}\n${lazySwitches(rpal)}`;
}

function lazySwitches({ messages, lazySwitches: { toReceiver, toSender } }: PhaseReport): string {
  const average = ({ count, cycles }: typeof toReceiver): string => (count === 0 ? 'none' : `${whole(cycles / count)} cycles each`);
  const times = ({ count }: typeof toReceiver): string => (count / messages).toFixed(3);
  const all = (toReceiver.cycles + toSender.cycles) / messages;
  return [
    `  In RPAL's way back are two lazy switches per message, ${tenths(all)} cycles together: the server's echo is an ordinary send(),`,
    "  which enters the kernel on the client's thread, so the kernel first switches to the server's; and when the call has",
    "  returned, the client's next entry switches back.",
    `    client to server: ${times(toReceiver)} per message, ${average(toReceiver)}`,
    `    server to client: ${times(toSender)} per message, ${average(toSender)}`,
  ].join('\n');
}

function sumBy({ steps }: Breakdown, key: (step: Breakdown['steps'][number]) => string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const step of steps) sums.set(key(step), (sums.get(key(step)) ?? 0) + step.cycles);
  return sums;
}
