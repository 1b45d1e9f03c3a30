import { type Cpu, PAGE_SIZE, pageCeil } from '@rpal/hw-x86';
import { awaitMmapLock, currentThread, type SyscallExtension } from '@rpal/kernel';
import { type MappedObject, mmap, setEntry, unmapRange, type Vma, VmFlag, WRITTEN_PAGE } from '@rpal/mm';
import { Errno, MapFlag, Signal } from '@rpal/uapi';
import { begin, Pending } from '@rpal/vfs';
import { RPAL_MAX_SHARED_PAGES } from '../abi/constants.js';
import type { Rpal } from '../rpal.js';
import { RpalBug } from '../rpal-bug.js';
import { LockedOperation } from '../services/locked-operation.js';
import { RecordKind } from '../services/record-heap.js';
import type { RpalService } from '../services/service.js';
import type { SharedMapping } from '../services/shared-mapping.js';
import { type RpalTask, rpalTask } from '../services/thread.js';
import { RpalStep } from '../steps.js';

/** Where munmap takes the service's mutex, for those who observe locks. */
const UNMAPPING = 'rpal_munmap (patch 7)';

/** Pages that a service and the kernel both reach: physically contiguous, zeroed (patch 07: `rpal_shared_page`). */
export class SharedPages implements MappedObject, SharedMapping {
  readonly name = 'rpal';
  readonly service: RpalService;
  readonly pages: number;
  readonly #rpal: Rpal;
  readonly #first: number;
  userStart = 0;
  /** Threads registered with a record in here, and the mapping itself. */
  references = 1;
  /** Pages that the owner still has mapped. */
  #left: number;
  #freed = false;

