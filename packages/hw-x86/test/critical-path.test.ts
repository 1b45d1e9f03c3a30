import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Cpu, CriticalPath, HwStep, Ledger } from '../src/index.js';
import { platform } from './support.js';

describe('CriticalPath', () => {
  it('books exactly what passes between start and end, across cores, whoever was busy or idle meanwhile', () => {
    const leg = fc.record({
      work: fc.nat(5000),
      /** Whether the receiving core waits idle, and how long it was at something else after the departure. */
      busy: fc.option(fc.nat(3000), { nil: null }),
      transit: fc.nat(2000),
      other: fc.nat(1000),
    });
    const { cpus, costs } = platform();
    const [a, b] = cpus as [Cpu, Cpu];
    fc.assert(
      fc.property(fc.array(leg, { maxLength: 8 }), (legs) => {
        a.ownLedger.clear();
        b.ownLedger.clear();
        const start = [a.clock, b.clock];
        const path = new CriticalPath();
        const account = new Ledger(costs);
        let [here, there] = [a, b];
        const begin = here.clock;
        path.start(here, account, {});
        for (const { work, busy, transit, other } of legs) {
          here.charge(HwStep.rdtsc);
          here.chargeCycles(HwStep.pageWalk, work);
          const departed = here.clock;
          path.depart(here);
          here.chargeCycles(HwStep.stlbHit, other);
          if (busy === null) {
            // Idle: what passes is booked as idle by the wake-up, then the path takes it over.
            const idleSince = there.clock;
            const arrival = Math.max(departed, idleSince) + transit;
            there.ownLedger.book(HwStep.idle, arrival - there.clock);
            there.advanceTo(arrival);
            path.arrive(there, idleSince);
          } else {
            there.chargeCycles(HwStep.lockWait, Math.max(0, departed - there.clock) + busy);
            path.arrive(there, there.clock);
          }
          [here, there] = [there, here];
        }
        const elapsed = path.finish(here);
        expect(elapsed).toBe(here.clock - begin);
        expect(account.total).toBe(elapsed);
        // Nothing is lost or booked twice: both cores' own books and the account make up both clocks.
        expect(a.ownLedger.total + b.ownLedger.total + account.total).toBe(a.clock - start[0]! + (b.clock - start[1]!));
      }),
      { numRuns: 150 },
    );
  });

  it('does not arrive where it has not been sent to yet', () => {
    const { cpus, costs } = platform();
    const [a, b] = cpus as [Cpu, Cpu];
    const path = new CriticalPath();
    path.start(a, new Ledger(costs), {});
    a.chargeCycles(HwStep.pageWalk, 100);
    path.depart(a);
    path.arrive(b, b.clock);
    expect(path.holder === null).toBe(true);
    path.take(b);
    expect(path.holder === b).toBe(true);
  });

  it('is taken over from a core that has already gone on, without costing either core anything', () => {
    const { cpus, costs } = platform();
    const [a, b] = cpus as [Cpu, Cpu];
    const path = new CriticalPath();
    const account = new Ledger(costs);
    path.start(a, account, {});
    a.chargeCycles(HwStep.pageWalk, 100);
    b.advanceTo(a.clock - 30);
    const before = [a.clock, b.clock];
    path.take(b);
    expect([a.clock, b.clock]).toEqual(before);
    b.chargeCycles(HwStep.stlbHit, 5);
    expect(path.finish(b)).toBe(75);
    expect([account.total, account.booked(HwStep.senderBusy), a.ownLedger.booked(HwStep.senderBusy)]).toEqual([75, -30, 30]);
  });

  it('has the time that its holder waits idle on its account', () => {
    const { cpus, costs } = platform();
    const [a] = cpus as [Cpu];
    const path = new CriticalPath();
    const account = new Ledger(costs);
    path.start(a, account, {});
    a.halt();
    a.wake(a.clock + 500);
    expect([path.finish(a), account.booked(HwStep.idle)]).toEqual([500, 500]);
  });

  it('says where it is when it is finished elsewhere', () => {
    const { cpus, costs } = platform();
    const [a, b] = cpus as [Cpu, Cpu];
    const path = new CriticalPath();
    expect(() => path.finish(a)).toThrow('the path was finished without having been started');
    path.start(a, new Ledger(costs), {});
    expect(() => path.finish(b)).toThrow('the path is on core 0, not on core 1, where it was finished');
    path.abandon();
    expect(a.ledger === a.ownLedger).toBe(true);
  });
});
