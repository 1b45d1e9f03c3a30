import { done, exactly } from '@rpal/kernel';
import type { RpalOptions } from '@rpal/rpal-core';
import { Errno, MapFlag, Prot } from '@rpal/uapi';
import { type Answer, hex, type Question } from './question.js';
import { meet } from './services.js';
import { ofMappings, ofReservations } from './verdicts.js';

const SLICE = 2 ** 39;
const PRIVATE = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
const READ_WRITE = Prot.READ | Prot.WRITE;

function result(value: number): string {
  if (value >= 0) return hex(value);
  return Object.entries(Errno).find(([, number]) => number === -value)?.[0] ?? String(value);
}

function large(options: RpalOptions): Answer {
  const sizes = [100, 300, 511, 512, 600];
  const results: number[] = [];
  meet(options, function* (p) {
    for (const gib of sizes) {
      const at = yield* p.mmap(0, gib * 2 ** 30, Prot.NONE, PRIVATE | MapFlag.NORESERVE);
      results.push(at);
      if (at > 0) exactly('munmap', yield* p.munmap(at, gib * 2 ** 30), 0);
    }
  });
  return {
    done: 'A service reserves ever larger ranges (PROT_NONE, MAP_NORESERVE), each given back before the next.',
    happened: sizes.map((gib, index) => `${gib} GiB: ${result(results[index] as number)}`),
    verdict: ofReservations(sizes, results, -Errno.ENOMEM),
  };
}

function hints(options: RpalOptions): Answer {
  const lines: string[] = [];
  let escaped = false;
  meet(options, function* (p) {
    const inside = done('mmap', yield* p.allocate(4096));
    const base = Math.floor(inside / SLICE) * SLICE;
    const outside = base > SLICE ? base - SLICE : base + SLICE;
    const tries: readonly (readonly [string, number, number])[] = [
      ['a hint outside the slice', outside, PRIVATE],
      ['MAP_FIXED outside the slice', outside, PRIVATE | MapFlag.FIXED],
      ['MAP_32BIT', 0, PRIVATE | MapFlag.BIT32],
    ];
    lines.push(`the slice: ${hex(base)} .. ${hex(base + SLICE)}`);
    for (const [what, address, flags] of tries) {
      const at = yield* p.mmap(address, 4096, READ_WRITE, flags);
      const out = at > 0 && (at < base || at >= base + SLICE);
      escaped ||= out;
      lines.push(`${what}${address === 0 ? '' : ` (${hex(address)})`}: ${result(at)}${out ? ', outside' : ''}`);
    }
  });
  return {
    done: 'A service maps a page with a hint outside its slice, with MAP_FIXED there, and with MAP_32BIT.',
    happened: lines,
    verdict: ofMappings({ escaped }),
  };
}

export const largeReservations: Question = {
  who: 'derived',
  question: 'What does a program get that needs more than 512 GiB of address space?',
  ask: large,
};

export const mappingsOutside: Question = {
  who: 'derived',
  question: 'mmap with a hint outside the slice, MAP_FIXED outside, MAP_32BIT: what happens?',
  ask: hints,
};
