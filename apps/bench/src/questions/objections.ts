import type { RpalOptions } from '@rpal/rpal-core';
import { largeReservations } from './address-space.js';
import { savedCycles } from './cost.js';
import { reachableMemory } from './isolation.js';
import type { Answer, Question } from './question.js';
import { tearDownCost } from './teardown.js';
import { ofObjections } from './verdicts.js';

/** What was objected to v1, what would show that it no longer holds, and the question whose experiment shows it. */
const objections: readonly { readonly objection: string; readonly question: Question; readonly stands: (answer: Answer) => boolean }[] = [
  {
    objection: 'sharing the address space dismantles process isolation',
    question: reachableMemory,
    stands: ({ happened }) => !/for user mode: 0\b/.test(happened.join('\n')),
  },
  {
    objection: 'all processes become large ones, expensive to tear down',
    question: tearDownCost,
    stands: ({ happened }) => interrupts(happened.at(-1)) > interrupts(happened[0]),
  },
  {
    objection: 'too many compromises: the address space of every service is cut down',
    question: largeReservations,
    stands: ({ happened }) => happened.some((line) => line.includes('ENOMEM')),
  },
  {
    objection: 'the way Linux schedules is changed for the latency of one kind of IPC',
    question: savedCycles,
    stands: ({ happened }) => happened.some((line) => /^(switch|wake-up): .* is \d/.test(line)),
  },
];

function interrupts(line = ''): number {
  return Number(/(\d+) interrupts/.exec(line)?.[1] ?? 0);
}

function unanswered(options: RpalOptions): Answer {
  const results = objections.map(({ objection, question, stands }) => {
    const answer = question.ask(options);
    return { objection, stands: stands(answer), verdict: answer.verdict };
  });
  const standing = results.filter(({ stands }) => stands).length;
  return {
    done: 'The objections to v1 that a run can decide, each by the experiment of the question that it became, on v2. (Ten thousand lines, and being far from the kernel of the day, cannot be decided by a run: v2 has 9,710 lines and is based on v6.15.)',
    happened: results.flatMap(({ objection, stands, verdict }) => [`${stands ? 'stands' : 'answered'}: ${objection}`, `    ${verdict}`]),
    verdict: ofObjections(standing, results.length),
  };
}

export const stillStanding: Question = {
  who: 'Lorenzo Stoakes, on v2',
  question: 'Feedback on v1 was ignored: which of the objections to v1 can still be shown on v2?',
  ask: unanswered,
};
