import { definePlugin } from '@rpal/bus';
import { describe, expect, it } from 'vitest';
import { type Call, MachineError, Program, ProgramBase } from '../src/index.js';
import { runOn, smallMachine } from './support.js';

const DOUBLE = 1000;

class DoublingCalls extends ProgramBase {
  doubleOf(value: number): Call {
    return this.syscall(DOUBLE, value);
  }

  get doublingCall(): number {
    return DOUBLE;
  }
}

declare module '@rpal/kernel' {
  interface Program extends DoublingCalls {}
}

const doubling = definePlugin({
  name: 'doubling',
  version: '1.0.0',
  setup({ syscalls, plugin }) {
    Program.add(DoublingCalls);
    syscalls.define(DOUBLE, (_cpu, _thread, { a0 }) => 2 * a0, { name: 'double', plugin });
  },
});

describe('a family of calls that a plugin adds', () => {
  it('has its methods in every program, as the calls of Linux are', () => {
    for (const machine of [smallMachine({ plugins: [doubling()] }), smallMachine({ plugins: [doubling()] })]) {
      runOn(machine, function* (p) {
        expect(p.doublingCall).toBe(DOUBLE);
        expect(yield* p.doubleOf(21)).toBe(42);
        // It is made as the kernel's own are: a program waits for it before the next.
        const forgotten = p.doubleOf(1);
        expect(() => p.getpid()).toThrow(expect.objectContaining({ code: 'NOT_AWAITED' }));
        expect(yield* forgotten).toBe(2);
      });
    }
  });

  it('is refused as a whole where a method has the name of another', () => {
    class Mine extends ProgramBase {
      fresh(): Call {
        return this.syscall(DOUBLE);
      }

      read(): Call {
        return this.syscall(DOUBLE);
      }
    }
    const { read } = Program.prototype;
    expect(() => Program.add(Mine)).toThrow(MachineError);
    expect(() => Program.add(Mine)).toThrow('Mine cannot be added: programs have a method read already; choose another name');
    expect(Program.prototype.read).toBe(read);
    expect('fresh' in Program.prototype).toBe(false);
  });

  it.each(['syscall', 'load8'])('cannot replace %s, either', (name) => {
    const family = class extends ProgramBase {};
    Object.defineProperty(family.prototype, name, { value: () => 0 });
    expect(() => Program.add(family)).toThrow(`a method ${name} already`);
  });
});
