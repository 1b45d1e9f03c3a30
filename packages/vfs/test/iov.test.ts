import { PAGE_SIZE } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyIn, copyOut, IovIter, putBytes, putValue } from '../src/index.js';
import { Lab } from './lab.js';

describe('user memory in pieces', () => {
  const lab = new Lab();
  const kernel = (lab.manager.frames.allocate(0) as number) * PAGE_SIZE;
  /** Pieces with gaps between them, from lengths. */
  const pieces = (lengths: readonly number[]) => lengths.map((length, i) => ({ address: lab.buffer + 100 * i, length }));
  const inKernel = (length: number) => String.fromCharCode(...Array.from({ length }, (_, i) => lab.cpu.memory.read8(kernel + i)));

  it('is one range of bytes, whatever is copied from where to where', () => {
    const ranges = fc.record({ lengths: fc.array(fc.nat(20), { minLength: 1, maxLength: 6 }), offset: fc.nat(30), length: fc.nat(60) });
    fc.assert(
      fc.property(ranges, ({ lengths, offset, length }) => {
        const iov = new IovIter(pieces(lengths));
        const whole = lengths.map((n, i) => String.fromCharCode(65 + i).repeat(n)).join('');
        for (const [i, { address, length: n }] of iov.segments.entries()) lab.store(address, String.fromCharCode(65 + i).repeat(n));
        const wanted = whole.slice(offset, offset + length);
        const caller = { ...lab.caller, iov };
        expect(iov.length).toBe(whole.length);
        expect(copyIn(lab.cpu, caller, kernel, offset, wanted.length)).toBe(0);
        expect(inKernel(wanted.length)).toBe(wanted);
        for (let i = 0; i < wanted.length; i++) lab.cpu.memory.write8(kernel + i, 'z'.charCodeAt(0));
        expect(copyOut(lab.cpu, caller, offset, kernel, wanted.length)).toBe(0);
        const after = iov.segments.map(({ address, length: n }) => lab.text(address, n)).join('');
        expect(after).toBe(whole.slice(0, offset) + 'z'.repeat(wanted.length) + whole.slice(offset + wanted.length));
      }),
      { numRuns: 100 },
    );
  });

  it('takes bytes and 64-bit values that the pieces cut anywhere', () => {
    for (const lengths of [[8], [3, 5], [1, 0, 6, 1], [4, 4, 9]]) {
      const caller = { ...lab.caller, iov: new IovIter(pieces(lengths)) };
      const there = () => caller.iov.segments.map(({ address, length }) => lab.text(address, length)).join('');
      for (const { address, length } of caller.iov.segments) lab.store(address, '.'.repeat(length));
      expect(putValue(lab.cpu, caller, 0, 0x68676665, 0x64636261)).toBe(0);
      expect(there().slice(0, 8)).toBe('abcdefgh');
      expect(putBytes(lab.cpu, caller, 2, new TextEncoder().encode('XYZ'))).toBe(0);
      expect(there().slice(0, 8)).toBe('abXYZfgh');
    }
  });

  it('is one address without pieces', () => {
    expect(putValue(lab.cpu, lab.caller, lab.buffer, 0x68676665, 0x64636261)).toBe(0);
    expect(putBytes(lab.cpu, lab.caller, lab.buffer + 7, new TextEncoder().encode('!'))).toBe(0);
    expect(lab.text(lab.buffer, 8)).toBe('abcdefg!');
  });

  it('faults where there is no memory', () => {
    const caller = {
      ...lab.caller,
      iov: new IovIter([
        { address: lab.buffer, length: 2 },
        { address: 0x1000, length: 10 },
      ]),
    };
    expect(copyIn(lab.cpu, caller, kernel, 0, 2)).toBe(0);
    expect(copyIn(lab.cpu, caller, kernel, 0, 3)).toBe(-Errno.EFAULT);
    expect(copyOut(lab.cpu, caller, 1, kernel, 2)).toBe(-Errno.EFAULT);
    expect(putBytes(lab.cpu, caller, 2, new Uint8Array(1))).toBe(-Errno.EFAULT);
    expect(putValue(lab.cpu, caller, 0, 0, 0)).toBe(-Errno.EFAULT);
    expect(putValue(lab.cpu, lab.caller, 0x1000, 0, 0)).toBe(-Errno.EFAULT);
  });
});
