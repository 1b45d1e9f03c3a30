import { type CapabilityType, REFUSALS, type Refusal, TYPES } from '../caps/capability.js';

/** What a domain asks the monitor of its core, as the first word of an LRPC. */
export const Request = { UNMAP: 1, RETYPE: 2, REVOKE: 3 } as const;

/** What monitors ask each other to do. Each core does it, or refuses. */
export const Operation = {
  /** Nothing: measures the way. */
  NOTHING: 0,
  /** Forget the translation of an address. Words: the address space, the address. */
  INVALIDATE: 1,
  /** Claim memory that is about to be typed. Words: first frame, count. */
  CLAIM: 2,
  /** The claim is over. */
  RELEASE: 3,
  /** Remove what was made of memory, and its copies, and forget their pages. Words: type, first frame, count. */
  REVOKE: 4,
} as const;

/** A refusal as a word of a message; 0 for none. */
export function codeOf(refusal: Refusal | null): number {
  return refusal === null ? 0 : 1 + REFUSALS.indexOf(refusal);
}

/** The refusal that a word says; null for none. */
export function refusalOf(code: number | undefined): Refusal | null {
  return REFUSALS[(code ?? 0) - 1] ?? null;
}

/** A type as a word of a message. */
export function typeCode(type: CapabilityType): number {
  return TYPES.indexOf(type);
}

/** The type that a word says; undefined if it says none. */
export function typeOf(code: number | undefined): CapabilityType | undefined {
  return TYPES[code ?? -1];
}
