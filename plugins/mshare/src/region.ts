import { type Cpu, FaultCode, HardwareError, PAGE_SIZE, PML4_ENTRY_SPAN, Pte, pageCeil } from '@rpal/hw-x86';
import {
  changeProtection,
  exitMm,
  type FaultResult,
  type FlushTargets,
  faultSignal,
  MappedFile,
  type MappedObject,
  MemoryFile,
  type MemoryManager,
  type MmStruct,
  mmap,
  populateRange,
  resolveFault,
  type Vma,
  VmFlag,
} from '@rpal/mm';
import { Errno, MapFlag, Prot, Signal, SignalCode } from '@rpal/uapi';
import { MshareStep } from './steps.js';

/** Marks a top-level entry that leads into tables of a region's host: only the hardware follows it. */
export const SHARED_ENTRY: number = Pte.software2;

/**
 * Memory whose page tables exist once. They belong to a host address space that no task runs in; sharers have the host's
 * top-level entries among their own, at the same addresses. Regions begin on a border of 512 GiB and occupy whole entries.
 */
export class Region {
  readonly start: number;
  readonly length: number;
  readonly host: MmStruct;
  readonly #manager: MemoryManager;
  /** Areas that map it, by address space. */
  readonly #sharers: Map<MmStruct, number> = new Map();
  destroyed = false;

  /** @throws HardwareError INVALID_ARGUMENT unless start and length are what `Region.refusal` accepts */
  constructor(manager: MemoryManager, cpu: Cpu, name: string, start: number, length: number) {
    if (Region.refusal(start, length) !== 0) {
      throw new HardwareError(
        'INVALID_ARGUMENT',
        `a region cannot begin at ${start} and be ${length} bytes long; it begins on a border of 512 GiB and has a length`,
      );
    }
    this.#manager = manager;
    this.start = start;
    this.length = pageCeil(length);
    this.host = manager.create(cpu);
    const file = new MemoryFile(manager, name);
    file.truncate(cpu, this.length);
    const object = new MappedFile(file);
    mmap(cpu, this.host, start, this.length, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.FIXED, { object });
    for (let at = start; at < this.end; at += PML4_ENTRY_SPAN) this.host.tables.make(at);
  }

  /** 0, or -EINVAL for addresses that no region can have. */
  static refusal(start: number, length: number): number {
    const fits = start > 0 && start % PML4_ENTRY_SPAN === 0 && length > 0 && start + length <= 255 * PML4_ENTRY_SPAN;
    return fits ? 0 : -Errno.EINVAL;
  }

  get end(): number {
    return this.start + this.length;
  }

  get sharers(): number {
    return this.#sharers.size;
  }

  /** Bytes of page tables, which all sharers together have once. */
  get pageTableBytes(): number {
    return this.host.pageTableBytes;
  }

  holds(address: number): boolean {
    return address >= this.start && address < this.end;
  }

  isSharer(mm: MmStruct): boolean {
    return this.#sharers.has(mm);
  }

  /** Maps the region in `mm`, at its own addresses. @returns the address or a negative errno */
  attach(cpu: Cpu, mm: MmStruct, writable: boolean, options: AttachOptions = {}): number {
    if (this.destroyed) return -Errno.ENODEV;
    if (!mm.areas.isFree(this.start, this.end)) return -Errno.EEXIST;
    cpu.charge(MshareStep.attach);
    const prot = writable ? Prot.READ | Prot.WRITE : Prot.READ;
    const object = new RegionMapping(this, writable, cpu, options);
    const vmFlags = VmFlag.PFNMAP | VmFlag.DONTEXPAND;
    return mmap(cpu, mm, this.start, this.length, prot, MapFlag.SHARED | MapFlag.FIXED, { object, vmFlags });
  }

  /** One more area of `mm`, or one less, maps the region. @returns true if it was the last */
  counted(cpu: Cpu, mm: MmStruct, change: 1 | -1, writable: boolean): boolean {
    const areas = (this.#sharers.get(mm) ?? 0) + change;
    if (areas > 0) {
      this.#sharers.set(mm, areas);
      if (change === 1 && areas === 1) this.#link(mm, writable);
      return false;
    }
    this.#sharers.delete(mm);
    this.#unlink(cpu, mm);
    return true;
  }

  #link(mm: MmStruct, writable: boolean): void {
    const { memory } = this.#manager;
    for (let at = this.start; at < this.end; at += PML4_ENTRY_SPAN) {
      const from = this.host.tables.topEntry(at);
      const to = mm.tables.topEntry(at);
      const low = memory.read32(from) | SHARED_ENTRY;
      memory.write32(to + 4, memory.read32(from + 4));
      memory.write32(to, writable ? low : low & ~Pte.writable);
    }
  }

