import { describe, expect, it } from 'vitest';
import { Signal, SignalCode, signalCodeName, signalName } from '../src/index.js';

describe('signalName', () => {
  it('names standard signals, and real-time ones by their distance from the first', () => {
    expect([Signal.SEGV, Signal.TERM, Signal.RTMIN, 34, Signal.RTMAX].map(signalName)).toEqual([
      'SIGSEGV',
      'SIGTERM',
      'SIGRTMIN',
      'SIGRTMIN+2',
      'SIGRTMAX',
    ]);
  });

  it('does not invent names', () => {
    expect([0, 16, 65].map(signalName)).toEqual(['signal 0', 'signal 16', 'signal 65']);
  });
});

describe('signalCodeName', () => {
  it('depends on the signal: two is an access error of SIGSEGV, an address error of SIGBUS', () => {
    expect(signalCodeName(Signal.SEGV, SignalCode.SEGV_ACCERR)).toBe('SEGV_ACCERR');
    expect(signalCodeName(Signal.BUS, SignalCode.BUS_ADRERR)).toBe('BUS_ADRERR');
  });

  it('has the codes that any signal may carry', () => {
    expect([signalCodeName(Signal.TERM, SignalCode.USER), signalCodeName(Signal.SEGV, SignalCode.KERNEL)]).toEqual([
      'SI_USER',
      'SI_KERNEL',
    ]);
  });

  it('does not invent names', () => {
    expect(signalCodeName(Signal.TERM, 7)).toBe('code 7');
  });
});
