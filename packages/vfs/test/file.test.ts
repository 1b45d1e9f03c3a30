import { Errno, MapFlag, OpenFlag, Prot, Seek } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { File, PositionedFile } from '../src/index.js';
import { Lab } from './lab.js';

describe('a file that cannot be mapped', () => {
  class Plain extends File {}
  const lab = new Lab();
  const map = (mode: number, prot: number, flags: number) =>
    lab.call((cpu, caller) => new Plain(mode).mmap(cpu, caller, 0, 4096, prot, flags, 0));

  it('says so (ENODEV), unless it is not open for what is asked (EACCES)', () => {
    const both = Prot.READ | Prot.WRITE;
    expect(map(OpenFlag.RDWR, both, MapFlag.SHARED)).toBe(-Errno.ENODEV);
    expect(map(OpenFlag.RDONLY, Prot.READ, MapFlag.SHARED)).toBe(-Errno.ENODEV);
    expect(map(OpenFlag.RDONLY, both, MapFlag.SHARED)).toBe(-Errno.EACCES);
    expect(map(OpenFlag.RDONLY, both, MapFlag.PRIVATE), 'a private copy may be written').toBe(-Errno.ENODEV);
    expect(map(OpenFlag.WRONLY, Prot.READ, MapFlag.PRIVATE), 'a mapping always reads').toBe(-Errno.EACCES);
    expect(map(OpenFlag.WRONLY, Prot.WRITE, MapFlag.PRIVATE)).toBe(-Errno.EACCES);
  });
});

describe('lseek', () => {
  class Bytes extends PositionedFile {
    protected override readonly size: number;

    constructor(size: number) {
      super(OpenFlag.RDWR);
      this.size = size;
    }
  }

  it('counts from the start, from the position, or from the end', () => {
    const file = new Bytes(100);
    expect([file.seek(7, Seek.SET), file.seek(3, Seek.CUR), file.seek(-10, Seek.END), file.seek(10, Seek.END)]).toEqual([7, 10, 90, 110]);
  });

  it('refuses what lies before the start, an unknown origin, and an end that nobody knows; the position stays', () => {
    const file = new Bytes(Number.NaN);
    expect(file.seek(5, Seek.SET)).toBe(5);
    expect([file.seek(-1, Seek.SET), file.seek(-6, Seek.CUR), file.seek(0, 9), file.seek(0, Seek.END)]).toEqual([
      -Errno.EINVAL,
      -Errno.EINVAL,
      -Errno.EINVAL,
      -Errno.EINVAL,
    ]);
    expect(file.seek(0, Seek.CUR)).toBe(5);
  });
});
