import { describe, expect, it } from 'vitest';
import { Errno, errnoName } from '../src/index.js';

describe('errnoName', () => {
  it('names an error number, negated or not', () => {
    expect(errnoName(-Errno.EAGAIN)).toBe('EAGAIN');
    expect(errnoName(Errno.EPIPE)).toBe('EPIPE');
  });

  it('does not invent names', () => {
    expect(errnoName(-4000)).toBe('errno 4000');
    expect(errnoName(0)).toBe('errno 0');
  });

  it('is unambiguous: no number has two names', () => {
    const numbers = Object.values(Errno);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});
