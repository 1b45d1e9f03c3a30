import type { Cpu } from '@rpal/hw-x86';
import type { ContextTable } from './context-table.js';
import type { Thread } from './thread.js';
import type { ThreadContext } from './thread-context.js';

/** Where the magic of special binaries may sit: `e_ident` of an ELF header is 16 bytes. @public for engines of machine code */
export const EI_NIDENT = 16;

/** A loadable part of an executable. Addresses are relative to the load bias. */
export interface ImageSegment {
  readonly address: number;
  readonly bytes: number;
  /** `Prot` bits. */
  readonly prot: number;
}

/** An executable file. */
export interface Image {
  readonly name: string;
  /** The sixteen identification bytes of the ELF header. */
  readonly ident: Uint8Array;
  /** Position independent: loaded at a bias. Otherwise at the addresses of its segments. */
  readonly pie: boolean;
  /** Starts through a dynamic loader. */
  readonly dynamic: boolean;
  readonly segments: readonly ImageSegment[];
  /** Makes the flow that executes the program, once its memory is laid out. */
  readonly start: (contexts: ContextTable, cpu: Cpu, thread: Thread) => ThreadContext;
}
