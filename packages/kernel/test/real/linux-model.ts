import { rulesOf } from '@rpal/mm';
import { smallProfile } from '../../../../scripts/testing/run.ts';
import { posix } from '../../../posix/src/index.js';
import { tmpfs } from '../../../tmpfs/src/index.js';
import { Capability, createMachine, type Machine, type Program } from '../../src/index.js';

/** A machine with all calls, as Linux 6.18 on the computers on which model and kernel have been compared. */
export function linuxModel(): Machine {
  const profile = smallProfile(2);
  const machine = createMachine({
    plugins: [posix(), tmpfs()],
    // No protection keys, as on those computers.
    profile: { ...profile, features: { ...profile.features, pku: false } },
    idle: 'poll',
    epollNestingCountsUpwards: true,
    unixCloseSkipsEmptyMessage: true,
    unixConnectInheritsOptions: true,
    pidfdOpenNamesThreads: true,
    anonymousInodesAreFixed: true,
    socketNameLengthFirst: true,
    writesWithoutSignal: true,
  });
  Object.assign(machine.kernel.memory, { rules: rulesOf('6.18') });
  return machine;
}

/** Takes capabilities away from a process for good: bits of their lower word. */
export function dropRights(p: Program, bits: number): void {
  const { process } = p.context.thread;
  const rights = { ...process.credentials.effective, low: process.credentials.effective.low & ~bits };
  process.credentials = { ...process.credentials, effective: rights, permitted: rights, bounding: rights };
}

/** Nobody may put limits up: not every root can. */
export const LIMITS: number = 1 << Capability.SYS_RESOURCE;
