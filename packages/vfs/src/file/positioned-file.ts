import type { Cpu } from '@rpal/hw-x86';
import { Errno, Seek } from '@rpal/uapi';
import type { Caller } from '../operation/caller.js';
import { File } from './file.js';

/** Offsets are below this. */
export const OFFSET_END = 2 ** 63;

/** A file of bytes in a row: reads and writes begin where the last one has ended, or at an offset (`readAt`, `writeAt`). */
export abstract class PositionedFile extends File {
  protected position = 0;

  /** Bytes up to its end, from which lseek may count; NaN if that cannot be asked for. */
  protected abstract get size(): number;

  override get positioned(): boolean {
    return true;
  }

  override read(cpu: Cpu, caller: Caller, address: number, length: number): number {
    const n = this.readAt(cpu, caller, address, length, this.position);
    if (n > 0) this.position += n;
    return n;
  }

  override write(cpu: Cpu, caller: Caller, address: number, length: number): number {
    const n = this.writeAt(cpu, caller, address, length, this.position);
    if (n > 0) this.position += n;
    return n;
  }

  override seek(offset: number, whence: number): number {
    const base = whence === Seek.SET ? 0 : whence === Seek.CUR ? this.position : whence === Seek.END ? this.size : Number.NaN;
    if (!(base + offset >= 0 && base + offset < OFFSET_END)) return -Errno.EINVAL;
    this.position = base + offset;
    return this.position;
  }
}
