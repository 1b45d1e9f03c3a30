import type { Cpu } from '@rpal/hw-x86';
import type { Isolation } from '@rpal/rpal-core';

/** No isolation: services that have requested each other trust each other with everything. Rights are a word that nobody reads. */
export const trusting: Isolation = {
  name: 'none',
  refusal: () => null,
  userLoad(cpu: Cpu, rights: number) {
    cpu.mmu.pkru = rights;
  },
  kernelLoad(cpu: Cpu, rights: number) {
    cpu.mmu.pkru = rights;
  },
  denies: () => false,
  relinked() {},
};
