import { ModelledCrash } from '@rpal/bus';

/** How a kernel stops, or is damaged. */
export type CrashKind =
  /** A check of the kernel itself: BUG_ON, panic. */
  | 'BUG'
  | 'panic'
  /** A null or wild pointer is dereferenced. */
  | 'oops'
  /** A CPU loops with interrupts off, and gets no further. */
  | 'hard lockup'
  /** An object is used that has been freed. */
  | 'use after free'
  /** Memory is read or written that belongs to something else. */
  | 'out of bounds'
  /** A variable is used that nobody has set. */
  | 'uninitialised'
  /** The kernel goes on with a structure that is no longer what it must be. */
  | 'corruption';

/**
 * The modelled kernel cannot go on: as the series is written, what happened stops it or damages memory that it needs. `Machine.run` throws
 * it.
 */
export class RpalBug extends ModelledCrash {
  override readonly name = 'RpalBug';
  readonly kind: CrashKind;
  /** Number of the patch whose text does it. */
  readonly patch: number;

  /** @param way how it came to this, as a sentence without a full stop */
  constructor(kind: CrashKind, patch: number, way: string) {
    super(`${way} (${kind}, patch ${patch})`);
    this.kind = kind;
    this.patch = patch;
  }
}
