import { FirstAnswerHook, NotifyHook, ValueHook, wholeNumber, zeroOrErrno } from '@rpal/bus';
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
     * A program asks to put pages under `key` (`pkey_mprotect`). The first answer is returned to it (a negative errno).
     * @param key protection key, 0 .. 15; -1 for plain mprotect
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
     * A program gives a key back (`pkey_free`). The first answer is returned to it (a negative errno).
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
}

declare module '@rpal/bus' {
  interface Hooks extends MmHooks {}
}

type MmHooks = MmSeams['hooks'];
