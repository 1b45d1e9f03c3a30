import { Access, type Cpu, FaultCode, PAGE_MASK, PAGE_SIZE, Touch } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import { TASK_SIZE } from '../space/layout.js';
import type { MmStruct } from '../space/mm-struct.js';
import { handleFault } from './fault.js';

/** Bytes of a word of 32 bits. */
const WORD = 4;

/**
 * Is [address, address + size) below the end of user memory (Linux: `access_ok`)? Whether anything is mapped there is another question.
 * Both are registers: what is negative, or 2^63 and more, lies beyond.
 */
export function accessOk(address: number, size: number): boolean {
  return address >= 0 && size >= 0 && address + size <= TASK_SIZE;
}

/**
 * Physical address behind a user address, for a copy by the kernel: faults are resolved, PKRU applies as the CPU applies
 * it. @returns the physical address, or -EFAULT
 */
export function userPage(cpu: Cpu, mm: MmStruct, address: number, write: boolean): number {
  // A fault may follow (Linux: `might_fault`).
  mm.mmapLock.pass(cpu, 'access to user memory');
  // As a user's access: pages of memory without any rights are the kernel's in the tables, where Linux has them not present.
  const access = write ? Access.write | Access.user : Access.user;
  const physical = cpu.data(address, access);
  return physical >= 0 ? physical : pageAfterFault(cpu, mm, access);
}

/** Asks the MMU for the address: V8 would box one that is passed on before each access, also of those without a fault. */
function pageAfterFault(cpu: Cpu, mm: MmStruct, access: number): number {
  const address = cpu.mmu.faultAddress;
  for (;;) {
    if (handleFault(cpu, mm, address, cpu.mmu.faultCode & ~FaultCode.user) !== 0) return -Errno.EFAULT;
    const physical = cpu.data(address, access);
    if (physical >= 0) return physical;
  }
}

/** copy_from_user into kernel memory at physical `to`; ranges may cross pages on the user side. @returns 0 or -EFAULT */
export function copyFromUser(cpu: Cpu, mm: MmStruct, to: number, from: number, length: number): number {
  for (let done = 0; done < length; ) {
    const physical = userPage(cpu, mm, from + done, Touch.LOAD);
    if (physical < 0) return physical;
    const part = Math.min(length - done, PAGE_SIZE - (physical & PAGE_MASK));
    cpu.coherence.touchRange(cpu, physical, part, Touch.LOAD);
    touchKernel(cpu, to + done, part, Touch.STORE);
    cpu.memory.copy(to + done, physical, part);
    done += part;
  }
  return 0;
}

/** copy_to_user from kernel memory at physical `from`. @returns 0 or -EFAULT */
export function copyToUser(cpu: Cpu, mm: MmStruct, to: number, from: number, length: number): number {
  for (let done = 0; done < length; ) {
    const physical = userPage(cpu, mm, to + done, Touch.STORE);
    if (physical < 0) return physical;
    const part = Math.min(length - done, PAGE_SIZE - (physical & PAGE_MASK));
    cpu.coherence.touchRange(cpu, physical, part, Touch.STORE);
    touchKernel(cpu, from + done, part, Touch.LOAD);
    cpu.memory.copy(physical, from + done, part);
    done += part;
  }
  return 0;
}

/** get_user of a 32-bit word. @returns the word as unsigned, or -EFAULT */
export function getUser32(cpu: Cpu, mm: MmStruct, from: number): number {
  const physical = userPage(cpu, mm, from, Touch.LOAD);
  if (physical < 0) return physical;
  const first = PAGE_SIZE - (physical & PAGE_MASK);
  if (first >= WORD) return cpu.memory.read32(physical) >>> 0;
  const second = userPage(cpu, mm, from + first, Touch.LOAD);
  if (second < 0) return second;
  let word = 0;
  for (let i = WORD - 1; i >= 0; i--) word = (word << 8) | cpu.memory.read8(i < first ? physical + i : second + i - first);
  return word >>> 0;
}

/** put_user of a 32-bit word: it is stored whole, or not at all. @returns 0 or -EFAULT */
export function putUser32(cpu: Cpu, mm: MmStruct, to: number, value: number): number {
  const physical = userPage(cpu, mm, to, Touch.STORE);
  if (physical < 0) return physical;
  if ((physical & PAGE_MASK) <= PAGE_SIZE - WORD) {
    cpu.memory.write32(physical, value);
    return 0;
  }
  return putAcross(cpu, mm, to, physical, WORD, value, 0);
}

/** put_user of a 64-bit word: it is stored whole, or not at all. @returns 0 or -EFAULT */
export function putUser64(cpu: Cpu, mm: MmStruct, to: number, value: number): number {
  const physical = userPage(cpu, mm, to, Touch.STORE);
  if (physical < 0) return physical;
  if ((physical & PAGE_MASK) <= PAGE_SIZE - 2 * WORD) {
    cpu.memory.write64(physical, value);
    return 0;
  }
  return putAcross(cpu, mm, to, physical, 2 * WORD, value | 0, Math.floor(value / 2 ** 32));
}

/** A word over the end of a page. @param physical where it begins @returns 0 or -EFAULT */
function putAcross(cpu: Cpu, mm: MmStruct, to: number, physical: number, bytes: number, low: number, high: number): number {
  const first = PAGE_SIZE - (physical & PAGE_MASK);
  const second = userPage(cpu, mm, to + first, Touch.STORE);
  if (second < 0) return second;
  for (let i = 0; i < bytes; i++) {
    const byte = (i < WORD ? low : high) >>> (8 * (i % WORD));
    cpu.memory.write8(i < first ? physical + i : second + i - first, byte);
  }
  return 0;
}

/** The lines of kernel memory that a copy goes through, which may lie in two frames. */
function touchKernel(cpu: Cpu, physical: number, length: number, write: boolean): void {
  const inFrame = PAGE_SIZE - (physical & PAGE_MASK);
  cpu.coherence.touchRange(cpu, physical, Math.min(length, inFrame), write);
  if (length > inFrame) cpu.coherence.touchRange(cpu, physical + inFrame, length - inFrame, write);
}
