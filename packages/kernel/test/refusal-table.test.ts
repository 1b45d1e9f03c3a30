import { errnoName, LinuxCall } from '@rpal/uapi';
import { afterAll, describe, expect, it } from 'vitest';
import { edgeCase } from './real/edge-cases.js';
import { EdgeModel } from './real/edge-model.js';
import { RealEdges } from './real/edge-real.js';
import { REFUSALS, type Refusal } from './real/refusal-table.js';
import { NAME_REFUSALS } from './real/refusal-table-names.js';
import { POSIX_REFUSALS } from './real/refusal-table-posix.js';

const ALL: readonly Refusal[] = [...REFUSALS, ...POSIX_REFUSALS, ...NAME_REFUSALS];
const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(LinuxCall).map(([name, nr]) => [nr, name]));

/** Calls that nothing is refused to root in the state of a case, and those that no case makes: sync and rt_sigreturn. */
const WITHOUT: ReadonlySet<string> = new Set(
  (
    'brk sched_yield pause getpid fork vfork exit exit_group getuid getppid gettid munlockall alarm getgid geteuid getegid setreuid setregid ' +
    'setresuid setresgid setfsuid setfsgid getpgrp personality set_tid_address eventfd umask inotify_init sync rt_sigreturn'
  ).split(' '),
);

const real = new RealEdges();
afterAll(() => real.dispose());

/** Rows that came to something else than what they say. */
function others(answers: readonly string[]): string[] {
  return ALL.flatMap(([nr, registers, errno], row) => {
    const answer = answers[row] ?? '';
    return Number(answer.split(' ')[0]) === errno ? [] : [`${NAMES.get(nr)}(${registers.join(', ')}): ${answer}, not ${errnoName(errno)}`];
  });
}

const cases = ALL.map(([nr, registers]) => edgeCase([nr, ...registers]));

describe('what Linux was seen to refuse', () => {
  it('is refused by the model for the same reason', { timeout: 120_000 }, () => {
    const model = new EdgeModel();
    expect(others(cases.map((made) => model.execute(made)))).toEqual([]);
  });

  it('is refused so by the Linux at hand', { timeout: 120_000 }, async ({ skip }) => {
    if (real.missing !== null) skip(real.missing);
    const answers: string[] = [];
    for await (const answer of real.run(cases)) answers.push(answer);
    expect(others(answers)).toEqual([]);
  });

  it('is known for every call of a machine that refuses anything', () => {
    const { syscalls } = new EdgeModel().machine.kernel;
    const rows = new Set(ALL.map(([nr]) => NAMES.get(nr)));
    const unknown = [...NAMES].filter(([nr, name]) => syscalls.get(nr) !== undefined && rows.has(name) === WITHOUT.has(name));
    expect(unknown.map(([, name]) => name)).toEqual([]);
  });
});
