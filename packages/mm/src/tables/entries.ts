import { Pte } from '@rpal/hw-x86';

/** Flags of the entry of a page that a user may read. */
export const USER_PAGE: number = Pte.present | Pte.user | Pte.accessed;
/** Flags of the entry of a page that a user may write, and that has been written. */
export const WRITTEN_PAGE: number = USER_PAGE | Pte.writable | Pte.dirty;
