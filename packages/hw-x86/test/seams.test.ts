import { describe, expect, it } from 'vitest';
import { type Cpu, HwStep, Vector } from '../src/index.js';
import { handles, platform } from './support.js';

/** An emission hands over six arguments, as many of them undefined as the event has fewer. */
const given = (facts: readonly number[]): number[] => facts.filter((fact) => fact !== undefined);

describe('the events of the hardware', () => {
  it('tell who was interrupted, by whom, who halted, and for how long', () => {
    const machine = platform();
    const [a, b] = machine.cpus as [Cpu, Cpu];
    b.trap = handles({ interrupt: (cpu) => cpu.charge(HwStep.interrupt), nmi: (cpu) => cpu.unblockNmi() });
    b.context = { resume: (cpu) => cpu.halt() };
    const { interruptTaken, ipiSent, haltEntered, haltLeft } = machine.seams.events;
    const seen: [what: string, ...facts: number[]][] = [];
    interruptTaken.on('test', (...facts) => seen.push(['taken', ...given(facts)]));
    ipiSent.on('test', (...facts) => seen.push(['sent', ...given(facts)]));
    haltEntered.on('test', (...facts) => seen.push(['halt', ...given(facts)]));
    haltLeft.on('test', (...facts) => seen.push(['goes on', ...given(facts)]));

    const boot = b.clock;
    const delivery = Math.round(b.costs.primitive('ipiDelivery'));
    const handler = b.costs.step[HwStep.interrupt] as number;
    a.sendInterrupt(b, Vector.reschedule);
    machine.run();
    a.chargeCycles(HwStep.compute, 100_000);
    a.sendInterrupt(b, Vector.nmi);
    machine.run();

    const first = boot + delivery;
    const second = boot + 100_000 + delivery;
    expect(seen).toEqual([
      ['sent', a.id, boot, b.id, Vector.reschedule, first],
      ['goes on', b.id, first, boot],
      ['taken', b.id, first, Vector.reschedule],
      ['halt', b.id, first + handler],
      ['sent', a.id, boot + 100_000, b.id, Vector.nmi, second],
      ['goes on', b.id, second, first + handler],
      ['taken', b.id, second, Vector.nmi],
      ['halt', b.id, second],
    ]);
  });

  it('do not call it a halt when a core computes', () => {
    const machine = platform();
    const [cpu] = machine.cpus as [Cpu];
    const seen: string[] = [];
    machine.seams.events.haltEntered.on('test', () => seen.push('halt'));
    machine.seams.events.haltLeft.on('test', () => seen.push('goes on'));
    const work = { cycles: 1000 };
    cpu.context = {
      resume(on) {
        if (work.cycles > 0) on.work(HwStep.compute, work);
        else on.halt();
      },
    };
    cpu.wake(cpu.clock);
    machine.run();
    expect(seen).toEqual(['goes on', 'halt']);
  });
});
