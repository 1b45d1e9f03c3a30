import { type Cpu, Exception } from '@rpal/hw-x86';
import { Signal, SignalCode } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { runOn, smallMachine } from './support.js';

/** How a program ends whose instruction raises `vector`. */
function raising(vector: number): object | null {
  const machine = smallMachine();
  const cpu = machine.platform.cpus[0] as Cpu;
  const [process] = runOn(machine, function* () {
    cpu.trap.exception(cpu, vector, 0);
    yield;
  });
  return process?.exit ?? null;
}

describe('an exception that the kernel does not resolve', () => {
  it.each([
    ['#DE', Exception.divide, Signal.FPE, SignalCode.FPE_INTDIV],
    ['#UD', Exception.invalidOpcode, Signal.ILL, SignalCode.ILL_ILLOPN],
    ['#GP', Exception.generalProtection, Signal.SEGV, SignalCode.KERNEL],
  ])('%s ends the program with the signal that Linux sends', (_name, vector, signal, code) => {
    expect(raising(vector)).toMatchObject({ signal, code });
  });
});