  #unlink(cpu: Cpu, mm: MmStruct): void {
    const { memory } = this.#manager;
    for (let at = this.start; at < this.end; at += PML4_ENTRY_SPAN) {
      const entry = mm.tables.topEntry(at);
      if ((memory.read32(entry) & SHARED_ENTRY) === 0) continue;
      memory.write32(entry, 0);
      memory.write32(entry + 4, 0);
    }
    // The end of a whole address space flushes by itself.
    if (!mm.dead) this.#manager.tlb.flushRange(cpu, mm, this.start, this.end);
  }

  /** A fault of a sharer: the host's tables get the page, and with them everybody's. */
  fault(cpu: Cpu, mm: MmStruct, address: number, code: number): FaultResult {
    cpu.charge(MshareStep.faultLookUp);
    if (this.destroyed) return faultSignal(Signal.BUS, SignalCode.BUS_ADRERR);
    const area = mm.areas.containing(address);
    if ((code & FaultCode.write) !== 0 && area?.object instanceof RegionMapping && !area.object.writable) {
      return faultSignal(Signal.SEGV, SignalCode.SEGV_ACCERR);
    }
    return resolveFault(cpu, this.host, address, code);
  }

  /** mprotect by a process that may: it holds for all sharers. @returns 0 or a negative errno */
  protect(cpu: Cpu, start: number, end: number, prot: number): number {
    if (!this.holds(start) || end > this.end) return -Errno.ENOMEM;
    return changeProtection(cpu, this.host, start, end, prot, -1);
  }

  /** Makes all pages present. @returns the bytes of page tables it takes */
  populate(cpu: Cpu): number {
    populateRange(cpu, this.host, this.start, this.end);
    return this.pageTableBytes;
  }

  /** A flush of the host concerns whoever runs a sharer. */
  widen(targets: FlushTargets<MmStruct>): void {
    targets.reachSharers = true;
    for (const mm of this.#sharers.keys()) {
      mm.tlbGeneration++;
      targets.sharers.push(mm);
      for (let word = 0; word < targets.cpus.length; word++) {
        targets.cpus[word] = (targets.cpus[word] as number) | (mm.cpuMask[word] as number);
      }
    }
  }

  /** Frees the memory. A process that still has it mapped gets SIGBUS from now on. */
  destroy(cpu: Cpu): void {
    if (this.destroyed) return;
    this.destroyed = true;
    for (const mm of this.#sharers.keys()) this.#unlink(cpu, mm);
    exitMm(cpu, this.host);
  }
}

/** How a region is attached. */
export interface AttachOptions {
  /** Its rights change through a control descriptor only, not by mprotect of sharers. */
  readonly controlled?: boolean;
  /** Called when the last area of the address space that maps it is gone. */
  readonly onDetach?: () => void;
}

/** A region as an area of a sharer sees it. Faults never ask it for frames: they are the host's. */
export class RegionMapping implements MappedObject {
  readonly name: string = 'mshare';
  readonly region: Region;
  readonly writable: boolean;
  readonly #cpu: Cpu;
  readonly #options: AttachOptions;

  constructor(region: Region, writable: boolean, cpu: Cpu, options: AttachOptions) {
    this.region = region;
    this.writable = writable;
    this.#cpu = cpu;
    this.#options = options;
  }

  frame(): number {
    return -1;
  }

  /** mprotect by a sharer. @returns 0 or a negative errno */
  protect(cpu: Cpu, start: number, end: number, prot: number): number {
    if (this.#options.controlled === true) return -Errno.EPERM;
    return this.writable ? this.region.protect(cpu, start, end, prot) : -Errno.EACCES;
  }

  mapped(change: 1 | -1, _area: Vma, mm: MmStruct): void {
    if (this.region.counted(this.#cpu, mm, change, this.writable)) this.#options.onDetach?.();
  }
}

/** Page-table bytes, level 1 alone, that `bytes` of fully mapped memory take in each address space that has its own. */
export function levelOneBytes(bytes: number): number {
  return (bytes / PAGE_SIZE) * 8;
}
