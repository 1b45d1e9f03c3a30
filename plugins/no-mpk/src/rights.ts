import type { RpalService } from '@rpal/rpal-core';
import { Pkey } from '@rpal/uapi';

/** PKRU that denies all access to every key. */
const NO_ACCESS = 0x5555_5555;

/** What rights say of a service's key: `Pkey` bits. */
export function deniedBy(rights: number, service: RpalService): number {
  return service.pkey < 0 ? 0 : (rights >>> (2 * service.pkey)) & 3;
}

/** The word that stands for all words with the same meaning: without the right to read, the right to write means nothing. */
export function canonical(rights: number): number {
  return rights & ~((rights & NO_ACCESS) << 1);
}

/**
 * True for rights as RPAL itself gives them: at most two services open, a caller and whom it calls, or everything readable
 * for a look at a peer's descriptor table. There are few of them: 137 words of the first kind, 17 of the second.
 */
export function isUsual(rights: number): boolean {
  let open = 0;
  let closed = 0;
  for (let key = 0; key < 16; key++) {
    const denied = (rights >>> (2 * key)) & 3;
    if (denied === 0) open++;
    if ((denied & Pkey.DISABLE_ACCESS) !== 0) closed++;
  }
  return open + closed === 16 ? open <= 2 : closed === 0 && open <= 1;
}
