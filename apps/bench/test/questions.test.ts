import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { patches, quirkNames } from '@rpal/rpal-core';
import { afterAll, describe, expect, it } from 'vitest';
import { largeReservations, mappingsOutside } from '../src/questions/address-space.js';
import { sharingWithoutCall, threadsAndYield } from '../src/questions/alternatives.js';
import { architectureShare, savedCycles } from '../src/questions/cost.js';
import { receiverKilled, signalToSender } from '../src/questions/death.js';
import { forgedFsBase, forgedOneSided } from '../src/questions/forged-identity.js';
import { questions } from '../src/questions/index.js';
import { keyGivenBack, keysAgainstIntent, populatedForOthers, reachableMemory } from '../src/questions/isolation.js';
import { forkedService, manyServices, requestQuota, smallBuffer, tooMany } from '../src/questions/life-cycle.js';
import type { Answer, Question } from '../src/questions/question.js';
import { page } from '../src/questions/report/page.js';
import { reviewersReport } from '../src/questions/report/reviewers-report.js';
import { claimedTime, endlessCallee, overwrittenState } from '../src/questions/states.js';
import { tearDownCost } from '../src/questions/teardown.js';
import { run } from './terminal.js';

const directory = mkdtempSync(join(tmpdir(), 'rpal-questions-'));
afterAll(() => rmSync(directory, { recursive: true }));

function answer({ ask }: Question, repair: 'all' | [] = []): Answer & { text: string } {
  const found = ask({ repair });
  return { ...found, text: found.happened.join('\n') };
}

describe('what the experiments find', () => {
  it.each([[], 'all'] as const)('WRPKRU(0) opens the peer, whatever is repaired: %j', (repair) => {
    const { text, verdict } = answer(keysAgainstIntent, repair as [] | 'all');
    expect(text).toMatch(/without WRPKRU: client: SIGSEGV with SEGV_PKUERR/);
    expect(text).toMatch(/WRPKRU\(0\): read of 0x[0-9a-f]+ gives 0x5ec2e7; after the write it holds 0x5ec2e8/);
    expect(verdict).toContain('stop accidents, not intent');
  });

  it('all memory of a peer is mapped, none of it open', () => {
    expect(answer(reachableMemory).text).toMatch(/server: (\d+)\n.*user mode: \1\n.*: 0; with PKRU 0: \1$/);
  });

  it("a service's key cannot be freed", () => {
    expect(answer(keyGivenBack).text).toContain('pkey_free(1): -22');
  });

  it("a peer's page is populated before the access without the key fails", () => {
    expect(answer(populatedForOthers).text).toContain('not present before, present after');
  });

  it('a forged FS base is believed as written, and not when that is repaired', () => {
    expect(answer(forgedFsBase).text).toMatch(/client 2, server 1\n.*: 1\n.*: 2/);
    expect(answer(forgedFsBase, 'all').text).toMatch(/client 2, server 1\n.*: 2\n.*: 2/);
  });

  it('a victim need not have requested anybody, unless that is repaired', () => {
    expect(answer(forgedOneSided).verdict).toContain('consent is not needed');
    expect(answer(forgedOneSided, 'all').verdict).toContain('not taken over');
  });

  it('a signal to a sender within a call ends the sender alone', () => {
    expect(answer(signalToSender).verdict).toContain('goes to the sender alone');
  });

  it('the end of a receiver within a call ends its work, and the kernel; repaired, its caller lives on', () => {
    const { text } = answer(receiverKilled);
    expect(text).toMatch(/the server, at 0x\w+, ended by signal 9/);
    expect(text).toMatch(/the kernel stopped: sender \d+ returns by the kernel after receiver \d+ has ended/);
    expect(answer(receiverKilled, 'all').verdict).toContain('The caller survives');
  });

  it('the 255th service is an ordinary process', () => {
    expect(answer(tooMany).verdict).toContain('254 become services');
  });

  it('the slice is a hard limit, and MAP_FIXED leaves it', () => {
    expect(answer(largeReservations).text).toMatch(/300 GiB: 0x.*\n(.*\n)*600 GiB: ENOMEM/);
    expect(answer(mappingsOutside).text).toMatch(/MAP_FIXED outside the slice \((0x\w+)\): \1, outside\nMAP_32BIT: ENOMEM/);
  });

  it('services with equal keys cannot pair, and the sixteenth request is refused', () => {
    expect(answer(manyServices).happened.slice(0, 3)).toEqual([
      'id 17 (key 1): refused (-1)',
      'id 0 (key 0): granted',
      'id 16 (key 0): granted',
    ]);
    expect(answer(requestQuota).verdict).toBe('15 requests are granted; the next one is refused.');
  });

  it('a state word in user memory can keep SIGKILL away', () => {
    expect(answer(overwrittenState).text).toMatch(/50 ms after SIGKILL: alive\n.*: gone$/);
  });

  it('a claimed run time is believed', () => {
    const charged = (text: string): number[] => [...text.matchAll(/: ([\d,]+) us/g)].map(([, us = '']) => Number(us.replace(/,/g, '')));
    const [honest = 0, lying = 0] = charged(answer(claimedTime).text);
    expect(lying).toBeLessThan(honest / 4);
  });

  it('the first tick gives a caller its thread back', () => {
    expect(answer(endlessCallee).text).toMatch(/lazy switches until then: 1$/);
  });

  it('a forked child faults on its own memory', () => {
    expect(answer(forkedService).verdict).toContain('protection-key fault');
  });

  it('a read of /proc/rpal writes behind the buffer as written, and not when that is repaired', () => {
    expect(answer(smallBuffer).verdict).toContain('memory behind the buffer is overwritten');
    expect(answer(smallBuffer, 'all').verdict).toContain('Nothing behind the buffer is touched');
  });

  it('cycles that are saved add up to the difference of the two phases', () => {
    const { happened, verdict } = answer(savedCycles);
    const gains = happened.map((line) => Number(line.replace(/^.* is /, '').replace(/,/g, '')));
    const total = Number(/Of ([\d,]+) cycles/.exec(verdict)?.[1]?.replace(/,/g, ''));
    expect(Math.abs(gains.reduce((sum, gain) => sum + gain, 0) - total)).toBeLessThan(5);
  });

  it('sharing without the call saves less than a tenth of a small message', () => {
    const [shared = 0, small = 0, large = 0] = answer(sharingWithoutCall).happened.map((line) =>
      Number(/: ([\d,]+)/.exec(line)?.[1]?.replace(/,/g, '')),
    );
    expect(shared).toBeGreaterThan(0.9 * small);
    expect(large).toBeGreaterThan(small);
  });

  it("little of RPAL's own time is spent in instructions of x86 alone", () => {
    const [special = 0, own = 0] = [...answer(architectureShare).verdict.matchAll(/[\d,]+/g)].map(([figure]) =>
      Number(figure.replace(/,/g, '')),
    );
    expect(special).toBeGreaterThan(50);
    expect(special).toBeLessThan(own / 3);
  });

  it('no way there is longer than the round trip that it is part of', () => {
    for (const line of answer(threadsAndYield).happened) {
      const [oneWay = 0, trip = 0] = [...line.matchAll(/([\d,]+) (?:one way|round trip)/g)].map(([, figure = '']) =>
        Number(figure.replace(/,/g, '')),
      );
      expect(oneWay, line).toBeLessThan(trip);
    }
  });
});

