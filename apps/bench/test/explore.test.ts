import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scenarios } from '@rpal/explore';
import { describe, expect, it } from 'vitest';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-explore-'));
/** Without the breaks of lines. */
const flat = (text: string): string => text.replace(/\s+/g, ' ');
const bench = (line: string, interruptAt?: RegExp): ReturnType<typeof run> => run(line.split(' '), interruptAt, directory);

describe('rpal-bench explore', () => {
  it('lists the scenarios when none is named', async () => {
    const { code, stdout } = await bench('explore');
    expect(code).toBe(0);
    for (const { name, about } of scenarios) expect(flat(stdout)).toMatch(new RegExp(` ${name} \\d+ ${about.replace(/[()]/g, '.')}`));
  });

  it('runs every order of steps where that ends, and says what it has covered and checked', async () => {
    const { code, stdout, stderr } = await bench('explore return-interrupted --repair all --seconds 0');
    expect(stdout).toMatch(
      /the series with everything repaired\n {2}dpor: \d+ runs, [\d,]+ steps: every order of steps that can make a difference\n/,
    );
    expect(stdout).toMatch(/a receiver in WAIT sleeps, off its kernel stack/);
    expect(stdout).toMatch(/Nothing was found\.\n$/);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  }, 30_000);

  it('goes on at random where it does not end', async () => {
    const { code, stdout } = await bench('explore two-senders --repair all --runs 8 --seconds 0');
    expect(flat(stdout)).toMatch(
      /dpor: 8 runs, .* with up to 0 deviations from the usual one; part of those with more pct and random: 9 runs/,
    );
    expect(code).toBe(0);
  });

  it.each([
    ['dpor --bound 0', /dpor: 1 run, .* with up to 0 deviations/],
    ['pct --runs 3 --bound 2', /pct: 4 runs/],
    ['random --runs 3 --seed 7', /random: 4 runs/],
  ])('--strategy %s', async (strategy, told) => {
    const { code, stdout } = await bench(`explore call-with-syscall --repair all --strategy ${strategy}`);
    expect(flat(stdout)).toMatch(told);
    expect(code).toBe(0);
  });

  it('prints a failing schedule, which replay takes, also from a file', async () => {
    const found = await bench(`explore return-interrupted --repair all --without 24 --json ${join(directory, 'found.json')}`);
    expect(found.code).toBe(1);
    expect(found.stdout).toMatch(/the series with everything repaired, without what patch 24 does against races/);
    expect(found.stdout).toMatch(/Found: receiver 1 of callee is in WAIT, and CPU 0 executes its code\n/);
    const token = /rpal-bench replay (\S+)\n$/.exec(found.stdout)?.[1] as string;
    expect(token).toMatch(/^return-interrupted:repair=all:without=24:\d+=\d+$/);

    const json = JSON.parse(readFileSync(join(directory, 'found.json'), 'utf8'));
    expect(json).toMatchObject({
      schema: 'rpal-bench/explore',
      version: 2,
      complete: true,
      settings: { scenario: 'return-interrupted', without: [24] },
    });
    expect(json.data.failure).toMatchObject({ token, deviations: 1 });

    const [byWord, byFile] = [await bench(`replay ${token}`), await bench('replay found.json')];
    expect(byWord).toEqual(byFile);
    expect(byWord.code).toBe(1);
    // The NMI that nothing was done about, the row that it led to, and what is wrong then.
    expect(byWord.stdout).toMatch(/^ +\d+ \* an NMI on CPU 0\n {8}\S/m);
    expect(byWord.stdout).toMatch(/^ +r10: WAIT -> CALL, sender in user mode/m);
    expect(byWord.stdout).toMatch(/\n +WRONG: receiver 1 of callee is in WAIT(.|\n)*\n\nWrong: receiver 1/);

    // With the patch there the same schedule does no harm.
    const repaired = await bench(`replay ${token.replace(':without=24', '')}`);
    expect(repaired.stdout).toMatch(/As it should be\.\n$/);
    expect(repaired.code).toBe(0);
  }, 30_000);

  it('stops at Ctrl-C and says that the result is partial', async () => {
    const { code, stdout } = await bench('explore two-senders --repair all --seconds 0', /dpor: \d+ runs/);
    expect(stdout).toMatch(/^PARTIAL RESULT, interrupted\.\n/);
    expect(code).toBe(130);
  }, 30_000);
});

