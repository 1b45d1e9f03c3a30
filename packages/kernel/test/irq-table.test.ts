import { Vector } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { IrqTable, MachineError, Time } from '../src/index.js';
import { runOn, smallMachine } from './support.js';

describe('the interrupts of a machine', () => {
  it('are served by vector; one that nobody handles is counted, and the program goes on', () => {
    const machine = smallMachine();
    const { irqs } = machine.kernel;
    const served: number[] = [];
    irqs.define(0x50, 'a device', (cpu) => served.push(cpu.id));
    runOn(machine, function* (p) {
      const { cpu } = p.context;
      cpu.raise(0x50, cpu.clock);
      cpu.raise(0x51, cpu.clock);
      cpu.raise(0x51, cpu.clock);
      yield* p.sleep(Time.ms);
      cpu.raise(0x51, cpu.clock);
      yield* p.sleep(Time.ms);
    });
    expect(served).toEqual([0]);
    const counts = new Map([...irqs].map(({ vector, count }) => [vector, count]));
    expect(counts.get(0x50)).toBe(1);
    expect(counts.get(Vector.localTimer)).toBeGreaterThan(0);
    expect([irqs.spurious[0x50], irqs.spurious[0x51], irqs.spurious[Vector.reschedule]]).toEqual([0, 2, 0]);
  });

  it.each([
    [14, 'page fault', () => {}, /vectors are 32 to 255/],
    [256, 'too far', () => {}, /vectors are 32 to 255/],
    [0x50, 'second', () => {}, /"first" has it/],
    [0x51, '', () => {}, /it needs a name/],
    [0x51, 'lazy', undefined as never, /its handler is not a function/],
  ])('vector %s for "%s" is refused', (vector, name, handler, message) => {
    const irqs = new IrqTable();
    irqs.define(0x50, 'first', () => {});
    expect(() => irqs.define(vector, name, handler)).toThrow(message);
    expect(() => irqs.define(vector, name, handler)).toThrow(MachineError);
  });
});
