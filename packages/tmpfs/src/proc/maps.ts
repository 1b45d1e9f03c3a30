import { PAGE_SIZE } from '@rpal/hw-x86';
import type { Process } from '@rpal/kernel';
import { type Vma, VmFlag } from '@rpal/mm';

const hex = (value: number): string => value.toString(16).padStart(8, '0');

/** One line per mapping: range, rights, offset, device, inode, name. Device and inode are zero. */
export function maps(process: Process): string {
  let text = '';
  for (const area of process.mm.areas) text += areaLine(process, area);
  return text;
}

export function areaLine({ mm }: Process, { start, end, flags, object, offset }: Vma): string {
  const rights = [VmFlag.READ, VmFlag.WRITE, VmFlag.EXEC].map((flag, i) => ((flags & flag) !== 0 ? 'rwx'[i] : '-')).join('');
  const shared = (flags & VmFlag.SHARED) !== 0 ? 's' : 'p';
  const name = (flags & VmFlag.GROWSDOWN) !== 0 ? '[stack]' : start === mm.brkStart && end === mm.brk ? '[heap]' : (object?.name ?? '');
  return rangeLine(start, end, `${rights}${shared}`, object === null ? 0 : offset * PAGE_SIZE, name);
}

export function rangeLine(start: number, end: number, rights: string, offset: number, name: string): string {
  const line = `${hex(start)}-${hex(end)} ${rights} ${hex(offset)} 00:00 0`;
  return name === '' ? `${line} \n` : `${line.padEnd(73)}${name}\n`;
}
