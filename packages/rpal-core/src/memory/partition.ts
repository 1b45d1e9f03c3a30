import { type Cpu, PAGE_SIZE, pageFloor, type Rng } from '@rpal/hw-x86';
import { insertArea, type Layout, MMAP_MIN_ADDR, MmStep, mayExpand, mmapBaseBelow, mmapLegacyBaseBelow, Vma, VmFlag } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import { RPAL_MAX_RAND_BITS, RPAL_RAND_SPAN } from '../abi/constants.js';
import type { Rpal } from '../rpal.js';
import { RpalBug } from '../rpal-bug.js';
import type { RpalService } from '../services/service.js';

/** Pages by which the top of the stack is randomised, as for any process. */
const STACK_RANDOM_PAGES = 0x40_0000;

/** The layout of an RPAL process (patch 05): everything within its slice of 512 GiB. */
export function sliceLayout(layout: Layout, service: RpalService, rng: Rng): Layout {
  const bias = layout.loadBias % RPAL_RAND_SPAN;
  const stackTop = service.top - PAGE_SIZE - rng.below(STACK_RANDOM_PAGES) * PAGE_SIZE;
  const mmapPages = rng.below(2 ** RPAL_MAX_RAND_BITS);
  return {
    ...layout,
    stackTop,
    mmapBase: mmapBaseBelow(service.top, mmapPages),
    // A third of the slice's top: below the slice, in the balloon. The search upwards still ends in the slice.
    mmapLegacyBase: mmapLegacyBaseBelow(service.top, mmapPages),
    loadBias: service.base + pageFloor(bias),
    brkStart: service.staticPie && !service.bad ? service.base : layout.brkStart,
  };
}

/**
 * Occupies every user address outside the slice with inaccessible mappings (patch 05), so that whatever is mapped later lands inside. As
 * written the area is looked up at the result of the mapping, even if that is an error. @returns 0, -EINVAL or -ENOMEM
 */
export function inflateBalloon(rpal: Rpal, cpu: Cpu, { mm, base, top, id }: RpalService): number {
  const parts = [
    [MMAP_MIN_ADDR, base],
    [top, mm.layout.taskSize],
  ] as const;
  if (parts.some(([start, end]) => !mm.areas.isFree(start, end))) return -Errno.EINVAL;
  const flags = (VmFlag.PROT << 4) | VmFlag.DONTEXPAND | VmFlag.PFNMAP | VmFlag.DONTDUMP;
  for (const [start, end] of parts) {
    cpu.charge(MmStep.mmapBody);
    if (rpal.heap.fails() || !mayExpand(mm, flags, (end - start) / PAGE_SIZE)) {
      if (!rpal.quirk('balloon-failure-unchecked')) return -Errno.ENOMEM;
      throw new RpalBug('oops', 5, `the balloon of service ${id} cannot be mapped, and its area is looked up at -ENOMEM`);
    }
    insertArea(mm, new Vma(start, end, flags, 0, null, start / PAGE_SIZE));
  }
  return 0;
}
