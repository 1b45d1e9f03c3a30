import { LinuxCall } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { syscallsJson } from '../src/syscalls-command.js';
import { run } from './terminal.js';

/** The calls that `syscalls --json -` writes. */
async function calls(...options: string[]) {
  const { code, stdout } = await run(['syscalls', '--json', '-', ...options]);
  expect(code).toBe(0);
  return syscallsJson.parse(JSON.parse(stdout)).data.calls;
}

describe('rpal-bench syscalls', () => {
  it('has every call of Linux 6.15 once, by number, up to open_tree_attr', async () => {
    const all = await calls();
    expect(all.map(({ number }) => number)).toEqual([...new Set(all.map(({ number }) => number))].sort((a, b) => a - b));
    expect(all).toHaveLength(Object.keys(LinuxCall).length);
    expect(all.at(0)).toMatchObject({ number: 0, name: 'read' });
    expect(all.at(-1)).toMatchObject({ number: 467, name: 'open_tree_attr', state: 'absent' });
  });

  it('says of each whether it is there, who defines it, and, if it is partial, what is missing', async () => {
    const all = await calls();
    const named = (wanted: string) => all.find(({ name }) => name === wanted);
    expect(named('getpid')).toEqual({ number: 39, name: 'getpid', state: 'complete', missing: null, plugin: null });
    expect(named('clock_gettime')).toMatchObject({ state: 'complete', plugin: '@rpal/posix' });
    expect(named('clock_settime')).toMatchObject({ state: 'partial', missing: expect.stringContaining('CAP_SYS_TIME') });
    expect(named('reboot')).toEqual({ number: 169, name: 'reboot', state: 'absent', missing: null, plugin: null });
    for (const { state, missing } of all) expect(missing !== null).toBe(state === 'partial');
  });

  it('shows the calls of one state, and counts them all', async () => {
    const { stdout } = await run(['syscalls', '--state', 'partial']);
    expect(stdout).toMatch(/^ +227 +clock_settime +partial +@rpal\/posix +the clocks cannot be set/m);
    expect(stdout).not.toMatch(/absent +/);
    const [, total, ...states] = /(\d+) calls: (\d+) complete, (\d+) partial, (\d+) absent\n$/.exec(stdout) ?? [];
    expect(states.reduce((sum, count) => sum + Number(count), 0)).toBe(Number(total));
    expect((await calls('--state', 'absent')).length).toBe(Number(states[2]));
  });

  it('refuses a state that is none', async () => {
    const { code, stderr } = await run(['syscalls', '--state', 'some']);
    expect([code, stderr]).toEqual([2, 'rpal-bench: --state takes one of complete, partial, absent; "some" is none of them\n']);
  });
});
