import { HwStep } from '../costs/steps.js';
import { HardwareError } from '../errors.js';
import type { Cpu } from './cpu.js';

/** PKRU is state component 9 (SDM vol. 1, 13.1). */
const PKRU_BIT = 1 << 9;
/** Of the standard format: the word that says which components are in the area, and PKRU with AVX-512 present. */
const XSTATE_BV = 512;
const PKRU_OFFSET = 2688;

/** Bytes of an XSAVE area up to and including PKRU, in the standard format. @public for engines and kernels that save user state */
export const XSAVE_AREA_SIZE = 2696;

/**
 * XSAVE with PKRU requested: writes the register into the area and marks it there, unless it has its initial value 0.
 * Other components are not modelled and not touched.
 * @param area physical address, a multiple of 64
 * @public for engines and kernels that save user state
 */
export function xsavePkru(cpu: Cpu, area: number): void {
  requireArea(cpu, 'XSAVE', area);
  cpu.charge(HwStep.xsave);
  const { memory, mmu } = cpu;
  const present = memory.read32(area + XSTATE_BV);
  memory.write32(area + XSTATE_BV, mmu.pkru === 0 ? present & ~PKRU_BIT : present | PKRU_BIT);
  if (mmu.pkru !== 0) memory.write32(area + PKRU_OFFSET, mmu.pkru);
}

/** XRSTOR with PKRU requested: a component that the area does not mark gets its initial value, which opens all keys. @public for engines and kernels that save user state */
export function xrstorPkru(cpu: Cpu, area: number): void {
  requireArea(cpu, 'XRSTOR', area);
  cpu.charge(HwStep.xrstor);
  const { memory, mmu } = cpu;
  mmu.pkru = (memory.read32(area + XSTATE_BV) & PKRU_BIT) === 0 ? 0 : memory.read32(area + PKRU_OFFSET);
}

function requireArea(cpu: Cpu, instruction: string, area: number): void {
  if (!cpu.mmu.pke) {
    throw new HardwareError('INVALID_OPCODE', `${instruction} of PKRU on ${cpu.costs.profile.name}, which has no protection keys: #UD`);
  }
  if (area % 64 !== 0) throw new HardwareError('GENERAL_PROTECTION', `area: ${area} is not a multiple of 64: #GP`);
}
