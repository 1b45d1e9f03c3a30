import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { copyToUser } from '@rpal/mm';
import { Errno, OpenFlag, utf8 } from '@rpal/uapi';
import { type Caller, PositionedFile } from '@rpal/vfs';

/** A file whose text is made when it is opened. */
export class TextFile extends PositionedFile {
  readonly #text: Uint8Array;

  constructor(text: string) {
    super(OpenFlag.RDONLY);
    this.#text = utf8(text);
  }

  override get pollable(): boolean {
    return false;
  }

  override get canWrite(): boolean {
    return false;
  }

  override write(): number {
    return -Errno.EBADF;
  }

  /** Its end is not known before it has been read (Linux: `seq_lseek`). */
  protected override get size(): number {
    return Number.NaN;
  }

  override readAt(cpu: Cpu, caller: Caller, address: number, length: number, offset: number): number {
    if (offset < 0) return -Errno.EINVAL;
    const part = Math.min(length, this.#text.length - offset);
    if (part <= 0) return 0;
    const { heap } = caller.memory.manager;
    const page = heap.allocate(PAGE_SIZE);
    if (page < 0) return -Errno.ENOMEM;
    let failed = 0;
    for (let done = 0; done < part && failed === 0; done += PAGE_SIZE) {
      const bytes = this.#text.subarray(offset + done, offset + Math.min(part, done + PAGE_SIZE));
      bytes.forEach((byte, i) => {
        cpu.memory.write8(page + i, byte);
      });
      failed = copyToUser(cpu, caller.memory, address + done, page, bytes.length);
    }
    heap.free(page, PAGE_SIZE);
    return failed < 0 ? failed : part;
  }
}
