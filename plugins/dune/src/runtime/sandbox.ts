import { pageCeil } from '@rpal/hw-x86';
import type { Main } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import { DuneStep } from '../steps.js';
import { type Dune, OPEN, SUPERVISOR } from './dune.js';

/** What code that is not trusted may use. */
export interface SandboxPolicy {
  /** The memory that it has: address of a page, and bytes. Its stack and its data are there; all else is ring 0's. */
  readonly memory: readonly [start: number, length: number];
  /** Which system calls are passed on to Linux; others return -EPERM. Pointers are numbers like others here: compare them with `within`. */
  readonly allows: (nr: number, args: readonly number[]) => boolean;
}

/** How it ended. */
export type SandboxEnd = { readonly kind: 'ended' } | { readonly kind: 'stopped'; readonly address: number };

/** Lies [`address`, `address + length`) in the memory of the sandbox? @public for policies */
export function within([start, bytes]: SandboxPolicy['memory'], address: number, length: number): boolean {
  return address >= start && length >= 0 && address + length <= start + bytes;
}

/**
 * Runs code in ring 3 that is not trusted, on page tables where nothing but its own memory has user rights. An exception ends it, not the
 * program that runs it. The handlers that were set before are set again afterwards.
 */
export function* sandbox(d: Dune, { memory, allows }: SandboxPolicy, main: Main): Generator<void, SandboxEnd> {
  const [start, length] = memory;
  const tables = yield* d.newTables(SUPERVISOR);
  yield* d.protect(start, pageCeil(length), OPEN, tables);
  let stoppedAt = -1;
  const before = d.handlers;
  d.handlers = {
    // biome-ignore lint/correctness/useYield: nothing is left to do in ring 0
    *onTrap(_d, { address }) {
      stoppedAt = address;
    },
    *onCall(inner, nr, args) {
      inner.p.context.cpu.charge(DuneStep.policy);
      return allows(nr, args) ? yield* before.onCall(inner, nr, args) : -Errno.EPERM;
    },
  };
  const ended = yield* d.ring3(main, tables, () => stoppedAt >= 0);
  d.handlers = before;
  yield* d.drop(tables);
  return ended ? { kind: 'ended' } : { kind: 'stopped', address: stoppedAt };
}
