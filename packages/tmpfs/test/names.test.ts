import { Errno, FallocateMode, FileMode, OpenFlag, RenameFlag, Seek } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { runOn, smallMachine } from '../../../scripts/testing/run.ts';
import { tmpfs } from '../src/index.js';
import { hear, run, say, textAt } from './support.js';

const { CREAT, EXCL, RDONLY, RDWR, APPEND } = OpenFlag;

describe('a path', () => {
  it('has names of up to 255 bytes', () => {
    run(function* (p) {
      expect(yield* p.mkdir(`/tmp/${'n'.repeat(255)}`, 0o700)).toBe(0);
      expect(yield* p.mkdir(`/tmp/${'n'.repeat(256)}`, 0o700)).toBe(-Errno.ENAMETOOLONG);
      expect(yield* p.access(`/tmp/${'n'.repeat(256)}/none`, 0), 'on the way, too').toBe(-Errno.ENAMETOOLONG);
    });
  });

  it('goes over 40 symbolic links at most', () => {
    run(function* (p) {
      yield* p.mkdir('/tmp/end', 0o700);
      yield* p.symlink('end', '/tmp/1');
      for (let i = 2; i <= 41; i++) yield* p.symlink(`${i - 1}`, `/tmp/${i}`);
      expect(yield* p.access('/tmp/40', 0)).toBe(0);
      expect(yield* p.access('/tmp/41', 0)).toBe(-Errno.ELOOP);
      expect(yield* p.access('/tmp/20/../20/.', 0), 'all links on the way count together').toBe(0);
      expect(yield* p.access('/tmp/20/../21/.', 0)).toBe(-Errno.ELOOP);
    });
  });

  it('costs a look-up for each of its names', () => {
    const components = (path: string): number => {
      const machine = smallMachine({ plugins: [tmpfs({ files: [{ path: '/a/b/c/d', content: '' }] })] });
      runOn(machine, function* (p) {
        expect(yield* p.access(path, 0)).toBe(0);
      });
      const entries = machine.platform.cpus.flatMap(({ ownLedger }) => ownLedger.entries);
      return entries.filter(({ step }) => step.name === '@rpal/tmpfs:pathComponent').reduce((sum, { count }) => sum + count, 0);
    };
    expect(['/', '/a', '/a/b', '/a/b/c/d', '/a/./b/..//b'].map(components)).toEqual([0, 1, 2, 4, 3]);
  });

  it('of the working directory is given to who has room for it and the zero behind it', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      yield* p.mkdir('/tmp/here', 0o700);
      yield* p.chdir('/tmp/here');
      expect(yield* p.getcwd(at, 9)).toBe(-Errno.ERANGE);
      expect(yield* p.getcwd(at, 10)).toBe(10);
      expect(yield* textAt(p, at, 10)).toBe('/tmp/here\0');
      yield* p.rmdir('/tmp/here');
      expect(yield* p.getcwd(at, 10)).toBe(-Errno.ENOENT);
    });
  });
});

describe('a name', () => {
  it('that is to be new must be free', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      yield* say(p, yield* p.open('/tmp/f', RDWR | CREAT, 0o600), at, 'kept');
      expect(yield* p.open('/tmp/f', RDWR | CREAT | EXCL, 0o600)).toBe(-Errno.EEXIST);
      expect(yield* p.mkdir('/tmp/f', 0o700)).toBe(-Errno.EEXIST);
      expect(yield* p.link('/tmp/f', '/tmp/g')).toBe(0);
      expect(yield* p.rename('/tmp', '/tmp/f', RenameFlag.NOREPLACE)).toBe(-Errno.EEXIST);
      yield* p.mkdir('/tmp/other', 0o700);
      expect(yield* p.rename('/tmp/other', '/tmp/g', RenameFlag.NOREPLACE)).toBe(-Errno.EEXIST);
      expect(yield* hear(p, yield* p.open('/tmp/g', RDONLY), at)).toBe('kept');
    });
  });

  it('of a directory goes when nothing is in it any more', () => {
    run(function* (p) {
      yield* p.mkdir('/tmp/d', 0o700);
      yield* p.mkdir('/tmp/d/e', 0o700);
      expect(yield* p.rmdir('/tmp/d')).toBe(-Errno.ENOTEMPTY);
      expect(yield* p.unlink('/tmp/d')).toBe(-Errno.EISDIR);
      expect([yield* p.rmdir('/tmp/d/e'), yield* p.rmdir('/tmp/d'), yield* p.rmdir('/tmp/d')]).toEqual([0, 0, -Errno.ENOENT]);
    });
  });

  it('of a directory moves nowhere below itself', () => {
    run(function* (p) {
      yield* p.mkdir('/tmp/d', 0o700);
      yield* p.mkdir('/tmp/d/e', 0o700);
      expect(yield* p.rename('/tmp/d', '/tmp/d/e/f')).toBe(-Errno.EINVAL);
      expect(yield* p.rename('/tmp/d/e', '/tmp/e')).toBe(0);
    });
  });
});

