import type { Cpu } from '@rpal/hw-x86';
import { MemoryFile, type MemoryManager } from '@rpal/mm';
import { Errno, OpenFlag } from '@rpal/uapi';
import { MemFd } from './memfd.js';

/** An open file below /dev/shm. */
export class NamedMemFd extends MemFd {
  /** O_DIRECT is taken there, and not by files of memfd_create; it changes nothing. */
  override get takesDirect(): boolean {
    return true;
  }
}

/** The memory of a machine that has names, by path below /dev/shm (Linux: the tmpfs that is mounted there). */
export class NamedMemory {
  readonly #memory: MemoryManager;
  readonly #files = new Map<string, MemoryFile>();

  constructor(memory: MemoryManager) {
    this.#memory = memory;
  }

  /** shm_open(3). @returns a file, or a negative errno */
  open(cpu: Cpu, path: string, flags: number): MemFd | number {
    let file = this.#files.get(path);
    if (file === undefined) {
      if ((flags & OpenFlag.CREAT) === 0) return -Errno.ENOENT;
      file = new MemoryFile(this.#memory, path);
      // The name holds a reference.
      file.get();
      this.#files.set(path, file);
    } else if ((flags & OpenFlag.CREAT) !== 0 && (flags & OpenFlag.EXCL) !== 0) {
      return -Errno.EEXIST;
    } else if ((flags & OpenFlag.TRUNC) !== 0) {
      file.truncate(cpu, 0);
    }
    return new NamedMemFd(file, flags);
  }

  /** shm_unlink(3): the memory goes with its last descriptor or mapping. @returns 0, or -ENOENT */
  unlink(path: string): number {
    const file = this.#files.get(path);
    if (file === undefined) return -Errno.ENOENT;
    this.#files.delete(path);
    file.put();
    return 0;
  }
}
