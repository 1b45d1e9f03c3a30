import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { getUser32, type MemoryManager } from '@rpal/mm';
import { Errno, OpenFlag, Prot } from '@rpal/uapi';
import { type Caller, File } from '@rpal/vfs';
import { Region } from './region.js';
import { MshareStep } from './steps.js';

/** Commands of the ioctl on a control descriptor. @public for programs that make the calls */
export const MshareIoctl = {
  /** Makes a mapping descriptor; the argument is O_RDONLY or O_RDWR. @returns it */
  MAPPING_FD: 0x4d01,
  /** mprotect for all: the argument points to start (8 bytes), length (8) and rights (4). */
  PROTECT: 0x4d02,
} as const;

/** Of what PROTECT's argument points to. */
const PROTECT_BYTES = 20;

/** A region and the descriptors and address spaces that refer to it. It goes with the last reference. */
class CountedRegion {
  readonly region: Region;
  #references = 0;

  constructor(region: Region) {
    this.region = region;
  }

  get(): this {
    this.#references++;
    return this;
  }

  put(cpu: Cpu): void {
    if (--this.#references === 0) this.region.destroy(cpu);
  }
}

/**
 * Regions without names, the answer to the posting: their creator holds a control descriptor, through which alone the
 * region is changed, and makes mapping descriptors, which it passes on over a Unix socket. To map a region, a process needs to be passed
 * one; when the last descriptor and the last mapping are gone, the region is.
 */
export class DescriptorRegions {
  readonly #manager: MemoryManager;
  readonly #regions: Set<Region> = new Set();

  constructor(manager: MemoryManager) {
    this.#manager = manager;
  }

  get regions(): readonly Region[] {
    return [...this.#regions].filter(({ destroyed }) => !destroyed);
  }

  /** `mshare_create(address, length)`. @returns the control descriptor or a negative errno */
  create(cpu: Cpu, thread: Thread, address: number, length: number): number {
    cpu.charge(MshareStep.call);
    const refused = Region.refusal(address, length);
    if (refused < 0) return refused;
    for (const region of this.#regions) if (region.destroyed) this.#regions.delete(region);
    const region = new Region(this.#manager, cpu, 'mshare', address, length);
    this.#regions.add(region);
    return thread.process.files.install(cpu, new ControlFile(new CountedRegion(region)), OpenFlag.CLOEXEC);
  }
}

class ControlFile extends File {
  readonly #counted: CountedRegion;

  constructor(counted: CountedRegion) {
    super(OpenFlag.RDWR);
    this.#counted = counted.get();
  }

  override ioctl(cpu: Cpu, caller: Caller, command: number, argument: number): number {
    const { memory, process } = caller as Thread;
    cpu.charge(MshareStep.call);
    if (command === MshareIoctl.MAPPING_FD) {
      if (argument !== OpenFlag.RDONLY && argument !== OpenFlag.RDWR) return -Errno.EINVAL;
      return process.files.install(cpu, new MappingFile(this.#counted, argument), OpenFlag.CLOEXEC);
    }
    if (command !== MshareIoctl.PROTECT) return -Errno.ENOTTY;
    const words: number[] = [];
    for (let at = argument; at < argument + PROTECT_BYTES; at += 4) {
      const word = getUser32(cpu, memory, at);
      if (word < 0) return -Errno.EFAULT;
      words.push(word);
    }
    const [startLow, startHigh, lengthLow, lengthHigh, prot] = words as [number, number, number, number, number];
    const start = startHigh * 2 ** 32 + startLow;
    return this.#counted.region.protect(cpu, start, start + lengthHigh * 2 ** 32 + lengthLow, prot);
  }

  override release(cpu: Cpu): void {
    this.#counted.put(cpu);
  }
}

class MappingFile extends File {
  readonly #counted: CountedRegion;

  constructor(counted: CountedRegion, flags: number) {
    super(flags);
    this.#counted = counted.get();
  }

  override mmap(cpu: Cpu, caller: Caller, hint: number, length: number, prot: number, _flags: number, offset: number): number {
    const counted = this.#counted;
    const { region } = counted;
    cpu.charge(MshareStep.call);
    if ((hint !== 0 && hint !== region.start) || length !== region.length || offset !== 0) return -Errno.EINVAL;
    const writable = (prot & Prot.WRITE) !== 0;
    if (writable && (this.flags & OpenFlag.ACCMODE) === OpenFlag.RDONLY) return -Errno.EACCES;
    const mapped = region.attach(cpu, (caller as Thread).memory, writable, { controlled: true, onDetach: () => counted.put(cpu) });
    if (mapped >= 0) counted.get();
    return mapped;
  }

  override release(cpu: Cpu): void {
    this.#counted.put(cpu);
  }
}