describe('the commands', () => {
  it('list the 11 objections and the 24 derived questions', async () => {
    const { code, stdout } = await run(['questions']);
    expect(code).toBe(0);
    expect(questions).toHaveLength(35);
    expect(questions.filter(({ who }) => who === 'derived')).toHaveLength(24);
    for (const { question } of questions) for (const word of question.split(' ')) expect(stdout).toContain(word);
  });

  it('answer one, as written and repaired', async () => {
    const { code, stdout } = await run(['question', '17', '--repair', 'lazy-switch-unchecked']);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^Question 17[\s\S]*the series as written[\s\S]*is believed[\s\S]*repaired: lazy-switch-unchecked[\s\S]*changes nothing/,
    );
  });

  it.each<[string, RegExp]>([
    ['question 36', /takes a whole number of questions, by number from 1 to 35/],
    ['question', /missing required argument/],
    ['question 5 --repair everything', /--repair takes all, or names out of .*; "everything" is none of them/],
    ['questions --report /no/where.md', /--report takes the name of a file that can be written/],
  ])('%s is wrong use', async (line, sentence) => {
    const { code, stderr } = await run(line.split(' '));
    expect(stderr).toMatch(sentence);
    expect(code).toBe(2);
  });

  it('write a report only to a file that can be written, before anything is run', async () => {
    const { code, stderr } = await run(['questions', '--report', join(directory, 'no', 'report.html')]);
    expect(code).toBe(2);
    expect(stderr).toContain('its directory does not exist');
  });
});

describe('the report', () => {
  const chosen = [tearDownCost, forgedFsBase, largeReservations];

  it('puts verdicts first, then everything that each was found by', () => {
    const report = reviewersReport('markdown', { questions: chosen, searchRuns: 0 });
    const [head = '', experiments = ''] = report.split('## The experiments');
    for (const [index, { question, ask }] of chosen.entries()) {
      const { verdict, happened } = ask({});
      expect(head).toContain(`| [${index + 1}](#question-${index + 1}) |`);
      expect(head).toContain(verdict);
      expect(experiments).toContain(`### ${index + 1}. ${question}`);
      for (const line of happened) expect(experiments).toContain(line);
    }
    for (const name of quirkNames) expect(head).toContain(`\`${name}\``);
    for (const { title } of patches) expect(head).toContain(title);
  });

  it('is a page that needs nothing else, with pictures', () => {
    const html = page('RPAL under review', reviewersReport('page', { questions: chosen, searchRuns: 1 }));
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).not.toMatch(/(src|href)="(?!#)/);
    expect(html.match(/<details id="question-\d"/g)).toHaveLength(3);
    expect(html.match(/<svg class="bars"/g)?.length).toBeGreaterThanOrEqual(1);
    expect(html).toContain('<svg class="states"');
    for (const state of ['RUNNING', 'READY_LS', 'KERNEL_RET']) expect(html).toContain(`>${state}</text>`);
    expect(html).toContain('<h2>Verdicts</h2>');
    expect(html).toMatch(/two-senders:repair=all:without=15/);
    // As many tags are closed as are opened.
    for (const tag of ['details', 'table', 'svg', 'pre']) {
      expect(html.match(new RegExp(`<${tag}\\b`, 'g'))?.length).toBe(html.match(new RegExp(`</${tag}>`, 'g'))?.length);
    }
  }, 180_000);
});
