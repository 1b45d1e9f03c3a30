import { MemoryFile } from '@rpal/mm';
import { Errno, MapFlag, OpenFlag, Poll, Prot, Seek } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { Lab } from '../../vfs/test/lab.js';
import { MemFd, NamedMemory } from '../src/index.js';

function withFile(flags: number = OpenFlag.RDWR) {
  const lab = new Lab();
  const memory = new MemoryFile(lab.manager, '/memfd:test');
  const file = new MemFd(memory, flags).get();
  const write = (text: string, to = file) => {
    const length = lab.store(lab.buffer, text);
    return lab.call((cpu, caller) => to.write(cpu, caller, lab.buffer, length));
  };
  const read = (length: number, from = file) => {
    const n = lab.call((cpu, caller) => from.read(cpu, caller, lab.buffer, length));
    return n < 0 ? n : lab.text(lab.buffer, n);
  };
  return { lab, memory, file, write, read };
}

describe('a file in memory', () => {
  it('is read and written at its position, which lseek moves', () => {
    const { file, write, read } = withFile();
    expect([write('hello'), read(10), file.seek(0, Seek.SET), read(3), read(10), read(10)]).toEqual([5, '', 0, 'hel', 'lo', '']);
    expect([file.seek(-2, Seek.END), read(9), file.seek(-4, Seek.CUR), read(2)]).toEqual([3, 'lo', 1, 'el']);
    expect([file.seek(-1, Seek.SET), file.seek(0, 9), file.unread]).toEqual([-Errno.EINVAL, -Errno.EINVAL, 2]);
  });

  it('is read and written at an offset without its position moving', () => {
    const { lab, file, write, read } = withFile();
    write('abcdef');
    const n = lab.call((cpu, caller) => file.readAt(cpu, caller, lab.buffer, 3, 2));
    expect([n, lab.text(lab.buffer, n)]).toEqual([3, 'cde']);
    lab.store(lab.buffer, 'XY');
    expect(lab.call((cpu, caller) => file.writeAt(cpu, caller, lab.buffer, 2, 0))).toBe(2);
    expect([file.seek(0, Seek.CUR), file.seek(0, Seek.SET), read(9)]).toEqual([6, 0, 'XYcdef']);
    expect(lab.call((cpu, caller) => file.readAt(cpu, caller, lab.buffer, 1, -1))).toBe(-Errno.EINVAL);
    expect(lab.call((cpu, caller) => file.writeAt(cpu, caller, lab.buffer, 1, -1))).toBe(-Errno.EINVAL);
  });

  it('has zeros where nothing was written', () => {
    const { file, write, read } = withFile();
    file.seek(4, Seek.SET);
    write('x');
    file.seek(0, Seek.SET);
    expect(read(9)).toBe('\0\0\0\0x');
  });

  it('is cut and grown by ftruncate', () => {
    const { lab, memory, file, write, read } = withFile();
    const truncate = (size: number) => lab.call((cpu, caller) => file.truncate(cpu, caller, size));
    write('abcdef');
    expect([truncate(2), memory.size, truncate(4), file.seek(0, Seek.SET), read(9)]).toEqual([0, 2, 0, 0, 'ab\0\0']);
    expect([truncate(-1), truncate(2 ** 43), truncate(2 ** 43 + 1)]).toEqual([-Errno.EINVAL, 0, -Errno.EFBIG]);
  });

  it('can be used only as it was opened', () => {
    const readOnly = withFile(OpenFlag.RDONLY);
    expect([readOnly.write('x'), readOnly.read(1)]).toEqual([-Errno.EBADF, '']);
    expect(readOnly.lab.call((cpu, caller) => readOnly.file.truncate(cpu, caller, 1))).toBe(-Errno.EINVAL);
    const writeOnly = withFile(OpenFlag.WRONLY);
    expect([writeOnly.write('x'), writeOnly.read(1)]).toEqual([1, -Errno.EBADF]);
  });

  it('shares what is mapped with what is read and written', () => {
    const { lab, file, write, read } = withFile();
    write('hello');
    const map = (offset: number) =>
      lab.call((cpu, caller) => file.mmap(cpu, caller, 0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED, offset));
    expect(map(1)).toBe(-Errno.EINVAL);
    const at = map(0);
    expect(lab.text(at, 5)).toBe('hello');
    lab.store(at, 'J');
    file.seek(0, Seek.SET);
    expect(read(5)).toBe('Jello');
  });

  it('is always ready, and so epoll will not watch it', () => {
    const { lab, file } = withFile();
    expect([file.pollable, lab.call((cpu) => file.poll(cpu, null))]).toEqual([false, Poll.IN | Poll.OUT | Poll.RDNORM | Poll.WRNORM]);
  });

  it('takes O_DIRECT only if it has a name', () => {
    const { lab, file } = withFile();
    const memory = new NamedMemory(lab.manager);
    lab.call((cpu) => {
      const named = memory.open(cpu, '/dev/shm/test', OpenFlag.RDWR | OpenFlag.CREAT) as MemFd;
      expect([file.takesDirect, named.takesDirect]).toEqual([false, true]);
      return 0;
    });
  });
});
