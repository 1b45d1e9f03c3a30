import { type CpuProfile, profiles } from '@rpal/hw-x86';
import { createMachine, executable, type Machine, type Main, type Process, type Program } from '@rpal/kernel';
import { mshare } from '../src/index.js';

/** Four cores, little memory: machines are made in no time. */
export const small: CpuProfile = {
  ...(profiles[0] as CpuProfile),
  topology: { sockets: 1, coresPerSocket: 4, threadsPerCore: 1, coresPerCache: 4, memoryPerSocket: 1 },
};

/** Where regions of these tests begin. */
export const AT = 0x100_0000_0000;
export const LENGTH = 4 * 0x20_0000;

export function machine(): Machine {
  return createMachine({ profile: small, plugins: [mshare()] });
}

/** Runs programs, each on a core of its own, to their end. */
export function run(on: Machine, ...mains: Main[]): Process[] {
  const processes = mains.map((main, i) => on.spawn(executable(`process-${i}`, main), i));
  on.run({ deaths: 'report' });
  return processes;
}

/** Waits until something holds that another program brings about. */
export function* until(p: Program, condition: () => boolean): Generator<void, void> {
  for (let i = 0; !condition(); i++) {
    if (i === 10_000) throw new Error(`never came true: ${condition}`);
    yield* p.sleep(20_000);
  }
}
