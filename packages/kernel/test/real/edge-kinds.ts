import type { Draw } from '../../../../scripts/testing/draw.ts';
import { B, END, HUGE, N, PAGE, placed, R, S, U } from './edge-memory.js';

/** Ids that are known at run time only: registers say `v0` to `v8`. The same numbers as in the driver (`enum value`). */
export const Id = { SELF: 0, LIVING: 1, DEAD: 2, OTHER_THREAD: 3, GONE: 4, SHM: 5, PARENT: 6, SEMAPHORES: 7, LETTERS: 8 } as const;

/** A register: a number, or an id by name. */
export type Register = bigint | `v${number}`;

export const ADDRESSES = [
  0,
  1,
  8,
  B,
  B + 1,
  B + 4090,
  B + 8190,
  B + 8191,
  B + 8192,
  R,
  R + 4095,
  N,
  U,
  S,
  END - 8,
  END - 1,
  END,
  END + 1,
  2 ** 47,
]
  .map(BigInt)
  .concat([2n ** 62n, 2n ** 48n, -(2n ** 47n), -4096n, -8n, -1n, -(2n ** 63n)]);
const PAGES = [0, B, B + PAGE, B + 2 * PAGE, R, N, U, S, B + 1, END - PAGE, END, 2 ** 47].map(BigInt).concat([-4096n, -(2n ** 63n), -1n]);
const SIZES = [0, 1, 2, 3, 4, 8, 16, 100, 4095, 4096, 4097, 8192, 2 ** 31 - 1, 2 ** 31, 2 ** 31 - 4096, 2 ** 32 - 1, 2 ** 32, 2 ** 47]
  .map(BigInt)
  .concat([2n ** 62n, HUGE, -(2n ** 63n), -8192n, -4096n, -4095n, -1n]);
/** Lengths of memory: none that reaches from the pages of a case to the rest of the process. */
const SPANS = [0, 1, 4095, 4096, 4097, 8192, 12_288, 2 ** 47]
  .map(BigInt)
  .concat([2n ** 62n, HUGE, -(2n ** 63n), -8192n, -4096n, -4095n, -1n]);
const INTS = [0, 1, 2, 3, 7, 8, 16, 63, 64, 65, 100, 1023, 1024, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1]
  .map(BigInt)
  .concat([-1n, -2n, -(2n ** 31n), -(2n ** 31n) - 1n, HUGE, -(2n ** 63n)]);
const FDS = [30, 63, 64, 1000, -1, -100, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 3, 2 ** 32 - 1].map(BigInt).concat([-(2n ** 63n), HUGE]);
const OFFSETS = [0, 1, 4096, 8191, 12_288, 12_289, 2 ** 31, 2 ** 32, 2 ** 40].map(BigInt).concat([HUGE, -1n, -4096n, -(2n ** 63n)]);

/** Something that a register may hold. */
export type Kind = (draw: Draw) => Register;

export const from =
  (values: readonly (number | bigint)[]): Kind =>
  (draw) =>
    BigInt(values[draw(values.length)] as number | bigint);
/** Mostly `usual`, sometimes at the edge. */
export const mostly =
  (usual: Kind, edge: Kind): Kind =>
  (draw) =>
    draw(3) > 0 ? usual(draw) : edge(draw);

export const int: Kind = from(INTS);
export const fd: Kind = mostly(from(Array.from({ length: 20 }, (_, i) => i)), from(FDS));
export const fdOf = (...fds: number[]): Kind => mostly(from(fds), fd);
export const buffer: Kind = mostly(from([B, B + 8, B + 4090, S, R]), from(ADDRESSES));
export const size: Kind = mostly(from([0, 1, 8, 20, 100, 4096]), from(SIZES));
/** Structures that lie where they should, or not in memory at all. */
export const aligned =
  (kind: Kind): Kind =>
  (draw) => {
    const register = kind(draw);
    return typeof register === 'bigint' ? register - (((register % 8n) + 8n) % 8n) : register;
  };
export const at = (kind: string): Kind => mostly(from(placed(kind)), from(ADDRESSES));
export const page: Kind = from(PAGES);
export const span: Kind = mostly(from([4096, 8192, 1]), from(SPANS));
export const signal: Kind = mostly(from([0, 1, 9, 10, 12, 15, 17, 18, 19, 34, 64]), from([-1, 32, 65, 66, 2 ** 31, 2 ** 32 + 10, 1000]));
export const pid: Kind = (draw) => (draw(3) > 0 ? `v${[Id.SELF, Id.LIVING, Id.DEAD, Id.OTHER_THREAD, Id.GONE][draw(5)] ?? 0}` : pids(draw));
const pids = from([0, 4_000_000, 2 ** 31 - 1, -(2 ** 31), 2 ** 32 + 4_000_000, -4_000_000]);
export const offset: Kind = from(OFFSETS);
export const zero: Kind = from([0]);
export const option = (...values: number[]): Kind => mostly(from(values), int);
/** Bits: those that are known, alone and in pairs, and any one. */
export const flags =
  (...known: number[]): Kind =>
  (draw) => {
    const one = () => BigInt(known[draw(known.length)] ?? 0);
    switch (draw(6)) {
      case 0:
        return 0n;
      case 1:
        return one() | one();
      case 2:
        return 1n << BigInt(draw(34));
      case 3:
        return from([-1, 2 ** 32, 2 ** 31])(draw);
      default:
        return one();
    }
  };

/** Unix sockets, and numbers that no family has. */
export const families: Kind = from([1, 1, 1, 1, 0, 45, 46, 100, -1, 2 ** 31 - 1, 2 ** 32 + 1]);

export const CLOEXEC = 0o2000000;
export const NONBLOCK = 0o4000;

/** Directories that relative paths begin at: mostly the current one (AT_FDCWD). */
export const directory: Kind = mostly(from([-100, -100, 20]), from([0, 21, 30, -1, 2 ** 31]));
export const path: Kind = at('path');
export const user: Kind = from([0, 1000, -1, 2 ** 32 - 1, 2 ** 32, 5, 2 ** 31]);
export const clock: Kind = mostly(from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11]), from([10, 12, 15, 16, -1, -2, -6, 2 ** 31, 2 ** 32 + 1]));
