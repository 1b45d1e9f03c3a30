import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { explanationJson } from '../src/explain/explain-command.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-explain-'));
afterAll(() => rmSync(directory, { recursive: true }));

describe('rpal-bench explain', () => {
  it.each(['pipe', 'unix', 'rpal'])('prints the way of a message within 80 columns: %s', async (mechanism) => {
    const { code, stdout, stderr } = await run(['explain', mechanism, '--after', '10']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/The way there: [\d,]+ TSC cycles, \d+ ns/);
    for (const line of stdout.split('\n').slice(1)) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('gives JSON whose stretches add up, and whose command gives the same again', async () => {
    const { stdout } = await run(['explain', 'futex', '--after', '10', '--placement', 'same-cpu', '--json', '-']);
    const found = explanationJson.parse(JSON.parse(stdout));
    const { there, back, roundTrip } = found.data;
    expect([...there, ...back].reduce((sum, { cycles }) => sum + cycles, 0)).toBe(roundTrip);
    const again = await run([...found.command.split(' ').slice(2), '--json', '-']);
    expect(JSON.parse(again.stdout)).toEqual(found);
  });

  it('writes a page that needs nothing else, and a picture with a block for each stretch', async () => {
    const [html, svg, json] = ['page.html', 'picture.svg', 'data.json'].map((name) => join(directory, name)) as [string, string, string];
    const { code, stderr } = await run(['explain', 'pipe', '--after', '10', '--html', html, '--svg', svg, '--json', json]);
    expect([code, stderr]).toEqual([0, expect.stringContaining(` cycles one way; wrote ${html} and ${svg} and ${json}\n`)]);
    const { there, back } = explanationJson.parse(JSON.parse(readFileSync(json, 'utf8'))).data;
    expect(readFileSync(svg, 'utf8').match(/<title>/g)).toHaveLength(there.length + back.length);
    const page = readFileSync(html, 'utf8');
    expect(page.match(/<tr>/g)).toHaveLength(there.length + back.length + 2);
    expect(page).not.toMatch(/(src|href)=/);
    expect(page).toContain('Made by <code>npx rpal-bench explain pipe ');
  });

  it('writes stacks whose frames close in order and last as long as the trip', async () => {
    const file = join(directory, 'stacks.json');
    const { stdout } = await run(['explain', 'pipe', '--after', '10', '--speedscope', file, '--json', '-']);
    const { oneWay, roundTrip } = explanationJson.parse(JSON.parse(stdout)).data;
    const { profiles } = JSON.parse(readFileSync(file, 'utf8'));
    expect(profiles.map(({ startValue, endValue }: { startValue: number; endValue: number }) => [startValue, endValue])).toEqual([
      [0, oneWay],
      [oneWay, roundTrip],
    ]);
    for (const { events } of profiles) {
      const open: number[] = [];
      for (const { type, frame } of events) {
        if (type === 'O') open.push(frame);
        else expect(open.pop()).toBe(frame);
      }
      expect(open).toEqual([]);
    }
  });

  it.each([
    [['pigeon'], 'a mechanism is one of pipe, '],
    [['signal'], '--size: signal takes 1 to 4 bytes, not 32'],
    [['pipe', '--after', '9'], '--after takes a whole number of messages from 10'],
  ])('refuses %j with exit code 2', async (args, complaint) => {
    const { code, stderr } = await run(['explain', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(complaint);
  });
});
