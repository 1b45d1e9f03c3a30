import type { Isolation } from '../services/isolation.js';
import { RpalStep } from '../steps.js';

/** Memory protection keys (patches 25, 26, 29): rights are PKRU, and the CPU checks them at every access. */
export const protectionKeys: Isolation = {
  name: 'protection keys',
  refusal: ({ features, name }) =>
    features.pku ? null : `needs protection keys (PKU), which ${name} does not have; add a plugin that provides another isolation`,
  userLoad(cpu, rights) {
    cpu.charge(RpalStep.keyLoad);
    cpu.mmu.pkru = rights;
  },
  kernelLoad(cpu, rights) {
    cpu.charge(RpalStep.kernelKeyLoad);
    cpu.mmu.pkru = rights;
  },
  denies: () => false,
  relinked() {},
};
