import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { whole } from '../src/report/numbers.js';
import { type RfcReport, rfcJson } from '../src/report/rfc-report.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-bench-'));
afterAll(() => rmSync(directory, { recursive: true }));

async function report(args: readonly string[], interruptAt?: RegExp): Promise<{ code: number; stdout: string; report: RfcReport }> {
  const file = join(directory, `report-${Math.abs(hash(args.join(' ')))}.json`);
  const { code, stdout } = await run(['rfc', ...args, '--json', file], interruptAt);
  const { complete, settings, data } = rfcJson.parse(JSON.parse(readFileSync(file, 'utf8')));
  return { code, stdout, report: { complete, settings, ...data } };
}

const hash = (text: string): number => [...text].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) | 0, 7);

describe('rpal-bench rfc', async () => {
  const done = await report(['--messages', '300', '--steps', 'all']);
  const lines = done.stdout.split('\n');

  it('prints the two lines of the RFC first', () => {
    for (const [index, { phase, totalCycles, messages, averageCycles }] of done.report.phases.entries()) {
      const average = Math.trunc(averageCycles);
      expect(lines[index]).toBe(
        `${phase.toUpperCase()}: Message length: 32 bytes, Total TSC cycles: ${totalCycles}, Message count: ${messages}, Average latency: ${average} cycles`,
      );
    }
    expect(done.report.phases).toHaveLength(2);
  });

  it('leads with the conditions that the RFC leaves open: state by placement, one way and there and back', () => {
    const { conditions, phases, settings } = done.report;
    expect(conditions.map(({ placement, idle }) => (placement === 'same-cpu' ? placement : `${placement} ${idle}`))).toEqual([
      'same-cpu',
      ...['same-socket', 'cross-socket'].flatMap((placement) => ['poll', 'C1', 'C1E'].map((idle) => `${placement} ${idle}`)),
    ]);
    const own = conditions.find(({ placement, idle }) => placement === settings.placement && idle === settings.idle);
    // With as few messages as these, the run itself is one of them.
    for (const [index, { averageCycles, back, messages }] of phases.entries()) {
      expect(own?.phases[index]).toMatchObject({ messages, oneWay: averageCycles });
      expect(own?.phases[index]?.roundTrip).toBeCloseTo(averageCycles + back.totalCycles / messages, 6);
    }
    const table = lines.slice(3, 3 + 2 + conditions.length);
    expect(table[0]).toBe('TSC cycles per message, by what the RFC leaves open');
    expect(table[1]).toMatch(/idle +EPOLL +RPAL +ratio +trip: EPOLL +RPAL +ratio/);
    for (const [index, { phases: measured }] of conditions.entries()) {
      const figures = measured.map(({ oneWay }) => whole(oneWay));
      expect(table[2 + index]).toMatch(new RegExp(` ${figures.join(' +')} `));
    }
    expect(table.filter((line) => line.includes('*'))).toHaveLength(1);
    // The wake-up is what RPAL saves: the deeper the sleep, the more.
    const gain = ({ phases: [epoll, rpal] }: (typeof conditions)[number]): number => (epoll?.oneWay ?? 0) / (rpal?.oneWay ?? 1);
    const [, poll, c1, c1e] = conditions.map(gain) as [number, number, number, number];
    expect(poll).toBeLessThan(c1);
    expect(c1).toBeLessThan(c1e);
  });

  it('sets the published figures beside its own and the range', () => {
    expect(done.stdout).toMatch(/cover letter +19,616 +1,703 +11\.5 x/);
    expect(done.stdout).toMatch(/patch 35.* 16,439 +2,197 +7\.5 x/);
    expect(done.stdout).toMatch(/EPOLL: the range [\d,]+ \.\. [\d,]+ holds all published figures/);
    expect(done.stdout).toMatch(/RPAL: the range [\d,]+ \.\. [\d,]+ holds all published figures/);
    for (const { range, averageCycles } of done.report.phases) {
      expect(range?.low.averageCycles).toBeLessThan(averageCycles);
      expect(range?.high.averageCycles).toBeGreaterThan(averageCycles);
      expect(range?.low.coreGHz).toBe(3.5);
      expect(range?.high.coreGHz).toBe(2.6);
    }
  });

  it('lists steps that add up to the measured latency, in the file to the cycle and on paper to the last digit', () => {
    for (const { totalCycles, forward, back, messages } of done.report.phases) {
      expect(forward.steps.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(totalCycles);
      expect(back.steps.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(back.totalCycles);
      for (const step of forward.steps) {
        expect(step.grounds.reduce((sum, { cycles }) => sum + cycles, 0)).toBeCloseTo(step.cycles, 3);
      }
      expect(messages).toBe(300);
    }
    const table = lines.slice(lines.indexOf('EPOLL, step by step') + 2);
    const end = table.findIndex((line) => line.startsWith('  all, as measured'));
    const cyclesIn = (line: string): number => Number(line.replace(/^.* ([\d,]+\.\d) +\d+\.\d %.*$/, '$1').replace(/,/g, ''));
    // Names that are too long go on in a line of their own.
    const rows = table.slice(0, end).filter((line) => / %/.test(line));
    const sum = rows.reduce((total, line) => total + cyclesIn(line), 0);
    expect(Math.round(10 * sum)).toBe(Math.round(10 * cyclesIn(table[end] as string)));
  });

  it('says what the round trip costs, with the lazy switches of the RPAL phase', () => {
    const rpal = done.report.phases[1] as RfcReport['phases'][number];
    expect(rpal.lazySwitches.toReceiver.count).toBeGreaterThanOrEqual(299);
    expect(rpal.lazySwitches.toSender.count).toBe(rpal.lazySwitches.toReceiver.count);
    expect(done.stdout).toMatch(/full round trip +[\d,.]+ +[\d,.]+ +\d\.\d x/);
    expect(done.stdout).toContain('two lazy switches per message');
  });

  it('states the conditions', () => {
    for (const words of [
      'same-socket: client on CPU 0, server on CPU 1',
      '3 GHz core clock',
      'C1E',
      'synchronously',
      'central value of each',
      done.report.fingerprint,
    ]) {
      expect(done.stdout).toContain(words);
    }
  });

  it('is quiet on stderr and without colours in a pipe', async () => {
    const { stderr, stdout, code } = await run(['rfc', '--messages', '10', '--phase', 'epoll']);
    expect(stderr).toBe('');
    expect(stdout).not.toContain('\u001b');
    expect(code).toBe(0);
  });

  it('explains why one CPU costs more than pipes on one CPU suggest', async () => {
    const { stdout } = await run(['rfc', '--messages', '200', '--placement', 'same-cpu', '--phase', 'epoll']);
    expect(stdout.replace(/\s+/g, ' ')).toMatch(/suggest 4,000 \.\. 5,200 cycles for EPOLL here; this run lies [\d,]+ cycles above/);
  });

  it('does not compare what is not comparable', async () => {
    const { stdout, report: other } = await report(['--messages', '20', '--profile', 'epyc-9654', '--phase', 'rpal']);
    expect(other.published.every(({ comparable }) => !comparable)).toBe(true);
    expect(stdout).toContain('not comparable');
    expect(stdout).not.toContain('holds all published figures');
  });

  it('draws bars whose parts are as long as the cycles they stand for', async () => {
    const file = join(directory, 'bars.svg');
    await run(['rfc', '--messages', '50', '--svg', file]);
    const svg = readFileSync(file, 'utf8');
    const bars = svg.split('\n').filter((line) => line.includes('text-anchor="end"'));
    const lengths = bars.map((bar) => [...bar.matchAll(/width="([\d.]+)"/g)].reduce((sum, [, width]) => sum + Number(width), 0));
    const figures = bars.map((bar) => Number(/>([\d,]+) cycles</.exec(bar)?.[1]?.replace(/,/g, '')));
    expect(bars).toHaveLength(2);
    expect((lengths[0] as number) / (lengths[1] as number)).toBeCloseTo((figures[0] as number) / (figures[1] as number), 1);
  });

  it('ends with a partial result on Ctrl-C', async () => {
    const { code, stdout, report: partial } = await report(['--messages', '5000000', '--phase', 'epoll'], /[1-9][\d,]* of [\d,]+ messages/);
    expect(code).toBe(130);
    expect(partial.complete).toBe(false);
    expect(partial.phases[0]?.messages).toBeGreaterThan(0);
    expect(partial.phases[0]?.messages).toBeLessThan(5_000_000);
    expect(partial.phases[0]?.range).toBeNull();
    expect(stdout).toMatch(/^PARTIAL RESULT, interrupted: [\d,]+ of 5,000,000 messages in the epoll phase\./);
  });
});

describe('wrong use', () => {
  it.each<[string, RegExp]>([
    ['rfc --messages 0', /--messages takes a whole number of messages from 1 to 100000000/],
    ['rfc --messages -3', /--messages takes a whole number/],
    ['rfc --messages many', /--messages takes a whole number .*"many" is none/],
    ['rfc --messages 1e6', /--messages takes a whole number/],
    ['rfc --messages 1.5', /--messages takes a whole number/],
    ['rfc --messages', /--messages .*argument missing/],
    ['rfc --size 1025', /--size takes a whole number of bytes from 18 to 1024/],
    ['rfc --size 17', /--size takes a whole number of bytes from 18 to 1024/],
    ['rfc --profile pentium', /--profile takes one of xeon-platinum-8336c, .*; "pentium" is none of them/],
    ['rfc --placement elsewhere', /--placement takes one of same-cpu, same-socket, cross-socket/],
    ['rfc --idle c9', /--idle takes one of poll, c1, c1e, c6/],
    ['rfc --costs cheap', /--costs takes one of low, central, high/],
    ['rfc --phase tcp', /--phase takes one of epoll, rpal, both/],
    ['rfc --core-clock fast', /--core-clock takes a number of GHz/],
    ['rfc --seed -1', /--seed takes a whole number/],
    ['rfc --steps few', /--steps takes a whole number/],
    ['rfc --profil x', /unknown option '--profil' \(Did you mean --profile\?\)/],
    ['rfc --fast', /unknown option '--fast'/],
    ['rfc 1000', /takes no argument/],
    ['rcf', /unknown command 'rcf'/],
    [`rfc --json ${directory}`, /--json takes the name of a file that can be written; .* it is a directory/],
    [`rfc --json ${join(directory, 'no', 'where')}`, /--json takes .* its directory does not exist/],
  ])('rpal-bench %s: one sentence, exit code 2, and nothing runs', async (line, sentence) => {
    const { code, stdout, stderr } = await run(line.split(' '));
    expect(stderr).toMatch(sentence);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('leaves no file behind', async () => {
    const file = join(directory, 'never.json');
    await run(['rfc', '--json', file, '--messages', '0']);
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(directory).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('shows the commands when none is given', async () => {
    const { code, stderr } = await run([]);
    expect(code).toBe(2);
    expect(stderr).toContain('rfc [options]');
  });
});

describe('--help', () => {
  it('explains every option with its unit and default', async () => {
    const { code, stdout } = await run(['rfc', '--help']);
    expect(code).toBe(0);
    for (const option of [
      '--messages <n>',
      '--size <bytes>',
      '--phase <name>',
      '--profile <name>',
      '--placement <where>',
      '--idle <state>',
      '--costs <level>',
      '--seed <n>',
    ]) {
      const [, text] = stdout.split(option) as [string, string];
      expect(text.slice(0, text.indexOf(' --')).replace(/\s+/g, ' ')).toMatch(/\(default: \S+\)/);
    }
  });
});
