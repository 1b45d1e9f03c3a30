import { textTable } from '../report/text-table.js';
import type { HostReport } from './host-json.js';

/** All of it, for people. */
export function renderHost(report: HostReport, complete: boolean): string {
  const { steps, composites, absent } = report;
  const rows = steps.map(({ name, what, unit, ...figures }) => [name, ...spreadText(figures), unit, what]);
  const trips = composites.map(({ mechanism, placement, size, ...figures }) => [
    mechanism,
    String(size),
    placement,
    ...spreadText(figures),
  ]);
  const gone =
    absent.length === 0
      ? ''
      : `\nNot measured\n\n${textTable(
          ['', ''],
          absent.map(({ name, why }) => [name, why]),
          [0, 1],
        )}\n`;
  return `${complete ? '' : 'PARTIAL RESULT, interrupted.\n\n'}${circumstances(report)}
Single steps

${textTable(['', 'median', 'half of all', '', ''], rows, [0, 3, 4])}

Round trips, ns

${textTable(['mechanism', 'bytes', 'where', 'median', 'half of all'], trips, [0, 2])}
${gone}
Each round ran everything once. Of a round trip, a yield and a wake-up a round counts
as its median. The single steps make a profile (rpal-bench calibrate); the
round trips never do, and are what it is held against (rpal-bench validate).
`;
}

/** On what, at which load, and what speaks against the figures. */
export function circumstances({ computer, load, doubts }: HostReport): string {
  const { cpu, kernel, guest, tscGHz, cpus, oneCache } = computer;
  const places = cpus[1] === null ? `CPU ${cpus[0]} alone` : `CPUs ${cpus.join(' and ')}`;
  const cache = oneCache === null ? '' : oneCache ? ', which share a cache' : ', which share no cache';
  const lines = [
    `${cpu}, ${guest ? 'as a hypervisor shows it to a guest' : 'no hypervisor'}`,
    `${kernel}; time stamps at ${tscGHz.toFixed(3)} GHz; pinned to ${places}${cache}`,
    `load ${load.before.toFixed(1)} before and ${load.after.toFixed(1)} after; ${(100 * load.stolen).toFixed(1)} % of the time taken by a hypervisor`,
  ];
  const disturbed = Math.max(load.before, load.after) > 1 ? ['Other processes wanted to run: an idle computer gives firmer figures.'] : [];
  return `${[...lines, ...disturbed, ...doubts.map((doubt) => `Doubtful: ${doubt}`)].join('\n')}\n`;
}

/** `3.2` and `3.1 .. 3.4`. */
export function spreadText({ median, low, high }: { median: number; low: number; high: number }): [string, string] {
  return [figure(median), `${figure(low)} .. ${figure(high)}`];
}

export function figure(value: number): string {
  return value < 100 ? value.toFixed(2) : Math.round(value).toLocaleString('en-US');
}
