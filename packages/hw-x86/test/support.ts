import {
  type Cpu,
  type CpuProfile,
  Exception,
  findProfile,
  HwStep,
  mapPage,
  PAGE_SIZE,
  type PhysicalMemory,
  Platform,
  type PlatformOptions,
  Pte,
  Translations,
  type TrapHandler,
} from '../src/index.js';

export const XEON = findProfile('xeon-platinum-8336c')!;
export const MILAN = findProfile('epyc-7713')!;
export const GENOA = findProfile('epyc-9654')!;

/** Rights of an ordinary user page. */
export const USER_RW: number = Pte.user | Pte.writable;

/** A platform of the RFC's machine, unless told otherwise. */
export function platform(options: Partial<PlatformOptions> = {}): Platform {
  return new Platform({ profile: XEON, ...options });
}

/** A processor with an empty address space loaded, to be used directly, without running a program. */
export function bareCpu(options: Partial<PlatformOptions> = {}): { cpu: Cpu; memory: PhysicalMemory; root: number; platform: Platform } {
  const machine = platform(options);
  const cpu = machine.cpus[0] as Cpu;
  const root = emptyTable(machine.memory);
  cpu.mmu.loadRoot(root, 1, Translations.KEEP);
  return { cpu, memory: machine.memory, root, platform: machine };
}

/** A trap handler for tests that expect interrupts only: a test fails in whatever it leaves out. */
export function handles(some: Partial<TrapHandler>): TrapHandler {
  const unexpected = (what: string) => (cpu: Cpu) => {
    throw new Error(`core ${cpu.id}: ${what} was not expected`);
  };
  return {
    syscall: unexpected('SYSCALL'),
    exception: unexpected('an exception'),
    interrupt: unexpected('an interrupt'),
    nmi: unexpected('an NMI'),
    ...some,
  };
}

/** A zeroed frame. */
export function emptyTable(memory: PhysicalMemory): number {
  const frame = memory.allocate();
  memory.fill(frame * PAGE_SIZE, PAGE_SIZE);
  return frame;
}

/** Maps a fresh frame for user mode; returns the frame. */
export function mapUser(memory: PhysicalMemory, root: number, address: number, flags: number = USER_RW, key = 0): number {
  const frame = emptyTable(memory);
  mapPage(memory, root, address, { frame, flags, key });
  return frame;
}

/** The built-in profile as input, to be varied. */
export function profileInput(): CpuProfile {
  return structuredClone(XEON);
}

export { Exception };

/** Makes `cpu` compute in steps of `step` cycles until its clock reaches `until`; then it halts. */
export function busyUntil(cpu: Cpu, until: number, step = 50): void {
  cpu.context = {
    resume() {
      do {
        cpu.chargeCycles(HwStep.pageWalk, step);
        if (cpu.clock >= until) cpu.halt();
      } while (cpu.hasTime && !cpu.halted);
    },
  };
  if (cpu.halted) cpu.wake(cpu.clock);
}
