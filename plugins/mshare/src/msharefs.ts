import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import type { MemoryManager } from '@rpal/mm';
import { Errno, OpenFlag } from '@rpal/uapi';
import { Region } from './region.js';
import { MshareStep } from './steps.js';

const READ_BIT = 0o400;
const WRITE_BIT = 0o200;

/** A file of msharefs. */
export interface NamedRegion {
  readonly name: string;
  readonly region: Region;
  /** Permission bits; the model has one user, so those of the owner count. */
  readonly mode: number;
  /** Successful calls of mshare that no mshare_unlink has answered. The end of a process changes nothing here. */
  references: number;
}

/**
 * Regions by name, as posted in January 2022: they outlive their creator. Each process that has called `mshare` must call
 * `mshare_unlink` once; the last of them frees the region. If one of them ends without that, the region is an orphan for ever.
 */
export class Msharefs {
  readonly #manager: MemoryManager;
  readonly #files: Map<string, NamedRegion> = new Map();

  constructor(manager: MemoryManager) {
    this.#manager = manager;
  }

  /** What `ls` of the file system shows. */
  get files(): readonly NamedRegion[] {
    return [...this.#files.values()];
  }

  get regions(): readonly Region[] {
    return this.files.map(({ region }) => region);
  }

  /**
   * `mshare(name, address, length, oflags, mode)`: creates or opens a region and maps it at its address.
   * @param flags O_RDONLY or O_RDWR, with O_CREAT and O_EXCL
   * @returns the address or a negative errno
   */
  mshare(cpu: Cpu, thread: Thread, name: string, address: number, length: number, flags: number, mode: number): number {
    cpu.charge(MshareStep.call);
    const access = flags & OpenFlag.ACCMODE;
    if (name === '' || (access !== OpenFlag.RDONLY && access !== OpenFlag.RDWR)) return -Errno.EINVAL;
    const writable = access === OpenFlag.RDWR;
    const found = this.#files.get(name);
    if (found !== undefined && (flags & (OpenFlag.CREAT | OpenFlag.EXCL)) === (OpenFlag.CREAT | OpenFlag.EXCL)) return -Errno.EEXIST;
    if (found === undefined && (flags & OpenFlag.CREAT) === 0) return -Errno.ENOENT;
    if (found === undefined) return this.#create(cpu, thread, name, address, length, writable, mode);
    // The address and length must be the region's own: pointers into it are the same everywhere.
    if ((address !== 0 && address !== found.region.start) || (length !== 0 && length !== found.region.length)) return -Errno.EINVAL;
    if ((found.mode & READ_BIT) === 0 || (writable && (found.mode & WRITE_BIT) === 0)) return -Errno.EACCES;
    const mapped = found.region.attach(cpu, thread.memory, writable);
    if (mapped >= 0) found.references++;
    return mapped;
  }

  #create(cpu: Cpu, thread: Thread, name: string, address: number, length: number, writable: boolean, mode: number): number {
    const refused = Region.refusal(address, length);
    if (refused < 0) return refused;
    if (!thread.memory.areas.isFree(address, address + length)) return -Errno.EEXIST;
    const region = new Region(this.#manager, cpu, name, address, length);
    this.#files.set(name, { name, region, mode, references: 1 });
    // The creator of a file gets the access it asked for, whatever the mode says.
    return region.attach(cpu, thread.memory, writable);
  }

  /** `mshare_unlink(name)`. @returns 0 or a negative errno */
  unlink(cpu: Cpu, name: string): number {
    cpu.charge(MshareStep.call);
    const file = this.#files.get(name);
    if (file === undefined) return -Errno.ENOENT;
    if (--file.references > 0) return 0;
    this.#files.delete(name);
    file.region.destroy(cpu);
    return 0;
  }
}
