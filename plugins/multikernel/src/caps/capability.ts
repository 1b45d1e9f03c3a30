/** What a capability is to; messages number them in this order. RAM is memory that is nothing yet; a frame can be mapped. */
export const TYPES = ['ram', 'frame', 'endpoint'] as const;

/** What a capability is to. RAM is memory that is nothing yet; a frame can be mapped. */
export type CapabilityType = (typeof TYPES)[number];

/** What a piece of memory may become: RAM becomes smaller RAM and frames; what has been typed stays so until it is revoked. */
const RETYPES: Readonly<Record<CapabilityType, readonly CapabilityType[]>> = {
  ram: ['ram', 'frame'],
  frame: [],
  endpoint: [],
};

/** Why the kernel or a monitor refuses; messages number them in this order. */
export const REFUSALS = [
  /** There is no capability in that slot. */
  'NO_CAPABILITY',
  /** The capability is of another type than the call takes. */
  'WRONG_TYPE',
  /** RAM cannot become that, or not in such pieces. */
  'BAD_RETYPE',
  /** The memory has been typed already, here or on another core. */
  'TYPED_ALREADY',
  /** The receiver has not taken the LRPC before, or another core is changing that memory. */
  'BUSY',
  /** The capability does not give that right. */
  'NO_RIGHT',
  /** The address is mapped already, or is not for users. */
  'BAD_ADDRESS',
  /** Whoever was to answer is dead. */
  'PEER_DIED',
] as const;

/** Why the kernel or a monitor refuses. */
export type Refusal = (typeof REFUSALS)[number];

/** A capability: what it is to, and for memory, which frames. Copies of one are equal and are different objects. */
export interface Capability {
  readonly type: CapabilityType;
  /** First frame, and how many; 0 and 0 for an endpoint. */
  readonly first: number;
  readonly count: number;
  readonly writable: boolean;
  /** Of an endpoint: the dispatcher that receives there; -1 for memory. */
  readonly receiver: number;
}

/** Whether RAM may be divided into pieces of that type and size. */
export function retypes({ type, count }: Capability, to: CapabilityType, pieces: number, frames: number): boolean {
  const whole = Number.isInteger(pieces) && Number.isInteger(frames) && pieces > 0 && frames > 0;
  return whole && RETYPES[type].includes(to) && pieces * frames <= count;
}

/** Whether two capabilities are to the same object. */
export function sameObject(a: Capability, b: Capability): boolean {
  return a.type === b.type && a.first === b.first && a.count === b.count && a.receiver === b.receiver;
}

/** Whether `a` has been made from `of` by retyping: it is another object in its memory. */
export function descends(a: Capability, of: Capability): boolean {
  return of.type === 'ram' && a.type !== 'endpoint' && inside(a, of) && !sameObject(a, of) && (a.type !== 'ram' || a.count < of.count);
}

function inside(a: Capability, of: Capability): boolean {
  return a.first >= of.first && a.first + a.count <= of.first + of.count;
}
