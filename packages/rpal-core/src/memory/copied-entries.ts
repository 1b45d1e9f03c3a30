import { type Cpu, Pte } from '@rpal/hw-x86';
import type { MmStruct } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import type { RpalService } from '../services/service.js';
import type { Sharing } from '../services/sharing.js';
import { RpalStep } from '../steps.js';

/** Marks a top-level entry that was copied from a peer (patch 09): `_PAGE_RPAL_IGN`, the first software bit. */
export const RPAL_IGNORE: number = Pte.software1;

/** Where the locks of two address spaces are taken, for reports and those who observe locks. */
export const LINKING = 'rpal_map_service (patch 9)';
export const UNLINKING = 'rpal_unmap_service (patch 9)';

/**
 * Gives each of two services the other's top-level entry (patch 09: `rpal_map_service`): from then on each can
 * dereference the other's pointers, and sees pages that appear later at once.
 * @returns 0 or -EINVAL
 */
export function linkServices(cpu: Cpu, a: RpalService, b: RpalService): number {
  cpu.charge(RpalStep.link);
  if (b.mm.dead) return -Errno.EINVAL;
  const failed = copyEntry(cpu, b, a.mm);
  if (failed < 0) return failed;
  const back = copyEntry(cpu, a, b.mm);
  if (back < 0) clearEntry(cpu, b, a.mm);
  return back;
}

/** Takes both entries away again (`rpal_unmap_service`), whether or not they were linked. The caller flushes. */
export function unlinkServices(cpu: Cpu, a: RpalService, b: RpalService): void {
  cpu.charge(RpalStep.link);
  for (const [owner, user] of [
    [a, b],
    [b, a],
  ] as const) {
    if (!user.mm.dead) clearEntry(cpu, owner, user.mm);
  }
}

/** Copies the entry of `owner`'s slice into the top-level table of `into`. */
function copyEntry(cpu: Cpu, owner: RpalService, into: MmStruct): number {
  const { memory } = cpu;
  into.mmapLock.pass(cpu, LINKING);
  const source = owner.mm.tables.topEntry(owner.base);
  const target = into.tables.topEntry(owner.base);
  if ((memory.read32(source) & Pte.present) === 0) return -Errno.EINVAL;
  const occupied = memory.read32(target);
  if ((occupied & Pte.present) !== 0 && (occupied & RPAL_IGNORE) === 0) return -Errno.EINVAL;
  memory.write32(target + 4, memory.read32(source + 4));
  memory.write32(target, memory.read32(source) | RPAL_IGNORE);
  return 0;
}

function clearEntry(cpu: Cpu, owner: RpalService, user: MmStruct): void {
  user.mmapLock.pass(cpu, UNLINKING);
  const target = user.tables.topEntry(owner.base);
  if ((cpu.memory.read32(target) & RPAL_IGNORE) === 0) return;
  cpu.memory.write32(target, 0);
  cpu.memory.write32(target + 4, 0);
}

/** Top-level page-table entries are copied (patch 09): whatever the owner maps later is there at once. */
export const copiedEntries: Sharing = {
  name: 'copied top-level entries',
  link: linkServices,
  unlink: unlinkServices,
  resolved() {},
};