describe('rpal-bench replay', () => {
  it('shows whose kernel context is current, whose code runs with which PKRU, and the rows of the state tables', async () => {
    const { code, stdout } = await bench('replay return-interrupted');
    const text = stdout.replace(/\s+/g, ' ');
    for (const words of [
      // A call: the sender with both keys open, then the receiver's code with its own key only.
      "CPU 0: it opens the receiver's memory to itself (rpal_write_ptrs, patch 35) CPU 0 is in user mode: caller-0, PKRU fffffff0",
      'CPU 0 is in user mode: caller-0 > callee, PKRU fffffff3',
      'receiver 1, callee: CALL(service 0, sender 0), its caller CALL',
      // Its system call: the receiver\'s kernel context, and how it came to be current.
      'copies the registers of the entry to the other task (patch 21); picks the task that it is told to (rpal_pick_next_task_fair, patch 18)',
      'CPU 0 is in user mode: callee, PKRU fffffff3 receiver 1, callee: LAZY_SWITCH, its caller CALL (LAZY_SWITCHED, CPU_LOCKED)',
    ])
      expect(text).toContain(words);
    expect(stdout).not.toMatch(/^ +\d+ {3}.*\n +\d+ {3}/m);
    expect([...stdout.matchAll(/^ +([rs]\d+):/gm)].slice(0, 6).map(([, row]) => row)).toEqual(['r10', 's1', 'r13', 's2', 'r15', 'r17']);
    expect(code).toBe(0);
  });

  it('is brief if asked to be', async () => {
    const [all, brief] = [await bench('replay return-interrupted'), await bench('replay return-interrupted --brief')];
    expect(brief.stdout.split('\n').length).toBeLessThan(all.stdout.split('\n').length);
  });

  it('goes on past what is wrong, and past the recording on another way', async () => {
    const short = await bench('replay two-senders:repair=all:without=15');
    const further = await bench('replay two-senders:repair=all:without=15 --beyond 20');
    expect(further.stdout.split('\n').length).toBeGreaterThan(short.stdout.split('\n').length + 15);
    expect(flat(further.stdout)).toContain('WRONG: receiver 1 of callee is in WAIT, but its task is WAKING');
    const elsewhere = await bench('replay two-senders:repair=all --then 20=1');
    expect(elsewhere.stdout).toMatch(/^ +20 \* CPU 1 steps$/m);
    expect(elsewhere.code).toBe(0);
  });
});

describe('wrong use', () => {
  writeFileSync(join(directory, 'nothing.json'), JSON.stringify({ schema: 'rpal-bench/explore', data: { failure: null } }));
  writeFileSync(join(directory, 'other.json'), '{}');
  writeFileSync(join(directory, 'half.json'), '{"a');

  it.each([
    ['explore nowhere', /scenario: "nowhere" is not one of pure-call, one-call,/],
    ['explore two-senders --without 16', /without takes numbers of patches that close a race, 15, 20, 24, 29, 30, 34; "16" is none/],
    ['explore two-senders --repair tlb', /repair takes all, or names out of .*; "tlb" is none of them/],
    ['explore two-senders --strategy best', /--strategy takes one of auto, dpor, pct, random/],
    ['explore two-senders --strategy random --bound 2', /--bound is for dpor and pct/],
    ['explore two-senders --bound x', /--bound takes a whole number/],
    ['explore --runs 5', /--runs is for a scenario/],
    ['explore two-senders --json /nowhere/at/all', /--json takes the name of a file that can be written/],
    ['replay', /missing required argument 'recording'/],
    ['replay nowhere', /"nowhere" is not a recording: scenario: "nowhere" is not one of .*; nor is there a file of that name/],
    ['replay two-senders:x', /"x" is not a deviation; it would be step=choice, such as 34=0/],
    ['replay nothing.json', /holds no failure/],
    ['replay other.json', /was not written by/],
    ['replay half.json', /is not JSON/],
    ['replay two-senders --then x', /--then takes deviations such as/],
  ])('%s: one sentence, exit code 2', async (line, sentence) => {
    const { code, stdout, stderr } = await bench(line);
    expect(stderr).toMatch(sentence);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});
