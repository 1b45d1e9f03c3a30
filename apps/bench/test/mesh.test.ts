import { describe, expect, it } from 'vitest';
import { meshJson } from '../src/mesh/mesh-command.js';
import { run } from './terminal.js';

async function mesh(...args: string[]) {
  const { code, stdout, stderr } = await run(['mesh', '--requests', '20', ...args, '--json', '-']);
  expect([code, stderr]).toEqual([0, '']);
  return meshJson.parse(JSON.parse(stdout));
}

describe('rpal-bench mesh', () => {
  it('says what is saved, less the longer the handlers compute, and where the share of the RFC is met', async () => {
    const { data } = await mesh();
    const saved = data.lines.map((line) => line.saved);
    expect(saved).toEqual([...saved].sort((a, b) => b - a));
    expect(saved[0]).toBeGreaterThan(0.155);
    expect(saved.at(-1)).toBeLessThan(0.155);
    expect(data.claimedAt).toBeGreaterThan(0);
    // What handlers compute is in both.
    for (const { handler, before, after } of data.lines) {
      expect(before).toBeGreaterThan(handler);
      expect(after).toBeGreaterThan(handler);
    }
  });

  it('counts every hop of a request', async () => {
    const [one, two] = [await mesh('--hops', '1', '--calls', '0'), await mesh('--hops', '2', '--calls', '0')];
    const [a, b] = [one.data.lines[0]?.before as number, two.data.lines[0]?.before as number];
    expect(b / a).toBeGreaterThan(1.8);
    expect(b / a).toBeLessThan(2.2);
  });

  it('saves nothing if nothing changes', async () => {
    const { data } = await mesh('--from', 'pipe', '--to', 'pipe');
    for (const { saved } of data.lines) expect(saved).toBe(0);
    expect(data.claimedAt).toBeNull();
  });

  it('prints a table within 80 columns and a sentence about the claim', async () => {
    const { stdout } = await run(['mesh', '--requests', '20']);
    for (const line of stdout.split('\n').slice(2)) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/The RFC's 15\.5 % are met where handlers compute about \d+ us per request/);
  });

  it.each([
    [['--from', 'signal'], '--size: signal takes 1 to 4 bytes, not 256'],
    [['--to', 'pigeon'], 'a mechanism is one of'],
    [['--rate', '0'], '--rate takes a whole number'],
  ])('refuses %j with exit code 2', async (args, complaint) => {
    const { code, stderr } = await run(['mesh', ...args]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(complaint)]);
  });
});
