import { MachineError } from '../errors.js';
import { SyscallNumber } from '../process/syscall-numbers.js';

/** Kinds of calls of a program. */
export const Made = { NONE: 0, SYSCALL: 1, ACCESS: 2, SPAN: 3, COMPUTE: 4 } as const;

const NAMES = new Map<number, string>(Object.entries(SyscallNumber).map(([name, nr]) => [nr, name]));
const KINDS: readonly string[] = ['', '', 'a load, store or fetch', 'memset, memcmp, storeBytes, loadBytes or the like', 'compute'];

/** The error of a program that made a call and never awaited it. @param where what came instead */
export function forgotten({ made, nr }: { readonly made: number; readonly nr: number }, where: string): MachineError {
  const call = made === Made.SYSCALL ? `the system call ${NAMES.get(nr) ?? nr}` : KINDS[made];
  const remedy = 'a call takes place only when it is awaited: write yield* before it';
  return new MachineError('NOT_AWAITED', `${call} was made and not awaited before ${where}; ${remedy}`);
}
