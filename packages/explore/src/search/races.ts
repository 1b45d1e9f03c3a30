import type { Segment } from './run.js';

/**
 * Where only the schedule decides the order of two conflicting steps: index, and what to try there. Steps after the order is settled could
 * have come before any step from before that, but keep their order among themselves.
 */
export function races(segments: readonly Segment[]): Map<number, Set<number>> {
  const found = new Map<number, Set<number>>();
  /** For each step, the last step of every actor that comes before it in any order. */
  const before: Map<number, number>[] = [];
  const lastOf = new Map<number, number>();
  const writer = new Map<number, number>();
  const readers = new Map<number, Map<number, number>>();

  const note = (i: number, j: number): void => {
    const first = segments[i] as Segment;
    const second = segments[j] as Segment;
    if (first.choice === second.choice || first.enabled.length === 1) return;
    const todo = found.get(i) ?? new Set<number>();
    found.set(i, todo);
    if (first.enabled.includes(second.choice)) todo.add(second.choice);
    else for (const choice of first.enabled) todo.add(choice);
  };

  for (let j = 0; j < segments.length; j++) {
    const { choice, settled, reads, writes } = segments[j] as Segment;
    const previous = lastOf.get(choice);
    const mine = new Map(previous === undefined ? [] : before[previous]);
    if (previous !== undefined) mine.set(choice, previous);
    const conflicts = new Set<number>();
    for (const word of writes) {
      const last = writer.get(word);
      if (last !== undefined) conflicts.add(last);
      for (const reader of readers.get(word)?.values() ?? []) conflicts.add(reader);
    }
    for (const word of reads) {
      const last = writer.get(word);
      if (last !== undefined) conflicts.add(last);
    }
    // Unordered so far: neither the actor's own past nor anything it has seen comes after that step.
    for (const i of conflicts) if ((mine.get((segments[i] as Segment).choice) ?? -1) < i) note(i, j);
    for (const i of conflicts) {
      const actor = (segments[i] as Segment).choice;
      if ((mine.get(actor) ?? -1) < i) mine.set(actor, i);
      for (const [other, at] of before[i] as Map<number, number>) if ((mine.get(other) ?? -1) < at) mine.set(other, at);
    }
    before.push(mine);
    lastOf.set(choice, j);
    if (settled) continue;
    for (const word of writes) {
      writer.set(word, j);
      readers.delete(word);
    }
    for (const word of reads) {
      const list = readers.get(word) ?? new Map<number, number>();
      list.set(choice, j);
      readers.set(word, list);
    }
  }
  return found;
}

/** Do two steps touch different memory, so that their order makes no difference? */
export function independent(a: Segment, b: Segment): boolean {
  return a.choice !== b.choice && !overlap(a.writes, b.writes) && !overlap(a.writes, b.reads) && !overlap(a.reads, b.writes);
}

function overlap(some: readonly number[], others: readonly number[]): boolean {
  const [few, many] = some.length < others.length ? [some, others] : [others, some];
  if (few.length === 0) return false;
  const words = new Set(few);
  return many.some((word) => words.has(word));
}
