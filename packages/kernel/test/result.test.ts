import { describe, expect, it } from 'vitest';
import { done, exactly, MachineError } from '../src/index.js';

describe('a result', () => {
  it('comes back if it is no error', () => {
    expect([done('open', 3), done('open', 0)]).toEqual([3, 0]);
    expect(() => exactly('read', 8, 8)).not.toThrow();
  });

  it('that is not as expected is a failure that names the call, and the error by its name', () => {
    expect(() => exactly('read', 7, 8)).toThrow(new MachineError('CALL_FAILED', 'read came back with 7, not 8'));
    expect(() => exactly('close', -9, 0)).toThrow(new MachineError('CALL_FAILED', 'close came back with EBADF, not 0'));
    expect(() => done('open', -2)).toThrow(new MachineError('CALL_FAILED', 'open failed with ENOENT'));
  });
});