describe('the memory of a file', () => {
  it('goes with its last name, or with the last descriptor if that is later', () => {
    const machine = smallMachine({ plugins: [tmpfs()] });
    const { frames } = machine.kernel.memory;
    runOn(machine, function* (p) {
      const at = yield* p.allocate(4096);
      yield* p.store8(at, 1);
      const fd = yield* p.open('/tmp/f', RDWR | CREAT, 0o600);
      const before = frames.inUse;
      yield* p.write(fd, at, 1);
      expect(frames.inUse).toBe(before + 1);
      yield* p.link('/tmp/f', '/tmp/g');
      yield* p.close(fd);
      yield* p.unlink('/tmp/f');
      expect(frames.inUse, 'another name holds it').toBe(before + 1);
      const again = yield* p.open('/tmp/g', RDONLY);
      yield* p.unlink('/tmp/g');
      expect(frames.inUse, 'a descriptor holds it').toBe(before + 1);
      yield* p.close(again);
      expect(frames.inUse).toBe(before);
    });
  });
});

describe('the size of a file', () => {
  it('is that of a file only', () => {
    run(function* (p) {
      expect(yield* p.truncate('/tmp', 0)).toBe(-Errno.EISDIR);
      yield* p.mknod('/tmp/fifo', FileMode.FIFO | 0o600);
      expect(yield* p.truncate('/tmp/fifo', 0)).toBe(-Errno.EINVAL);
    });
  });

  it('is not negative, and room is allocated for a byte at least', () => {
    run(function* (p) {
      const fd = yield* p.open('/tmp/f', RDWR | CREAT, 0o600);
      expect(yield* p.truncate('/tmp/f', -1)).toBe(-Errno.EINVAL);
      for (const [offset, length] of [
        [-1, 1],
        [0, 0],
        [0, -1],
      ] as const) {
        expect(yield* p.fallocate(fd, 0, offset, length)).toBe(-Errno.EINVAL);
        expect(yield* p.fallocate(fd, FallocateMode.PUNCH_HOLE | FallocateMode.KEEP_SIZE, offset, length)).toBe(-Errno.EINVAL);
      }
      expect(yield* p.fallocate(fd, FallocateMode.PUNCH_HOLE, 0, 1), 'a hole leaves the size').toBe(-Errno.EOPNOTSUPP);
      expect(yield* p.fallocate(fd, 0, 0, 1)).toBe(0);
    });
  });

  it('is where O_APPEND writes, wherever one is and whatever pwrite says', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.open('/tmp/f', RDWR | CREAT | APPEND, 0o600);
      yield* say(p, fd, at, 'one');
      yield* p.lseek(fd, 0, 0);
      yield* say(p, fd, at, 'two');
      expect(yield* p.lseek(fd, 0, Seek.CUR), 'and where one is then').toBe(6);
      expect(yield* p.pwrite(fd, at, 1, 0)).toBe(1);
      yield* p.lseek(fd, 0, 0);
      expect(yield* hear(p, fd, at)).toBe('onetwot');
    });
  });
});
