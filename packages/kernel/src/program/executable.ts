import { EI_NIDENT, type Image } from '../process/image.js';
import type { Program } from './program.js';
import { ProgramContext } from './program-context.js';

/** What a program's `main` is: a generator that yields inside system calls and memory accesses, and returns its exit status. */
export type Main = (program: Program) => Generator<void, number | void>;

/** An ordinary dynamic, position-independent executable around `main`: 64 KiB of code, 256 KiB of data. */
export function executable(name: string, main: Main, parts: Partial<Omit<Image, 'start'>> = {}): Image {
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
    ...parts,
    start: (contexts, cpu, thread) => new ProgramContext(contexts, cpu, thread, main),
  };
}
