import { Access, type Cpu, findProfile, Platform } from '@rpal/hw-x86';
import { Signal } from '@rpal/uapi';
import { FAULT_RESOLVED, handleFault, MemoryManager, type MemoryOptions, type MmStruct } from '../src/index.js';

/** Bare hardware with memory management on it: no kernel, no tasks. */
export class TestBench {
  readonly platform: Platform = new Platform({ profile: findProfile('xeon-platinum-8336c')! });
  readonly manager: MemoryManager;
  readonly cpu: Cpu;

  constructor(options: MemoryOptions = {}) {
    this.manager = new MemoryManager(this.platform, options);
    this.cpu = this.cpuAt(0);
  }

  cpuAt(id: number): Cpu {
    return this.platform.cpus[id] as Cpu;
  }

  /** A fresh address space, loaded on `cpu`. */
  process(cpu: Cpu = this.cpu): MmStruct {
    const mm = this.manager.create(cpu);
    mm.activate(cpu);
    return mm;
  }
}

/** How an access by user code ended: the byte, or the signal it was answered with. */
export type Outcome = number | { readonly signal: number; readonly code: number };

/** A load by user code on `cpu`, page faults included. */
export function load(cpu: Cpu, mm: MmStruct, address: number): Outcome {
  return access(cpu, mm, address, Access.user, (physical) => cpu.memory.read8(physical));
}

/** A store by user code. */
export function store(cpu: Cpu, mm: MmStruct, address: number, value: number): Outcome {
  return access(cpu, mm, address, Access.user | Access.write, (physical) => {
    cpu.memory.write8(physical, value);
    return value;
  });
}

/** An instruction fetch by user code; 0 if it may execute. */
export function execute(cpu: Cpu, mm: MmStruct, address: number): Outcome {
  return access(cpu, mm, address, Access.user | Access.fetch, () => 0);
}

function access(cpu: Cpu, mm: MmStruct, address: number, how: number, act: (physical: number) => number): Outcome {
  for (let tries = 0; tries < 4; tries++) {
    const physical = cpu.data(address, how);
    if (physical >= 0) return act(physical);
    const result = handleFault(cpu, mm, cpu.mmu.faultAddress, cpu.mmu.faultCode);
    if (result !== FAULT_RESOLVED) return { signal: result & 0xff, code: result >>> 8 };
  }
  throw new Error(`the access to ${address} faults for ever`);
}

export function segv(code: number): Outcome {
  return { signal: Signal.SEGV, code };
}

/** The areas as `/proc/PID/maps` shows them, addresses relative to `base` in pages: `2-5 rw-p`. */
export function maps(mm: MmStruct, base: number): string[] {
  return [...mm.areas].map(({ start, end, flags }) => {
    const rights = `${flags & 1 ? 'r' : '-'}${flags & 2 ? 'w' : '-'}${flags & 4 ? 'x' : '-'}${flags & 8 ? 's' : 'p'}`;
    return `${(start - base) / 4096}-${(end - base) / 4096} ${rights}`;
  });
}
