import { shown } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import { MachineError } from '../errors.js';
import type { ContextTable } from './context-table.js';
import type { Thread } from './thread.js';
import type { ThreadContext } from './thread-context.js';

/** Where the magic of special binaries may sit: `e_ident` of an ELF header is 16 bytes. */
export const EI_NIDENT = 16;

/** A loadable part of an executable. Addresses are relative to the load bias. */
export interface Segment {
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
  readonly segments: readonly Segment[];
  /** Makes the flow that executes the program, once its memory is laid out. */
  readonly start: (contexts: ContextTable, cpu: Cpu, thread: Thread) => ThreadContext;
}

/** @param call who was given the image, for the message @throws MachineError NOT_EXECUTABLE for what is none */
export function requireImage(call: string, image: unknown): asserts image is Image {
  const refusal = (what: string) => new MachineError('NOT_EXECUTABLE', `${call} was given ${what}`);
  const remedy = "make one: executable('name', function* (p) { ... })";
  if (typeof image !== 'object' || image === null) throw refusal(`${shown(image)} for an executable; ${remedy}`);
  const { name, ident, segments, start } = image as Partial<Image>;
  if (typeof name !== 'string' || name === '') throw refusal(`an executable whose name is ${shown(name)}; ${remedy}`);
  if (!(ident instanceof Uint8Array) || ident.length !== EI_NIDENT) {
    throw refusal(`executable "${name}", whose ident is ${shown(ident)}; give a Uint8Array of ${EI_NIDENT} bytes, or ${remedy}`);
  }
  if (!Array.isArray(segments) || !segments.every(isSegment)) {
    throw refusal(`executable "${name}" with segments that are none; give an array of { address, bytes, prot }`);
  }
  if (typeof start !== 'function') throw refusal(`executable "${name}", which has ${shown(start)} to start it; ${remedy}`);
}

function isSegment(segment: unknown): boolean {
  const { address = -1, bytes = -1, prot = -1 } = (segment ?? {}) as Partial<Segment>;
  return address >= 0 && bytes >= 0 && prot >= 0 && prot <= 7;
}
