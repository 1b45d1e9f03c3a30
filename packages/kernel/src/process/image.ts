import type { Program } from '../program/program.js';

/** Where the magic of special binaries may sit: `e_ident` of an ELF header is 16 bytes. */
export const EI_NIDENT = 16;

/** A loadable part of an executable. Addresses are relative to the load bias. */
export interface Segment {
  readonly address: number;
  readonly bytes: number;
  /** `Prot` bits. */
  readonly prot: number;
}

/** What a program's `main` is: a generator that yields inside system calls and memory accesses, and returns its exit status. */
export type Main = (program: Program) => Generator<void, number | void>;

/** An executable file. */
export interface Image {
  readonly name: string;
  /** The sixteen identification bytes of the ELF header. */
  readonly ident: Uint8Array;
  /** Position independent: loaded at a bias. Otherwise at the addresses of its segments. */
  readonly pie: boolean;
  /** Starts through a dynamic loader. */
  readonly dynamic: boolean;
  readonly segments: readonly Segment[];
  readonly main: Main;
}

/** An ordinary dynamic, position-independent executable around `main`: 64 KiB of code, 256 KiB of data. */
export function executable(name: string, main: Main, parts: Partial<Image> = {}): Image {
  const ident = new Uint8Array(EI_NIDENT);
  ident.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  return {
    name,
    ident,
    pie: true,
    dynamic: true,
    segments: [
      { address: 0, bytes: 0x1_0000, prot: 5 },
      { address: 0x1_0000, bytes: 0x4_0000, prot: 3 },
    ],
    main,
    ...parts,
  };
}
