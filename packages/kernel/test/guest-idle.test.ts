import { findProfile, HwStep } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { createMachine, type Machine, measure } from '../src/index.js';

const ROUNDS = 50;

/** Round trips through pipes between two CPUs whose idle state is `idle`. */
function pipes(idle: 'C1' | 'guest') {
  const machine = createMachine({ idle });
  const { roundTrip } = measure(
    machine,
    {
      *open(p) {
        const [a, b] = [yield* p.pipe(), p.second];
        const [c, d] = [yield* p.pipe(), p.second];
        const buffer = yield* p.allocate(4096);
        yield* p.memset(buffer, 0, 64);
        return [
          { from: c, to: b, buffer },
          { from: a, to: d, buffer },
        ] as const;
      },
      send: (p, { to, buffer }) => p.write(to, buffer, 8) as never,
      receive: (p, { from, buffer }) => p.read(from, buffer, 8) as never,
    },
    { rounds: ROUNDS },
  );
  return { roundTrip, machine };
}

/** TSC cycles that both CPUs have been away in the hypervisor for interrupts to the other one. */
function away({ platform }: Machine): number {
  return platform.cpus.slice(0, 2).reduce((sum, { ownLedger }) => sum + ownLedger.booked(HwStep.vmExit), 0);
}

describe('a guest whose idle CPUs are halted', () => {
  const state = findProfile('xeon-platinum-8336c')?.idle.find(({ name }) => name === 'guest');

  it('is woken by an interrupt, through the hypervisor: each way takes as long as the profile says', () => {
    const guest = pipes('guest').roundTrip;
    const exits = guest.steps.find(({ name }) => name === '@rpal/hw-x86:idleExit');
    expect(exits?.cycles).toBeCloseTo(2 * (state?.wake.central as number) * 2.3, -2);
    expect(guest.cycles - pipes('C1').roundTrip.cycles).toBeGreaterThan(2 * 14_000 * 2.3);
  });

  it('lets the waker wait in the hypervisor while the woken CPU comes: it is not on the way of the message', () => {
    const { machine, roundTrip } = pipes('guest');
    const kicks = away(machine) / ((state?.kick?.central as number) * 2.3);
    expect(kicks).toBeGreaterThanOrEqual(2 * ROUNDS);
    expect(roundTrip.steps.map(({ name }) => name)).not.toContain('@rpal/hw-x86:vmExit');
    expect(away(pipes('C1').machine)).toBe(0);
  });
});
