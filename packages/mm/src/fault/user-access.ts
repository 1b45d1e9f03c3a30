import { Access, type Cpu, FaultCode, PAGE_MASK, PAGE_SIZE } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import type { MmStruct } from '../space/mm-struct.js';
import { handleFault } from './fault.js';

/**
 * Physical address behind a user address, for a copy by the kernel: faults are resolved, PKRU applies as the CPU applies
 * it. @returns the physical address, or -EFAULT
 */
export function userPage(cpu: Cpu, mm: MmStruct, address: number, write: boolean): number {
  // As a user's access: pages of memory without any rights are the kernel's in the tables, where Linux has them not present.
  const access = write ? Access.write | Access.user : Access.user;
  for (;;) {
    const physical = cpu.data(address, access);
    if (physical >= 0) return physical;
    if (!resolved(cpu, mm)) return -Errno.EFAULT;
  }
}

/** copy_from_user into kernel memory at physical `to`; ranges may cross pages on the user side. @returns 0 or -EFAULT */
export function copyFromUser(cpu: Cpu, mm: MmStruct, to: number, from: number, length: number): number {
  for (let done = 0; done < length; ) {
    const physical = userPage(cpu, mm, from + done, false);
    if (physical < 0) return physical;
    const part = Math.min(length - done, PAGE_SIZE - (physical & PAGE_MASK));
    cpu.memory.copy(to + done, physical, part);
    done += part;
  }
  return 0;
}

/** copy_to_user from kernel memory at physical `from`. @returns 0 or -EFAULT */
export function copyToUser(cpu: Cpu, mm: MmStruct, to: number, from: number, length: number): number {
  for (let done = 0; done < length; ) {
    const physical = userPage(cpu, mm, to + done, true);
    if (physical < 0) return physical;
    const part = Math.min(length - done, PAGE_SIZE - (physical & PAGE_MASK));
    cpu.memory.copy(physical, from + done, part);
    done += part;
  }
  return 0;
}

/** get_user of a 32-bit word, at any address. @returns the word as unsigned, or -EFAULT */
export function getUser32(cpu: Cpu, mm: MmStruct, from: number): number {
  const { lsu } = cpu;
  while (!lsu.load(from, 4, Access.user)) if (!resolved(cpu, mm)) return -Errno.EFAULT;
  return lsu.value;
}

/** put_user of a 32-bit word, at any address. @returns 0 or -EFAULT */
export function putUser32(cpu: Cpu, mm: MmStruct, to: number, value: number): number {
  return putUser(cpu, mm, to, 4, value);
}

/** put_user of a 64-bit word, at any address. @returns 0 or -EFAULT */
export function putUser64(cpu: Cpu, mm: MmStruct, to: number, value: number): number {
  return putUser(cpu, mm, to, 8, value);
}

function putUser(cpu: Cpu, mm: MmStruct, to: number, size: number, value: number): number {
  const { lsu } = cpu;
  lsu.value = value;
  while (!lsu.store(to, size, Access.user)) {
    if (!resolved(cpu, mm)) return -Errno.EFAULT;
    lsu.value = value;
  }
  return 0;
}

/** The fault that the MMU has reported is handled. @returns false if it cannot be resolved */
function resolved(cpu: Cpu, mm: MmStruct): boolean {
  const { faultAddress, faultCode } = cpu.mmu;
  return handleFault(cpu, mm, faultAddress, faultCode & ~FaultCode.user, true) === 0;
}
