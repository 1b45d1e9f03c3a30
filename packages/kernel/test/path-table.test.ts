import { describe, expect, it } from 'vitest';
import { PathTable } from '../src/index.js';

describe('the special files, or programs, of a machine', () => {
  it('are found by their path, and by no other', () => {
    const table = new PathTable<number>('special file');
    table.define('/proc/one', 1);
    expect(table.get('/proc/one')).toBe(1);
    expect(table.get('/proc')).toBeUndefined();
  });

  it.each([
    ['/proc/one', 'special file "/proc/one" cannot be defined: the path is taken; choose another'],
    ['proc', 'special file "proc" cannot be defined: a path begins with a slash, as /proc/NAME does'],
  ])('are refused at %s with what would be right', (path, message) => {
    const table = new PathTable<number>('special file');
    table.define('/proc/one', 1);
    expect(() => table.define(path, 2)).toThrow(expect.objectContaining({ code: 'PATH', message }));
    expect(table.get('/proc/one')).toBe(1);
  });
});
