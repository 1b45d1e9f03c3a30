import type { Cpu } from '@rpal/hw-x86';
import { Errno, Pkey } from '@rpal/uapi';
import type { MmStruct } from '../space/mm-struct.js';
import { MmStep } from '../steps.js';

/** Protection keys of x86: two bits of PKRU each. */
const KEYS = 16;
const RIGHTS = Pkey.DISABLE_ACCESS | Pkey.DISABLE_WRITE;

/** pkey_alloc(2): the lowest free key, with `rights` in the PKRU of the caller. @returns the key or a negative errno */
export function pkeyAlloc(cpu: Cpu, mm: MmStruct, flags: number, rights: number): number {
  cpu.charge(MmStep.pkeyBody);
  if (flags !== 0 || rights < 0 || rights > RIGHTS) return -Errno.EINVAL;
  if (!cpu.mmu.pke) {
    // There is the key 0 alone: it is handed out, cannot be used, and does not come back.
    const failed = mm.pkeyMap === 0 ? -Errno.ENOSPC : -Errno.EINVAL;
    mm.pkeyMap = 0;
    return failed;
  }
  const key = takeKey(cpu, mm);
  if (key >= 0) setRights(cpu, key, rights);
  return key;
}

/** pkey_free(2). Pages under the key keep it. @returns 0 or a negative errno */
export function pkeyFree(cpu: Cpu, mm: MmStruct, key: number): number {
  cpu.charge(MmStep.pkeyBody);
  const answer = mm.manager.seams.hooks.mmKeyFree.call(mm, key);
  if (answer !== undefined) return answer;
  if (!cpu.mmu.pke || !isAllocated(mm, key)) return -Errno.EINVAL;
  mm.pkeyMap &= ~(1 << key);
  return 0;
}

/** May a program use `key` (Linux: `mm_pkey_is_allocated`)? Key 0 is allocated from the start; that of execute-only memory is the kernel's. */
export function isAllocated(mm: MmStruct, key: number): boolean {
  return key >= 0 && key < KEYS && key !== mm.executeOnlyKey && (mm.pkeyMap & (1 << key)) !== 0;
}

/**
 * The key under which memory can be executed and nothing else (Linux: `__execute_only_pkey`): taken when it is first
 * needed, and closed in the PKRU of the caller. @returns the key; 0 if the processor has no keys or all are taken
 */
export function executeOnlyKey(cpu: Cpu, mm: MmStruct): number {
  let key = mm.executeOnlyKey;
  if (key < 0) {
    key = takeKey(cpu, mm);
    if (key < 0) return 0;
    mm.executeOnlyKey = key;
  }
  if (((cpu.mmu.pkru >>> (2 * key)) & RIGHTS) !== Pkey.DISABLE_ACCESS) setRights(cpu, key, Pkey.DISABLE_ACCESS);
  return key;
}

function takeKey(cpu: Cpu, mm: MmStruct): number {
  const free = ~mm.pkeyMap & (2 ** KEYS - 1);
  if (!cpu.mmu.pke || free === 0) return -Errno.ENOSPC;
  const key = 31 - Math.clz32(free & -free);
  mm.pkeyMap |= 1 << key;
  return key;
}

function setRights(cpu: Cpu, key: number, rights: number): void {
  cpu.mmu.pkru = (cpu.mmu.pkru & ~(RIGHTS << (2 * key))) | (rights << (2 * key));
}
