import type { MmStruct } from './mm-struct.js';
import { AnonVma, type Vma, VmFlag } from './vma.js';

/**
 * Makes sure that `area` has an `anonVma` before it gets its first private page: that of a neighbour it could one day
 * merge with, or a new one (Linux: `__anon_vma_prepare`).
 */
export function prepareAnonVma(mm: MmStruct, area: Vma): void {
  if (area.anonVma !== null) return;
  const index = mm.areas.indexFrom(area.start);
  const next = mm.areas.at(index + 1);
  const previous = mm.areas.at(index - 1);
  if (next !== undefined && reusable(next, area, next)) area.anonVma = next.anonVma;
  else if (previous !== undefined && reusable(previous, previous, area)) area.anonVma = previous.anonVma;
  else area.anonVma = new AnonVma();
  area.anonChain = 1;
}

/** Linux: `reusable_anon_vma`: the two differ in rights at most, and the owner was not copied by a fork. */
function reusable(owner: Vma, low: Vma, high: Vma): boolean {
  return (
    owner.anonVma !== null &&
    owner.anonChain === 1 &&
    low.end === high.start &&
    low.object === high.object &&
    ((low.flags ^ high.flags) & ~VmFlag.PROT) === 0 &&
    low.key === high.key &&
    low.offset + low.pages === high.offset
  );
}
