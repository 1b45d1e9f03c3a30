import { describe, it } from 'vitest';
import { MEMORY, NOWHERE, poke, type Step, sameAsLinux } from './real/same-as-linux.js';

const FD = 3;
const ADD = 1033;
const GET = 1034;
const Seal = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 0x10, EXEC: 0x20 } as const;
const NAME = MEMORY + 64;
const DATA = MEMORY + 4096;
const AREA = MEMORY + 0x8000;
const SHARED = 0x11;
const PRIVATE = 0x12;

/** A file with two and a half pages, and what is done to it under seals. */
const sealed = (flags: number, ...steps: Step[]): void =>
  sameAsLinux(poke(NAME, 0x6d), ['memfd_create', NAME, flags], ['ftruncate', FD, 10_240], ...steps, ['fcntl', FD, GET, 0]);
/** Everything that a seal may stand against. */
const everything: readonly Step[] = [
  ['ftruncate', FD, 10_239],
  ['ftruncate', FD, 10_239],
  ['ftruncate', FD, 10_241],
  ['pwrite64', FD, DATA, 10, 0],
  ['pwrite64', FD, DATA, 4096, 8192],
  ['pwrite64', FD, DATA, 8192, 4000],
  ['pwrite64', FD, DATA, 10, 20_000],
  ['lseek', FD, 0, 2],
  ['mmap', AREA, 4096, 3, SHARED, FD, 0],
  ['mmap', AREA, 4096, 1, SHARED, FD, 0],
  ['mprotect', AREA, 4096, 3],
  ['mmap', AREA, 4096, 3, PRIVATE, FD, 0],
  ['munmap', AREA, 4096],
];

describe('memfd_create', () => {
  it.each([0, 1, 2, 8, 9, 10, 0x10, 0x12])('with flags %i says what the file may be sealed with', (flags) => {
    sealed(
      flags,
      ['fcntl', FD, ADD, Seal.GROW],
      ['fcntl', FD, ADD, Seal.EXEC],
      ['fcntl', FD, ADD, 0x40],
      ['fcntl', FD, ADD, -1],
      ['fcntl', FD, 1, 0],
    );
  });

  it('refuses other flags, names that are not there, and long ones', () => {
    sameAsLinux(
      poke(NAME, 0x6d),
      ['memfd_create', NAME, 0x18],
      ['memfd_create', NAME, 0x20],
      ['memfd_create', NAME, -1],
      ['memfd_create', NOWHERE, 0],
      poke(NAME, ...new Array<number>(62).fill(0x6161_6161), 0x61),
      ['memfd_create', NAME, 0],
      poke(NAME, ...new Array<number>(62).fill(0x6161_6161), 0x6161),
      ['memfd_create', NAME, 0],
    );
  });
});

describe('a seal', () => {
  it.each([Seal.SHRINK, Seal.GROW, Seal.WRITE, Seal.FUTURE_WRITE, Seal.EXEC, Seal.SEAL, Seal.GROW | Seal.SHRINK, 0x3f])(
    'of %i is stronger than whoever has the file open for writing',
    (seal) => {
      sealed(2, ['fcntl', FD, ADD, seal], ...everything, ['fcntl', FD, ADD, Seal.GROW]);
    },
  );

  it('against growing stands against what O_APPEND takes to the end, wherever it was to go', () => {
    sealed(
      2,
      ['fcntl', FD, 4, 0x400],
      ['pwrite64', FD, DATA, 10, 0],
      ['fcntl', FD, ADD, Seal.GROW],
      ['pwrite64', FD, DATA, 10, 0],
      ['write', FD, DATA, 10],
      ['lseek', FD, 0, 1],
      ['lseek', FD, 0, 2],
    );
  });

  it('against writing is not put on while there is a mapping that may write; one against future writing is', () => {
    sealed(
      2,
      ['mmap', AREA, 8192, 1, SHARED, FD, 0],
      ['munmap', AREA + 4096, 4096],
      ['fcntl', FD, ADD, Seal.WRITE],
      ['fcntl', FD, ADD, Seal.FUTURE_WRITE],
      ['mprotect', AREA, 4096, 3],
      ['munmap', AREA, 4096],
      ['mmap', AREA, 8192, 3, PRIVATE, FD, 0],
      ['fcntl', FD, ADD, Seal.WRITE],
    );
  });
});

describe('the owner of a file', () => {
  it('is set, told, and looked for as on Linux', () => {
    const AT = MEMORY + 512;
    sameAsLinux(
      ['pipe', MEMORY],
      ['fcntl', FD, 9, 0],
      ['fcntl', FD, 8, 4_000_000],
      ['fcntl', FD, 8, -4_000_000],
      ['fcntl', FD, 8, -0x8000_0000],
      ['fcntl', FD, 8, 0],
      ['fcntl', FD, 10, 10],
      ['fcntl', FD, 11, 0],
      ['fcntl', FD, 10, 65],
      ['fcntl', FD, 10, -1],
      ['fcntl', FD, 10, 0],
      ['fcntl', FD, 11, 0],
      poke(AT, 3, 0),
      ['fcntl', FD, 15, AT],
      poke(AT, 1, 4_000_000),
      ['fcntl', FD, 15, AT],
      poke(AT, 0, 0),
      ['fcntl', FD, 15, AT],
      ['fcntl', FD, 15, NOWHERE],
      ['fcntl', FD, 16, NOWHERE],
      ['fcntl', FD, 9, 0],
    );
  });
});
