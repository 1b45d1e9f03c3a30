import { EI_NIDENT, type Image } from '../process/image.js';
import { type Main, requireMain } from './main.js';
import { ProgramContext } from './program-context.js';
import { requireImage } from './require-image.js';

/** An executable around a generator. */
export interface ProgramImage extends Image {
  readonly main: Main;
}

/**
 * An ordinary dynamic, position-independent executable around `main`: 64 KiB of code, 256 KiB of data.
 * @throws MachineError NOT_EXECUTABLE, NOT_A_PROGRAM
 */
export function executable(name: string, main: Main, parts: Partial<Omit<Image, 'start'>> = {}): ProgramImage {
  const ident = new Uint8Array(EI_NIDENT);
  ident.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const image: ProgramImage = {
    name,
    ident,
    pie: true,
    dynamic: true,
    segments: [
      { address: 0, bytes: 0x1_0000, prot: 5 },
      { address: 0x1_0000, bytes: 0x4_0000, prot: 3 },
    ],
    ...parts,
    main,
    start: (contexts, cpu, thread) => new ProgramContext(contexts, cpu, thread, main),
  };
  requireImage('executable', image);
  requireMain(`executable "${name}"`, main);
  return image;
}
