import { type CpuProfile, figure, nanoseconds, unmitigatedKernel } from '@rpal/hw-x86';
import { Cite } from './cite.js';

const absent = figure(0, 0, 0, 'recalled', 'no such instruction: it raises #UD');

/** What all machines of the paper have in common as far as figures could be found. */
export const common = {
  features: {
    pku: false,
    fsgsbase: false,
    pcid: false,
    invpcid: false,
    eibrs: false,
    gib1Pages: false,
    vmfunc: false,
  },
  // Nobody knew of Meltdown, and Linux did not isolate page tables.
  kernel: unmitigatedKernel,
  cpi: {
    kernel: figure(0.8, 1.2, 1.8, 'estimated', Cite.estimate),
    user: figure(0.5, 0.8, 1.2, 'estimated', Cite.estimate),
  },
  costs: {
    bhbClear: figure(0, 0, 0, 'recalled', 'not known then'),
    exception: figure(300, 450, 700, 'estimated', Cite.estimate),
    invlpg: figure(95, 200, 320, 'published', `${Cite.paper}: a TLB invalidation costs 95 to 320 cycles`),
    invpcid: absent,
    wrpkru: absent,
    rdpkru: absent,
    wrfsbase: absent,
    rdfsbase: absent,
    rdmsr: figure(60, 90, 150, 'estimated', Cite.estimate),
    reload: figure(0.05, 0.25, 0.45, 'estimated', 'as timed on later processors, in cycles'),
    codeLine: figure(0.5, 0.7, 2.3, 'estimated', 'as timed on later processors, in cycles'),
    functionCall: figure(3, 5, 6, 'estimated', Cite.estimate),
    stackSwitch: figure(12, 19, 25, 'estimated', Cite.estimate),
    indirectCall: figure(15, 25, 40, 'estimated', Cite.estimate),
    verw: absent,
    walkLevel: figure(5, 10, 20, 'estimated', Cite.estimate),
    ipiSend: figure(60, 120, 250, 'estimated', 'xAPIC: an uncached store, and a look whether the last one has gone'),
    ipiDelivery: nanoseconds(300, 500, 1000, 'estimated', Cite.estimate),
    mwait: figure(20, 40, 80, 'estimated', Cite.estimate),
    vmfunc: absent,
  },
  bytesPerCycle: {
    copy: figure(3, 6, 8, 'recalled', Cite.recalled),
    zero: figure(4, 8, 16, 'recalled', Cite.recalled),
  },
} as const satisfies Partial<CpuProfile> | { features: object; costs: object };

/** The first idle state of all of them. */
export const poll = {
  name: 'poll',
  exitLatency: 0,
  targetResidency: 0,
  wake: figure(10, 30, 60, 'estimated', Cite.estimate),
} as const satisfies CpuProfile['idle'][number];
