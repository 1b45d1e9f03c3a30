import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import type { Thread } from '@rpal/kernel';
import { type MappedObject, mmap, setEntry, type Vma, VmFlag } from '@rpal/mm';
import { Errno, Signal } from '@rpal/uapi';
import { RPAL_MAX_SHARED_PAGES } from './constants.js';
import type { Rpal } from './rpal.js';
import type { RpalService } from './service.js';
import { RpalStep } from './steps.js';

/** Pages that a service and the kernel both reach: physically contiguous, zeroed (patch 07: `rpal_shared_page`). */
export class SharedPages implements MappedObject {
  readonly name = 'rpal';
  readonly service: RpalService;
  readonly pages: number;
  readonly #rpal: Rpal;
  readonly #first: number;
  userStart = 0;
  /** Threads registered with a record in here, and the mapping itself. */
  references = 1;

  constructor(rpal: Rpal, service: RpalService, first: number, pages: number) {
    this.#rpal = rpal;
    this.service = service;
    this.#first = first;
    this.pages = pages;
  }

  frame(offset: number): number {
    return offset < this.pages ? this.#first + offset : -1;
  }

  /** True if `bytes` bytes from `address` lie within. */
  contains(address: number, bytes: number): boolean {
    return address >= this.userStart && address + bytes <= this.userStart + this.pages * PAGE_SIZE;
  }

  holds(address: number): boolean {
    return address >= this.userStart && address < this.userStart + this.pages * PAGE_SIZE;
  }

  /** Physical address behind a user address of the mapping. */
  physical(address: number): number {
    return this.#first * PAGE_SIZE + (address - this.userStart);
  }

  /** Only the end of a mapping is noticed: forks and splits are not. */
  mapped(change: 1 | -1, area: Vma): void {
    if (change > 0 || area.object !== this) return;
    const { service } = this;
    const { frames } = this.#rpal.kernel.memory;
    if (service.mm.rpalService !== service) {
      this.#rpal.log.push(`shared pages at ${this.userStart} are unmapped by a process that is no service`);
      return;
    }
    this.references--;
    if (this.references > 0 && this.#rpal.quirk('shared-page-kill')) {
      const { kernel } = this.#rpal;
      kernel.sendSignal(service.leader.cpu, service.leader, Signal.KILL);
    }
    const at = service.sharedPages.indexOf(this);
    if (at >= 0) service.sharedPages.splice(at, 1);
    // The order passed to the allocator is computed from the number of pages as if it were bytes: one page comes back.
    const freed = this.#rpal.quirk('shared-page-leak') && this.pages <= 4096 ? 1 : this.pages;
    for (let i = 0; i < freed; i++) frames.put(this.#first + i);
  }
}

/** mmap of /proc/rpal (patch 07). @returns the address or a negative errno */
export function mapSharedPages(rpal: Rpal, cpu: Cpu, thread: Thread, hint: number, length: number, prot: number, flags: number): number {
  const { service } = thread.rpal;
  if (service === null) return -Errno.EINVAL;
  if (length % PAGE_SIZE !== 0 || hint % PAGE_SIZE !== 0) return -Errno.EINVAL;
  const pages = length / PAGE_SIZE;
  if (pages === 0 || (pages & (pages - 1)) !== 0) return -Errno.EINVAL;
  const used = service.sharedPages.reduce((sum, shared) => sum + shared.pages, 0);
  if (used + pages > RPAL_MAX_SHARED_PAGES) return -Errno.ENOMEM;
  cpu.charge(RpalStep.sharedPage);
  const { memory } = rpal.kernel;
  const first = memory.frames.allocateRun(pages, cpu.socket);
  if (first < 0) return -Errno.ENOMEM;
  cpu.memory.fill(first * PAGE_SIZE, length);
  const shared = new SharedPages(rpal, service, first, pages);
  const { mm } = service;
  const address = mmap(cpu, mm, hint, length, prot, flags, {
    object: shared,
    vmFlags: VmFlag.PFNMAP | VmFlag.DONTEXPAND | VmFlag.DONTDUMP,
  });
  if (address < 0) {
    for (let i = 0; i < pages; i++) memory.frames.put(first + i);
    return address;
  }
  shared.userStart = address;
  const area = mm.areas.containing(address) as Vma;
  for (let i = 0; i < pages; i++) {
    const entry = mm.tables.make(address + i * PAGE_SIZE);
    if (entry < 0) return -Errno.ENOMEM;
    memory.frames.get(first + i);
    setEntry(mm, area, entry, first + i, true, true);
    mm.residentPages++;
  }
  service.sharedPages.push(shared);
  return address;
}
