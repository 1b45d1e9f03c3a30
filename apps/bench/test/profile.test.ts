import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProfile, profiles } from '@rpal/hw-x86';
import { afterAll, describe, expect, it } from 'vitest';
import { readProfile } from '../src/profile-file.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-profile-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: unknown): string {
  const path = join(directory, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const figure = (central: number) => ({ low: central, central, high: central, source: 'a test', status: 'estimated' });

describe('a profile in a file', () => {
  it.each(profiles.map(({ name }) => name))('is what the command prints of a built-in one: %s', async (name) => {
    const { stdout } = await run(['profile', name]);
    expect(readProfile(file(`${name}.json`, stdout))).toEqual(findProfile(name));
  });

  it('says only what differs from what it extends, files included, and is called after its file', () => {
    const [base] = profiles;
    const first = file('first.json', { extends: base!.name, costs: { wrpkru: figure(77) }, topology: { sockets: 1 } });
    file('Second File.json', { extends: './first.json', costs: { wrpkru: { high: 99 } } });
    const second = readProfile(join(directory, 'Second File.json'));
    expect(readProfile(first).costs.wrpkru.central).toBe(77);
    expect(second).toEqual({
      ...base,
      name: 'second-file',
      title: 'second-file',
      topology: { ...base!.topology, sockets: 1 },
      costs: {
        ...base!.costs,
        wrpkru: { ...figure(77), high: 99, ...('unit' in base!.costs.wrpkru ? { unit: base!.costs.wrpkru.unit } : {}) },
      },
    });
  });

  it('is taken by every command, and changes what it says', async () => {
    const [base] = profiles;
    const dear = file('dear.json', { extends: base!.name, costs: { wrpkru: figure(2000) } });
    const cycles = async (profile: string): Promise<number> => {
      const { stdout } = await run(['compare', '--mechanism', 'rpal', '--messages', '20', '--profile', profile, '--json', '-']);
      return JSON.parse(stdout).data.rows[0].oneWay;
    };
    expect((await cycles(dear)) - (await cycles(base!.name))).toBeGreaterThan(2000);
    expect((await run(['rfc', '--messages', '20', '--profile', dear])).code).toBe(0);
    expect((await run(['sweep', 'rfc', `profile=${dear}`, 'messages=20', '--jobs', '1', '--out', join(directory, 'sweep')])).code).toBe(0);
  });

  it('is checked: what it changes is listed', async () => {
    const [base] = profiles;
    const path = file('changed.json', { extends: base!.name, features: { pku: false } });
    const { code, stdout } = await run(['profile', 'check', path]);
    expect(code).toBe(0);
    expect(stdout).toContain(`${path} is a profile: changed, changed\nAgainst ${base!.name}:\n`);
    expect(stdout).toMatch(/features\.pku +true +false/);
  });

  it.each([
    ['no JSON', '{', 'is not JSON'],
    ['a list', [], 'a profile is an object'],
    ['an unknown base', { extends: 'pentium' }, '"extends" takes one of'],
    ['a base that is a number', { extends: 7 }, '"extends" takes the name'],
    ['a base that is not there', { extends: './nothing.json' }, 'there is no file'],
    ['itself', { extends: './wrong.json' }, 'is there a circle?'],
    ['an unknown field', { extends: 'xeon-platinum-8336c', turbo: 1 }, 'there is no field "turbo"'],
    [
      'a figure out of order',
      { extends: 'xeon-platinum-8336c', costs: { wrpkru: { low: 900 } } },
      'costs.wrpkru: must have low <= central <= high',
    ],
    ['a step that nobody has', { extends: 'xeon-platinum-8336c', steps: { nothing: figure(1) } }, 'prices step "nothing"'],
    ['half a profile', { name: 'half', title: 'half' }, 'vendor: must be one of intel, amd'],
  ])('that is %s is refused with exit code 2, and every wrong field', async (_what, content, complaint) => {
    const { code, stderr } = await run(['profile', 'check', file('wrong.json', content)]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(complaint)]);
  });

  it('lists those that are built in', async () => {
    const { stdout } = await run(['profile']);
    for (const { name } of profiles) expect(stdout).toContain(name);
  });
});