  constructor(rpal: Rpal, service: RpalService, first: number, pages: number) {
    this.#rpal = rpal;
    this.service = service;
    this.#first = first;
    this.pages = pages;
    this.#left = pages;
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

  /** A thread with a record in here has unregistered. */
  unregister(): void {
    if (this.#freed && this.#rpal.quirk('shared-page-kill')) {
      const text = `a thread of service ${this.service.id} unregisters from shared pages at 0x${this.userStart.toString(16)}`;
      throw new RpalBug('use after free', 7, `${text}, whose record was freed when they were unmapped`);
    }
    if (--this.references === 0 && !this.#freed) this.#free();
  }

  /** The close callback is the only one: forks and splits go unnoticed. */
  mapped(change: 1 | -1, area: Vma): void {
    // A mapping that fails half way is undone before it counts as one.
    if (change > 0 || area.object !== this || this.userStart === 0) return;
    const rpal = this.#rpal;
    const { service } = this;
    const { kernel } = rpal;
    const cpu = kernel.platform.running as Cpu;
    if (service.mm.rpalService !== service || currentThread(kernel.scheduler, cpu).memory !== service.mm) {
      rpal.warn(cpu, `shared pages at ${this.userStart} are unmapped by a process that is not a service`);
      return;
    }
    // munmap has taken it; what unmaps otherwise (mmap in its place, mremap) is one step, and does not wait for it.
    const held = service.mutex.owner === currentThread(kernel.scheduler, cpu);
    if (!held && rpal.quirk('lock-order-inverted')) service.mutex.pass(cpu, UNMAPPING);
    this.#left -= area.pages;
    if (this.#left > 0) {
      if (!rpal.quirk('shared-page-split')) return;
      rpal.warn(cpu, `shared pages at ${this.userStart}: ${area.pages} of ${this.pages} are unmapped, all are freed`);
    }
    if (this.#freed) {
      rpal.warn(cpu, `shared pages at ${this.userStart} are freed a second time`);
      return;
    }
    if (--this.references > 0) {
      if (!rpal.quirk('shared-page-kill')) return;
      rpal.warn(cpu, `shared pages at ${this.userStart} are unmapped while ${this.references} threads are registered in them`);
      kernel.signals.send(cpu, service.leader, Signal.KILL);
    }
    this.#free();
  }

  #free(): void {
    const rpal = this.#rpal;
    const { frames } = rpal.kernel.memory;
    this.#freed = true;
    const at = this.service.sharedPages.indexOf(this);
    if (at >= 0) this.service.sharedPages.splice(at, 1);
    // The allocator is given an order that was computed from the number of pages as if that were a number of bytes.
    const freed = rpal.quirk('shared-page-leak') ? Math.ceil(this.pages / PAGE_SIZE) : this.pages;
    for (let i = 0; i < freed; i++) frames.put(this.#first + i);
    rpal.heap.free(RecordKind.sharedPages);
  }
}

/**
 * mmap of /proc/rpal (patch 07), under the lock of the address space. As written it waits there for the service's mutex, under which ENABLE
 * and others wait for that lock. @returns the address or a negative errno, or a `Pending`
 */
export function mapSharedPages(rpal: Rpal, cpu: Cpu, thread: RpalTask, hint: number, length: number, prot: number, flags: number): number {
  const { service } = thread.rpal;
  if (service === null) return -Errno.EINVAL;
  if ((flags & MapFlag.FIXED) !== 0 && hint % PAGE_SIZE !== 0) return -Errno.EINVAL;
  const pages = pageCeil(length) / PAGE_SIZE;
  if (pages === 0 || (pages & (pages - 1)) !== 0) return -Errno.EINVAL;
  const map = (on: Cpu): number => mapLocked(rpal, on, service, pages, hint, prot, flags);
  if (!rpal.quirk('lock-order-inverted')) return map(cpu);
  return begin(cpu, thread, new LockedOperation(thread, service, 'rpal_mmap (patch 7)', [map]));
}

function mapLocked(rpal: Rpal, cpu: Cpu, service: RpalService, pages: number, hint: number, prot: number, flags: number): number {
  const used = service.sharedPages.reduce((sum, shared) => sum + shared.pages, 0);
  if (used + pages > RPAL_MAX_SHARED_PAGES) return -Errno.ENOMEM;
  cpu.charge(RpalStep.sharedPage);
  if (!rpal.heap.allocate(RecordKind.sharedPages)) return -Errno.EAGAIN;
  const { memory } = rpal.kernel;
  const first = rpal.heap.fails() ? -1 : memory.frames.allocateRun(pages, cpu.socket);
  if (first < 0) {
    rpal.heap.free(RecordKind.sharedPages);
    return -Errno.ENOMEM;
  }
  cpu.memory.fill(first * PAGE_SIZE, pages * PAGE_SIZE);
  const shared = new SharedPages(rpal, service, first, pages);
  const address = mapPages(rpal, cpu, shared, first, hint, prot, flags);
  if (address < 0) {
    for (let i = 0; i < pages; i++) memory.frames.put(first + i);
    rpal.heap.free(RecordKind.sharedPages);
    return address;
  }
  service.sharedPages.push(shared);
  return address;
}

/** Puts the pages into the address space of their service. @returns the address, or a negative errno and nothing is mapped */
function mapPages(rpal: Rpal, cpu: Cpu, shared: SharedPages, first: number, hint: number, prot: number, flags: number): number {
  const { mm } = shared.service;
  const bytes = shared.pages * PAGE_SIZE;
  const address = mmap(cpu, mm, hint, bytes, prot, flags, {
    object: shared,
    vmFlags: VmFlag.PFNMAP | VmFlag.DONTEXPAND | VmFlag.DONTDUMP | (rpal.quirk('shared-page-split') ? 0 : VmFlag.DONTCOPY),
  });
  if (address < 0) return address;
  const area = mm.areas.containing(address) as Vma;
  for (let i = 0; i < shared.pages; i++) {
    const entry = mm.tables.make(address + i * PAGE_SIZE);
    if (entry < 0) {
      unmapRange(cpu, mm, address, address + bytes);
      return -Errno.ENOMEM;
    }
    rpal.kernel.memory.frames.get(first + i);
    setEntry(mm, area, entry, first + i, WRITTEN_PAGE);
    mm.residentPages++;
  }
  shared.userStart = address;
  return address;
}

/**
 * munmap of shared pages (patch 07). As written it waits for the service's mutex under the lock of the address space, too; put right, the
 * list of shared pages has a lock of its own, which is as good as none here, since what it protects is one step.
 */
export function unmapUnderMutex(rpal: Rpal): SyscallExtension {
  const { scheduler } = rpal.kernel;
  return (inner) => (cpu, caller, registers) => {
    const thread = rpalTask(caller);
    const { service } = thread.rpal;
    const { a0, a1 } = registers;
    const mine = service?.sharedPages.some(({ userStart, pages }) => userStart < a0 + a1 && a0 < userStart + pages * PAGE_SIZE) ?? false;
    if (service === null || !mine) return inner(cpu, caller, registers);
    const { mmapLock } = service.mm;
    const phases = [(on: Cpu): number => inner(on, caller, registers)];
    const unmap = new LockedOperation(thread, service, UNMAPPING, phases);
    const step = (on: Cpu): number => {
      if (mmapLock.holder !== thread) {
        if (!awaitMmapLock(on, scheduler, thread, mmapLock)) return Pending.SLEEP;
        mmapLock.take(on, '');
        mmapLock.holder = thread;
      }
      const result = unmap.step(on);
      if (result > Pending.AGAIN) mmapLock.release(on);
      return result;
    };
    return begin(cpu, thread, { step });
  };
}
