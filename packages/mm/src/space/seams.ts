import { EventSeam, FirstAnswerHook, NotifyHook, ValueHook, wholeNumber, zeroOrErrno } from '@rpal/bus';
import { type Cpu, pageFloor } from '@rpal/hw-x86';
import type { FaultResult } from '../fault-result.js';
import type { FlushTargets } from '../tlb/flush-targets.js';
import type { Layout } from './layout.js';
import type { MmStruct } from './mm-struct.js';

/** The names of borders that lie on no page border, if there are any. */
function notWholePages(layout: Layout): string | null {
  const borders = ['taskSize', 'stackTop', 'mmapBase', 'mmapLegacyBase', 'loadBias', 'brkStart'] as const;
  const wrong = borders.filter((border) => !(layout?.[border] >= 0 && pageFloor(layout[border]) === layout[border]));
  return wrong.length === 0 ? null : `has no page-aligned ${wrong.join(', ')}`;
}

/** The seams of memory management. */
export class MmSeams {
  readonly hooks = {
    /**
     * Where an executable image is about to be laid out, on the CPU that executes `exec`. A tap may move every border;
     * the value is what Linux would choose. Costs what the tap charges.
     * @cost once per exec.
     */
    mmLayout: new ValueHook<Layout, [mm: MmStruct]>('mmLayout', { refuse: notWholePages }),
    /**
     * A new mapping is made. A tap may replace the protection key (0..15) its pages get.
     * @param value protection key, 0 .. 15
     * @cost once per mmap.
     */
    mmNewKey: new ValueHook<number, [mm: MmStruct]>('mmNewKey', { refuse: wholeNumber(0, 15) }),
    /**
     * A program asks to put pages under `key` (`pkey_mprotect`), before anything of what it asks is looked at. The first answer is
     * returned to it (a negative errno).
     * @param key protection key as the program passed it, but for -1, which keeps the key
     * @cost once per pkey_mprotect.
     */
    mmKeyChange: new FirstAnswerHook<[mm: MmStruct, key: number], number>('mmKeyChange', { refuse: zeroOrErrno }),
    /**
     * A program changes the rights of a range (`mprotect`, `pkey_mprotect`) and its arguments are in order. The first
     * answer replaces Linux's work and is returned to it: 0 or a negative errno.
     * @param start first address, on a page border
     * @param end address behind the range, on a page border
     * @param prot `Prot` bits
     * @cost once per mprotect.
     */
    mmProtect: new FirstAnswerHook<[cpu: Cpu, mm: MmStruct, start: number, end: number, prot: number], number>('mmProtect', {
      refuse: zeroOrErrno,
    }),
    /**
     * A program gives a key back (`pkey_free`), before it is known whether it has it. The first answer is returned to it (a negative
     * errno).
     * @param key protection key as the program passed it
     * @cost once per pkey_free.
     */
    mmKeyFree: new FirstAnswerHook<[mm: MmStruct, key: number], number>('mmKeyFree', { refuse: zeroOrErrno }),
    /**
     * A page fault, before the faulting task's own areas are searched. The first answer replaces Linux's.
     * @param address user address that was accessed
     * @param code error code of the CPU, `FaultCode` bits; without `user` it is the kernel that copies from or to user memory
     * @cost once per page fault.
     */
    mmFault: new FirstAnswerHook<[cpu: Cpu, mm: MmStruct, address: number, code: number], FaultResult>('mmFault', {
      refuse: wholeNumber(0, 0xffff),
    }),
    /**
     * Translations of `targets.mm` are to be flushed. A tap may add CPUs and what else they must drop.
     * @param targets the range, who is told, and what those must drop besides
     * @cost once per TLB flush: munmap, mprotect, copy-on-write.
     */
    mmFlush: new NotifyHook<[targets: FlushTargets<MmStruct>]>('mmFlush'),
    /**
     * `child` has been made a copy of `parent`.
     * @cost once per fork.
     */
    mmFork: new NotifyHook<[parent: MmStruct, child: MmStruct]>('mmFork'),
    /**
     * All areas of `mm` are gone; its top-level table is about to be freed.
     * @cost once per process.
     */
    mmExit: new NotifyHook<[mm: MmStruct]>('mmExit'),
  };

  readonly events = {
    /**
     * A page fault has been handled, by Linux or by a tap of `mmFault`.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot, at the end of the handling
     * @param address user address that was accessed
     * @param code error code of the CPU, `FaultCode` bits
     * @param result how it ended: 0 if the access is repeated, else the signal (bits 0..7) and its `si_code` (from bit 8)
     * @cost every page fault.
     */
    pageFault: new EventSeam<[cpu: number, time: number, mm: MmStruct, address: number, code: number, result: FaultResult]>('pageFault'),
    /**
     * Translations have been flushed, here and on those CPUs that were interrupted for it. The others of the mask catch up when they
     * load the address space again (`tlbCatchUp`).
     * @param cpu number of the CPU that flushed
     * @param time TSC cycles since boot, at the end of the flush
     * @param start first address
     * @param end address behind the range; Infinity: everything
     * @param interrupted how many other CPUs were interrupted
     * @cost every TLB flush.
     */
    tlbFlush: new EventSeam<[cpu: number, time: number, mm: MmStruct, start: number, end: number, interrupted: number]>('tlbFlush'),
    /**
     * A CPU returns to an address space from a task without one, and flushes what it was spared meanwhile.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @cost every time a lazy CPU has missed a flush.
     */
    tlbCatchUp: new EventSeam<[cpu: number, time: number, mm: MmStruct]>('tlbCatchUp'),
    /**
     * A range has been mapped: by mmap, by a heap that grew, or as the new place of mremap.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param start first address
     * @param end address behind the range
     * @cost once per mapping.
     */
    memoryMap: new EventSeam<[cpu: number, time: number, mm: MmStruct, start: number, end: number]>('memoryMap'),
    /**
     * A range has been unmapped: by munmap, by a heap that shrank, or as the old place of mremap.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param start first address
     * @param end address behind the range
     * @cost once per range.
     */
    memoryUnmap: new EventSeam<[cpu: number, time: number, mm: MmStruct, start: number, end: number]>('memoryUnmap'),
    /**
     * The rights or the key of a range have been changed.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param start first address
     * @param end address behind the range
     * @cost once per mprotect and pkey_mprotect.
     */
    memoryProtect: new EventSeam<[cpu: number, time: number, mm: MmStruct, start: number, end: number]>('memoryProtect'),
  };
}

declare module '@rpal/bus' {
  interface Hooks extends MmHooks {}
  interface Events extends MmEvents {}
}

type MmHooks = MmSeams['hooks'];
type MmEvents = MmSeams['events'];
