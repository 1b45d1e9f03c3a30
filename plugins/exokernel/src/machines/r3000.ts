import { type CpuProfile, defaultProfile, type Figure, figure } from '@rpal/hw-x86';

const MANUAL = 'general knowledge of the R2000 and R3000, no text at hand';
const none: Figure = figure(0, 0, 0, 'recalled', 'the processor has nothing of the kind');
const cycles = (low: number, central: number, high: number, what: string): Figure =>
  figure(low, central, high, 'recalled', `${what}; ${MANUAL}`);

/**
 * The modelled x86 at the prices of an R3000: what takes hundreds of cycles on today's processors (SYSCALL, exceptions, CR3) takes the few that
 * the pipeline of such a DECstation took. Page tables, privileges and instruction counts stay x86's. It says how much of a difference to the
 * published figures is the processor. @param mhz its clock
 */
function priced(name: string, title: string, mhz: number): CpuProfile {
  const entry = cycles(3, 4, 6, 'the pipeline drains and starts at the vector');
  return {
    ...defaultProfile,
    name,
    title,
    topology: { sockets: 1, coresPerSocket: 1, threadsPerCore: 1, coresPerCache: 1, memoryPerSocket: 1 },
    features: {
      ...defaultProfile.features,
      pku: false,
      fsgsbase: false,
      invpcid: false,
      mwait: false,
      gib1Pages: false,
      vmfunc: false,
    },
    clock: {
      tscGHz: mhz / 1000,
      apicMHz: 1,
      coreGHz: figure(mhz / 1000, mhz / 1000, mhz / 1000, 'published', 'Engler et al., Exokernel, SOSP 1995: the machines'),
    },
    cpi: {
      kernel: cycles(1, 1.1, 1.6, 'one instruction a cycle and a load delay now and then, caches warm'),
      user: cycles(1, 1.1, 1.6, 'likewise'),
    },
    costs: {
      ...defaultProfile.costs,
      syscall: entry,
      exception: entry,
      interrupt: entry,
      nmi: entry,
      sysret: cycles(2, 2, 3, 'JR with RFE in its delay slot'),
      iret: cycles(2, 2, 3, 'JR with RFE in its delay slot'),
      bhbClear: none,
      swapgs: none,
      cr3Write: cycles(1, 2, 3, 'MTC0 to EntryHi, which holds the ASID, and a slot until it counts'),
      cr3WriteFlush: cycles(100, 200, 300, '56 entries of the TLB overwritten one by one'),
      invlpg: cycles(6, 8, 12, 'TLBP, a branch, TLBWI'),
      lockedOp: cycles(8, 15, 30, 'no atomic instruction: interrupts off and on'),
      wrmsr: cycles(1, 2, 3, 'MTC0'),
      rdmsr: cycles(1, 2, 3, 'MFC0'),
      wrfsbase: none,
      rdfsbase: none,
      wrpkru: none,
      rdpkru: none,
      lfence: none,
      mfence: none,
      xsave: cycles(32, 40, 60, '32 registers of the R3010 stored'),
      xrstor: cycles(32, 40, 60, '32 registers of the R3010 loaded'),
      functionCall: cycles(2, 2, 4, 'JAL and JR with their delay slots'),
      mispredict: none,
      stackSwitch: cycles(1, 2, 3, 'one register moved'),
      reload: none,
      codeLine: none,
      stlbHit: none,
      walkLevel: cycles(2, 3, 4, 'the refill handler takes some 9 to 12 instructions; here a quarter for each of four levels'),
    },
    bytesPerCycle: {
      copy: cycles(1, 2, 2, 'a load and a store of a word'),
      zero: cycles(2, 4, 4, 'a store of a word'),
    },
  };
}

/** A DECstation 2100's prices. @public for experiments of your own */
export const decstation2100: CpuProfile = priced('x86-at-r2000-12', 'modelled x86 at the prices of a DECstation 2100', 12.5);
/** A DECstation 3100's prices. @public for experiments of your own */
export const decstation3100: CpuProfile = priced('x86-at-r2000-16', 'modelled x86 at the prices of a DECstation 3100', 16.67);
/** A DECstation 5000/125's prices. @public for experiments of your own */
export const decstation5000: CpuProfile = priced('x86-at-r3000-25', 'modelled x86 at the prices of a DECstation 5000/125', 25);

/** The three, as the paper has them. */
export const decstations: readonly CpuProfile[] = [decstation2100, decstation3100, decstation5000];
