import type { PhysicalMemory } from '../src/index.js';

/** An access as the manual speaks of it. */
export interface ReferenceAccess {
  readonly user: boolean;
  readonly kind: 'read' | 'write' | 'fetch';
  /** EFLAGS.AC, of a supervisor-mode access. */
  readonly ac: boolean;
}

/** The control bits that decide about an access. */
export interface ReferenceControls {
  readonly smep: boolean;
  readonly smap: boolean;
  readonly wp: boolean;
  readonly pke: boolean;
  readonly pkru: number;
  readonly physicalBits: number;
}

export type ReferenceResult = { readonly physical: number } | { readonly code: number };

/**
 * A second reading of the Intel SDM, vol. 3, chapter 4 (4-level paging, access rights, protection keys, error codes), with
 * 64-bit integers and no caches: what the model's MMU must agree with after a flush.
 */
export function referenceTranslate(
  memory: PhysicalMemory,
  root: number,
  linear: number,
  access: ReferenceAccess,
  controls: ReferenceControls,
): ReferenceResult {
  const address = BigInt.asUintN(64, BigInt(linear));
  const bit = (entry: bigint, position: number): boolean => ((entry >> BigInt(position)) & 1n) === 1n;
  let code = 0;
  if (access.kind === 'write') code |= 1 << 1;
  if (access.user) code |= 1 << 2;
  if (access.kind === 'fetch') code |= 1 << 4;
  let table = BigInt(root) << 12n;
  let writable = true;
  let userPage = true;
  let noExecute = false;
  for (let level = 4; level >= 1; level--) {
    const shift = BigInt(12 + 9 * (level - 1));
    const at = Number(table + ((address >> shift) & 511n) * 8n);
    const entry = (BigInt(memory.read32(at + 4) >>> 0) << 32n) | BigInt(memory.read32(at) >>> 0);
    if (!bit(entry, 0)) return { code };
    const large = level > 1 && bit(entry, 7);
    let reserved = (entry & ((1n << 52n) - 1n)) >> BigInt(controls.physicalBits) !== 0n;
    if (large && level === 4) reserved = true;
    // An entry that maps a page has zeros between the PAT bit (12) and the page's first address bit.
    if (large && level < 4 && ((entry >> 13n) & ((1n << (shift - 13n)) - 1n)) !== 0n) reserved = true;
    if (reserved) return { code: code | 1 | (1 << 3) };
    writable &&= bit(entry, 1);
    userPage &&= bit(entry, 2);
    noExecute ||= bit(entry, 63);
    if (level > 1 && !large) {
      table = entry & 0xf_ffff_ffff_f000n;
      continue;
    }
    const key = Number((entry >> 59n) & 15n);
    const accessDisabled = ((controls.pkru >>> (2 * key)) & 1) === 1;
    const writeDisabled = ((controls.pkru >>> (2 * key + 1)) & 1) === 1;
    const data = access.kind !== 'fetch';
    const write = access.kind === 'write';
    const keyDenies = controls.pke && data && userPage && (accessDisabled || (writeDisabled && write && (access.user || controls.wp)));
    let rightsDeny: boolean;
    if (access.user) {
      rightsDeny = !userPage || (write && !writable) || (!data && noExecute);
    } else if (data) {
      rightsDeny = (userPage && controls.smap && !access.ac) || (write && !writable && controls.wp);
    } else {
      rightsDeny = noExecute || (userPage && controls.smep);
    }
    if (keyDenies || rightsDeny) return { code: code | 1 | (keyDenies ? 1 << 5 : 0) };
    const frame = (entry & 0xf_ffff_ffff_f000n) >> shift;
    return { physical: Number((frame << shift) | (address & ((1n << shift) - 1n))) };
  }
  throw new Error('unreachable');
}
