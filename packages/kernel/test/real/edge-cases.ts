import type { Draw } from '../../../../scripts/testing/draw.ts';
import { kernelCalls } from './edge-calls.js';
import { nameCalls } from './edge-calls-names.js';
import { posixCalls } from './edge-calls-posix.js';
import { Id, type Register } from './edge-kinds.js';
import { Mode, type Signature } from './edge-signatures.js';

/** What a case needs beside its process: bits, as in the driver (`enum helper`). */
export const Helper = { CHILD: 1, ZOMBIE: 2, THREAD: 4, REAPED: 8, SEGMENT: 16, TREE: 32, SEMAPHORES: 64, LETTERS: 128 } as const;

const HELPER_OF: Readonly<Record<number, number>> = {
  [Id.LIVING]: Helper.CHILD,
  [Id.DEAD]: Helper.ZOMBIE,
  [Id.OTHER_THREAD]: Helper.THREAD,
  [Id.GONE]: Helper.REAPED,
  [Id.SHM]: Helper.SEGMENT,
  [Id.SEMAPHORES]: Helper.SEMAPHORES,
  [Id.LETTERS]: Helper.LETTERS,
};

const signatures: readonly Signature[] = [...kernelCalls, ...posixCalls, ...nameCalls];
const MODES: ReadonlyMap<number, number> = new Map(signatures.map(({ nr, mode }) => [nr, mode]));

export interface EdgeCall {
  readonly mode: number;
  readonly nr: number;
  readonly registers: readonly Register[];
}

export interface EdgeCase {
  readonly helpers: number;
  readonly calls: readonly EdgeCall[];
}

export function lineOf({ helpers, calls }: EdgeCase): string {
  return [helpers, ...calls.map(({ mode, nr, registers }) => [mode, nr, ...registers].join(' '))].join(' ');
}

/** The case of calls that are written down as in a program. */
export function edgeCase(...calls: readonly (readonly [nr: number, ...registers: (number | bigint | `v${number}`)[]])[]): EdgeCase {
  return caseOf(
    calls.map(([nr, ...given]) => {
      const registers = Array.from({ length: 6 }, (_, i): Register => {
        const value = given[i] ?? 0;
        return typeof value === 'string' ? value : BigInt(value);
      });
      return { mode: MODES.get(nr) ?? 0, nr, registers };
    }),
  );
}

/** The case of calls, with what they need. */
export function caseOf(calls: readonly EdgeCall[]): EdgeCase {
  let helpers = 0;
  for (const { mode, registers } of calls) {
    for (const register of registers) if (typeof register === 'string') helpers |= HELPER_OF[Number(register.slice(1))] ?? 0;
    if ((mode & Mode.TREE) !== 0) helpers |= Helper.TREE;
  }
  return { helpers, calls };
}

/** A call with what a program might pass, and what it might not. */
export function randomCall(draw: Draw): EdgeCall {
  const { nr, mode, arguments: kinds } = signatures[draw(signatures.length)] as Signature;
  return { mode, nr, registers: Array.from({ length: 6 }, (_, i) => kinds[i]?.(draw) ?? 0n) };
}
