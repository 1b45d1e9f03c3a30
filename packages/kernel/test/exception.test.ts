import { Exception } from '@rpal/hw-x86';
import { Signal, SignalCode } from '@rpal/uapi';
import { describe, it } from 'vitest';
import { ends, run } from './support.js';

describe('an exception that the kernel does not resolve', () => {
  it.each([
    ['#DE', Exception.divide, Signal.FPE, SignalCode.FPE_INTDIV],
    ['#UD', Exception.invalidOpcode, Signal.ILL, SignalCode.ILL_ILLOPN],
    ['#GP', Exception.generalProtection, Signal.SEGV, SignalCode.KERNEL],
  ])('%s ends the program with the signal that Linux sends', (_name, vector, signal, code) => {
    run(
      ends({ signal, code }, function* (p) {
        const { cpu } = p.context;
        cpu.trap.exception(cpu, vector, 0);
        yield;
      }),
    );
  });
});
