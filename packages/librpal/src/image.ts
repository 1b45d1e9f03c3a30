import { executable, type Image, type Main, type ProgramImage } from '@rpal/kernel';
import { RPAL_MAGIC, RPAL_MAGIC_OFFSET } from '@rpal/rpal-core';

/** An executable marked as an RPAL binary: the four characters written over bytes 12 .. 15 of its ELF identification. */
export function rpalExecutable(name: string, main: Main, parts: Partial<Omit<Image, 'start'>> = {}): ProgramImage {
  const image = executable(name, main, parts);
  const ident = image.ident.slice();
  for (let i = 0; i < RPAL_MAGIC.length; i++) ident[RPAL_MAGIC_OFFSET + i] = RPAL_MAGIC.charCodeAt(i);
  return { ...image, ident };
}
