import type { RpalOptions } from '@rpal/rpal-core';
import { rpal } from '@rpal/rpal-core';
import { groundsOf } from '../report/grounds.js';
import { tenths, whole } from '../report/numbers.js';
import { type Placement, RfcBenchmark, runRfcBenchmark } from '../rfc-benchmark.js';
import type { Answer, Question } from './question.js';
import { ofArchitecture, ofBaselines, ofSavings } from './verdicts.js';

const MESSAGES = 200;

function baselines(options: RpalOptions): Answer {
  const lines: string[] = [];
  const ratios: number[] = [];
  for (const placement of ['same-cpu', 'same-socket', 'cross-socket'] satisfies Placement[]) {
    for (const idle of placement === 'same-cpu' ? (['C1E'] as const) : (['poll', 'C1', 'C1E'] as const)) {
      const { phases } = runRfcBenchmark({
        machine: { idle, plugins: [rpal(options)] },
        placement,
        messages: MESSAGES,
        size: 32,
        phases: ['epoll', 'rpal'],
      });
      const [epoll = 0, call = 0] = phases.map(({ totalCycles, messages }) => totalCycles / messages);
      const [epollTrip = 1, callTrip = 1] = phases.map(({ forward, back, messages }) => (forward.total + back.total) / messages);
      ratios.push(epoll / call);
      const where = placement === 'same-cpu' ? placement : `${placement}, idle in ${idle}`;
      lines.push(
        `${where}: epoll ${whole(epoll)}, RPAL ${whole(call)} cycles one way: ${(epoll / call).toFixed(1)} x; round trip ${(epollTrip / callTrip).toFixed(1)} x`,
      );
    }
  }
  return {
    done: `The RFC's benchmark, ${MESSAGES} messages, in every placement and idle state.`,
    happened: lines,
    verdict: ofBaselines(ratios[0] ?? 1, ratios.slice(1)),
  };
}

function saved(options: RpalOptions): Answer {
  const { phases } = runRfcBenchmark({
    machine: { plugins: [rpal(options)] },
    placement: 'same-cpu',
    messages: MESSAGES,
    size: 32,
    phases: ['epoll', 'rpal'],
  });
  const sums = new Map<string, [number, number]>();
  phases.forEach(({ forward, messages }, at) => {
    for (const { step, cycles } of forward.entries) {
      const pair = sums.get(step.cause) ?? [0, 0];
      pair[at as 0 | 1] += cycles / messages;
      sums.set(step.cause, pair);
    }
  });
  const rows = [...sums].map(([cause, [epoll, call]]) => ({ cause, epoll, call, gain: epoll - call })).sort((a, b) => b.gain - a.gain);
  const total = rows.reduce((sum, { gain }) => sum + gain, 0);
  const scheduling = rows.filter(({ cause }) => cause === 'switch' || cause === 'wake-up').reduce((sum, { gain }) => sum + gain, 0);
  return {
    done: `The RFC's benchmark on one CPU, ${MESSAGES} messages: cycles of one message by cause, epoll less RPAL.`,
    happened: rows
      .filter(({ epoll, call }) => epoll >= 0.5 || call >= 0.5)
      .map(({ cause, epoll, call, gain }) => `${cause}: ${tenths(epoll)} less ${tenths(call)} is ${tenths(gain)}`),
    bars: rows.filter(({ gain }) => gain >= 20).map(({ cause, gain }) => ({ label: `saved: ${cause}`, cycles: gain })),
    verdict: ofSavings(total, scheduling),
  };
}

/** Hardware events that only x86 has in this form, and what each stands for. */
const X86_ONLY: Readonly<Record<string, string>> = {
  wrpkru: 'protection keys',
  rdpkru: 'protection keys',
  wrfsbase: 'thread pointer as identity',
  rdfsbase: 'thread pointer as identity',
  fpControl: 'x87 and SSE control words',
};

function architecture(options: RpalOptions): Answer {
  const benchmark = new RfcBenchmark({
    machine: { plugins: [rpal(options)] },
    placement: 'same-cpu',
    messages: MESSAGES,
    size: 32,
    phases: ['rpal'],
  });
  benchmark.advance();
  const [phase] = benchmark.result().phases;
  const { costs } = benchmark.machine.platform;
  const sums = new Map<string, number>();
  let own = 0;
  for (const ledger of phase === undefined ? [] : [phase.forward, phase.back]) {
    for (const entry of ledger.entries) {
      if (!/^@rpal\/(librpal|rpal-core):/.test(entry.step.name)) continue;
      own += entry.cycles / MESSAGES;
      for (const { what, cycles } of groundsOf(entry, costs, 'C1E')) {
        const meaning = X86_ONLY[what.slice(what.lastIndexOf(' ') + 1)];
        if (meaning !== undefined) sums.set(meaning, (sums.get(meaning) ?? 0) + cycles / MESSAGES);
      }
    }
  }
  return {
    done: `The RPAL phase of the RFC's benchmark, ${MESSAGES} round trips: the cycles of RPAL's own steps, in the kernel and in the library, by the instructions they are made of.`,
    happened: [
      `RPAL's own steps: ${tenths(own)} cycles per round trip`,
      ...[...sums].map(([meaning, cycles]) => `${meaning}: ${tenths(cycles)}`),
    ],
    verdict: ofArchitecture(sums, own),
  };
}

export const architectureShare: Question = {
  who: 'Andrew Morton',
  question: 'It is very x86-heavy: how much of it depends on the architecture?',
  ask: architecture,
};

export const slowBaseline: Question = {
  who: 'Ingo Molnar, on the cover letter',
  question: 'The epoll baseline is implausibly slow: how much does RPAL gain against each placement and idle state?',
  ask: baselines,
};

export const savedCycles: Question = {
  who: 'Ingo Molnar',
  question: 'The gain is work left out of the scheduler: where do the saved cycles come from, and what would a faster switch give?',
  ask: saved,
};
