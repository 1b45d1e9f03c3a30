import { type Cpu, PAGE_MASK, PAGE_SIZE, Touch } from '@rpal/hw-x86';
import { userPage } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import type { Thread } from './thread.js';

/** Bytes of the largest word. */
const WORD = 8;
const TWO_32 = 0x1_0000_0000;

/** A structure on its way between user memory and the kernel: bytes at any address, over any page border. */
export class UserBuffer {
  readonly view: DataView;

  constructor(bytes: number) {
    this.view = new DataView(new ArrayBuffer(bytes));
  }

  /** copy_from_user of the first `bytes`. @returns 0 or -EFAULT */
  load(cpu: Cpu, { memory }: Thread, address: number, bytes: number): number {
    for (let done = 0; done < bytes; ) {
      const at = userPage(cpu, memory, address + done, Touch.LOAD);
      if (at < 0) return at;
      const end = Math.min(bytes, done + PAGE_SIZE - (at & PAGE_MASK));
      for (let i = done; i < end; i++) this.view.setUint8(i, cpu.memory.read8(at + i - done));
      done = end;
    }
    return 0;
  }

  /**
   * A structure that grows from kernel to kernel (Linux: `copy_struct_from_user`): beyond what this one knows there may be zeroes only, and
   * what an older program does not give is zero. @param given the size that the program says @returns 0, -E2BIG or -EFAULT
   */
  loadExtensible(cpu: Cpu, thread: Thread, address: number, given: number, known: number): number {
    for (let at = known; at < given; ) {
      const part = Math.min(given - at, known, PAGE_SIZE - ((address + at) & PAGE_MASK));
      if (this.load(cpu, thread, address + at, part) < 0) return -Errno.EFAULT;
      if (!this.isClear(part)) return -Errno.E2BIG;
      at += part;
    }
    return this.clear(known).load(cpu, thread, address, Math.min(given, known));
  }

  /** put_user of a word of up to 8 bytes, which is stored whole or not at all, or copy_to_user of more. @returns 0 or -EFAULT */
  store(cpu: Cpu, thread: Thread, address: number, bytes: number): number {
    if (bytes <= WORD && bytes > 0 && userPage(cpu, thread.memory, address + bytes - 1, Touch.STORE) < 0) return -Errno.EFAULT;
    return this.copy(cpu, thread, address, bytes);
  }

  /** copy_to_user of the first `bytes`: what there is memory for is stored. @returns 0 or -EFAULT */
  copy(cpu: Cpu, { memory }: Thread, address: number, bytes: number): number {
    for (let done = 0; done < bytes; ) {
      const at = userPage(cpu, memory, address + done, Touch.STORE);
      if (at < 0) return at;
      const end = Math.min(bytes, done + PAGE_SIZE - (at & PAGE_MASK));
      for (let i = done; i < end; i++) cpu.memory.write8(at + i - done, this.view.getUint8(i));
      done = end;
    }
    return 0;
  }

  clear(bytes: number): this {
    for (let i = 0; i < bytes; i++) this.view.setUint8(i, 0);
    return this;
  }

  isClear(bytes: number): boolean {
    for (let i = 0; i < bytes; i++) if (this.view.getUint8(i) !== 0) return false;
    return true;
  }

  u16(offset: number): number {
    return this.view.getUint16(offset, true);
  }

  u32(offset: number): number {
    return this.view.getUint32(offset, true);
  }

  i32(offset: number): number {
    return this.view.getInt32(offset, true);
  }

  /** Exact below 2^53. */
  u64(offset: number): number {
    return this.u32(offset) + this.u32(offset + 4) * TWO_32;
  }

  i64(offset: number): number {
    return this.u32(offset) + this.i32(offset + 4) * TWO_32;
  }

  set16(offset: number, value: number): this {
    this.view.setUint16(offset, value, true);
    return this;
  }

  set32(offset: number, value: number): this {
    this.view.setUint32(offset, value, true);
    return this;
  }

  set64(offset: number, value: number): this {
    return this.set32(offset, value).set32(offset + 4, Math.floor(value / TWO_32));
  }

  /** Bytes as a text of as many characters. */
  bytes(offset: number, count: number): string {
    let text = '';
    for (let i = offset; i < offset + count; i++) text += String.fromCharCode(this.view.getUint8(i));
    return text;
  }

  /** The text up to a zero, or `bytes` long. */
  text(offset: number, bytes: number): string {
    let text = '';
    for (let i = offset; i < offset + bytes; i++) {
      const byte = this.view.getUint8(i);
      if (byte === 0) break;
      text += String.fromCharCode(byte);
    }
    return text;
  }
}
