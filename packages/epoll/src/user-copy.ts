import type { Cpu } from '@rpal/hw-x86';
import { copyFromUser, copyToUser } from '@rpal/mm';
import type { Caller } from './operation.js';

/** From user memory at `address`, or at that offset into the segments of the call, to physical `to`. @returns 0 or -EFAULT */
export function copyIn(cpu: Cpu, caller: Caller, to: number, address: number, length: number): number {
  if (caller.message === null) return copyFromUser(cpu, caller.memory, to, address, length);
  return caller.message.copyIn(cpu, caller.memory, to, address, length);
}

/** From physical `from` to user memory, likewise. @returns 0 or -EFAULT */
export function copyOut(cpu: Cpu, caller: Caller, address: number, from: number, length: number): number {
  if (caller.message === null) return copyToUser(cpu, caller.memory, address, from, length);
  return caller.message.copyOut(cpu, caller.memory, address, from, length);
}
