import { type Cpu, PAGE_MASK, PAGE_SIZE, Touch } from '@rpal/hw-x86';
import { copyFromUser, copyToUser, putUser32, userPage } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import { VfsStep } from '../steps.js';
import type { Caller } from './caller.js';

/** Copies of fewer bytes are loops of words and bytes, longer ones one string instruction (Linux: `rep_movs_alternative`). */
const STRING_FROM = 64;

/** Spends what a copy of `length` bytes between user and kernel memory takes, around which `step` does its work. */
export function chargeCopy(cpu: Cpu, step: number, length: number): void {
  cpu.chargeBytes(step, length);
  if (length >= STRING_FROM) return;
  cpu.chargeTimes(VfsStep.copyWord, length >> 3);
  cpu.chargeTimes(VfsStep.copyByte, length & 7);
}

/** From user memory at `address`, or at that offset into the segments of the call, to physical `to`. @returns 0 or -EFAULT */
export function copyIn(cpu: Cpu, caller: Caller, to: number, address: number, length: number): number {
  if (caller.iov === null) return copyFromUser(cpu, caller.memory, to, address, length);
  return caller.iov.copyIn(cpu, caller.memory, to, address, length);
}

/** From physical `from` to user memory, likewise. @returns 0 or -EFAULT */
export function copyOut(cpu: Cpu, caller: Caller, address: number, from: number, length: number): number {
  if (caller.iov === null) return copyToUser(cpu, caller.memory, address, from, length);
  return caller.iov.copyOut(cpu, caller.memory, address, from, length);
}

/** Bytes to user memory, or to that offset into the segments of the call. @returns 0 or -EFAULT */
export function putBytes(cpu: Cpu, caller: Caller, address: number, bytes: Uint8Array): number {
  const { memory, iov } = caller;
  const segments = iov === null ? [{ address, length: bytes.length }] : iov.segments;
  let skip = iov === null ? 0 : address;
  let done = 0;
  for (const segment of segments) {
    for (let i = Math.min(skip, segment.length); i < segment.length && done < bytes.length; i++, done++) {
      const at = userPage(cpu, memory, segment.address + i, Touch.STORE);
      if (at < 0) return -Errno.EFAULT;
      cpu.memory.write8(at, bytes[done] as number);
    }
    skip = Math.max(0, skip - segment.length);
  }
  return 0;
}

/** A 64-bit value to user memory, likewise; segments may cut it anywhere. @returns 0 or -EFAULT */
export function putValue(cpu: Cpu, caller: Caller, address: number, high: number, low: number): number {
  const { memory, iov } = caller;
  if (iov === null && (address & PAGE_MASK) <= PAGE_SIZE - 8)
    return Math.min(putUser32(cpu, memory, address, low), putUser32(cpu, memory, address + 4, high));
  let done = 0;
  // Over the end of a page what there is memory for is stored.
  for (const segment of iov?.segments ?? [{ address, length: 8 }]) {
    for (let i = 0; i < segment.length && done < 8; i++, done++) {
      const at = userPage(cpu, memory, segment.address + i, Touch.STORE);
      if (at < 0) return -Errno.EFAULT;
      cpu.memory.write8(at, (done < 4 ? low >>> (8 * done) : high >>> (8 * done - 32)) & 0xff);
    }
  }
  return 0;
}
