import { done, exactly, type Program } from '@rpal/kernel';
import { At, Errno, LinuxCall, MapFlag, OpenFlag, Prot } from '@rpal/uapi';
import { type Operation, type Preparation, prepared, touched } from './operation.js';

const SIZES = [1, 32, 1024, 4096, 16_384, 65_536, 262_144];
const MIB = 1 << 20;
const PAGE = 4096;

/** A directory of a file system in memory, with the files that the operations work on. */
class Tree {
  readonly p: Program;
  /** A file of one MiB. */
  file = 0;
  buffer = 0;

  constructor(p: Program) {
    this.p = p;
  }

  *make(): Generator<void, this> {
    const { p } = this;
    this.buffer = yield* touched(p, MIB);
    for (const path of ['/t', '/t/d', '/t/d/e', '/t/dir']) exactly('mkdir', yield* p.mkdir(path, 0o755), 0);
    this.file = yield* this.open('/t/f', OpenFlag.RDWR | OpenFlag.CREAT);
    yield* this.fill();
    return this;
  }

  *open(path: string, flags: number = OpenFlag.RDWR): Generator<void, number> {
    return done(`open ${path}`, yield* this.p.openat(At.FDCWD, path, flags, 0o644));
  }

  *made(path: string): Generator<void, void> {
    yield* this.p.close(yield* this.open(path, OpenFlag.RDWR | OpenFlag.CREAT));
  }

  *write(length: number): Generator<void, void> {
    exactly('pwrite', yield* this.p.pwrite(this.file, this.buffer, length, 0), length);
  }

  *empty(): Generator<void, void> {
    exactly('ftruncate', yield* this.p.ftruncate(this.file, 0), 0);
  }

  fill(): Generator<void, void> {
    return this.write(MIB);
  }
}

function operation(name: string, prepare: (t: Tree) => Preparation): Operation {
  return {
    name,
    *prepare(p) {
      return yield* prepared(prepare(yield* new Tree(p).make()));
    },
  };
}

/** A single call that leaves nothing behind. */
function call(name: string, make: (t: Tree) => Iterable<void, number>, result = 0): Operation {
  return operation(name, (t) => {
    return {
      *body() {
        exactly(name, yield* make(t), result);
      },
    };
  });
}

/** A call that opens a file, which is closed afterwards. */
function opening(name: string, path: string, flags: number = OpenFlag.RDWR, before?: (t: Tree) => Iterable<void, unknown>): Operation {
  return operation(name, (t) => {
    let fd = 0;
    return {
      *before() {
        if (before !== undefined) yield* before(t);
      },
      *body() {
        fd = yield* t.open(path, flags);
      },
      after: () => t.p.close(fd),
    };
  });
}

function ofSize(size: number): Operation[] {
  return [
    call(`tmpfs: pread of ${size} B`, (t) => t.p.pread(t.file, t.buffer, size, 0), size),
    call(`tmpfs: pwrite of ${size} B over others`, (t) => t.p.pwrite(t.file, t.buffer, size, 0), size),
    operation(`tmpfs: pwrite of ${size} B, new pages`, (t) => {
      return { before: () => t.empty(), body: () => t.write(size) };
    }),
    operation(`tmpfs: ftruncate of ${size} B to none`, function* (t) {
      yield* t.empty();
      return { before: () => t.write(size), body: () => t.empty() };
    }),
  ];
}

const CREATE = OpenFlag.RDWR | OpenFlag.CREAT;

const names: readonly Operation[] = [
  opening('tmpfs: open, one name below the mount', '/t/f'),
  opening('tmpfs: open, three names below the mount', '/t/d/e/g', OpenFlag.RDWR, (t) => t.made('/t/d/e/g')),
  operation('tmpfs: close', (t) => {
    let fd = 0;
    return {
      *before() {
        fd = yield* t.open('/t/f');
      },
      body: () => t.p.close(fd),
    };
  }),
  call('tmpfs: open, ENOENT', (t) => t.p.openat(At.FDCWD, '/t/none', OpenFlag.RDWR), -Errno.ENOENT),
  operation('tmpfs: open that creates', (t) => {
    let fd = 0;
    return {
      *body() {
        fd = yield* t.open('/t/new', CREATE | OpenFlag.EXCL);
      },
      *after() {
        yield* t.p.close(fd);
        yield* t.p.unlink('/t/new');
      },
    };
  }),
  opening('tmpfs: open with O_TRUNC of 4096 B', '/t/tr', OpenFlag.RDWR | OpenFlag.TRUNC, function* (t) {
    const fd = yield* t.open('/t/tr', CREATE);
    yield* t.p.write(fd, t.buffer, PAGE);
    yield* t.p.close(fd);
  }),
  operation('tmpfs: unlink of an empty file', (t) => {
    return { before: () => t.made('/t/new'), body: () => t.p.unlink('/t/new') };
  }),
  call('tmpfs: stat', (t) => t.p.stat('/t/f', t.buffer)),
  operation('tmpfs: stat, three names below the mount', function* (t) {
    yield* t.made('/t/d/e/g');
    return { body: () => t.p.stat('/t/d/e/g', t.buffer) };
  }),
  call('tmpfs: stat, ENOENT', (t) => t.p.stat('/t/none', t.buffer), -Errno.ENOENT),
  call('tmpfs: fstat', (t) => t.p.fstat(t.file, t.buffer)),
  call('tmpfs: newfstatat of a descriptor', (t) => t.p.fstatat(t.file, '', t.buffer, At.EMPTY_PATH)),
  call('tmpfs: statx', (t) => t.p.statx(At.FDCWD, '/t/f', 0, 0x7ff, t.buffer)),
  call('tmpfs: access', (t) => t.p.access('/t/f', 4)),
  call('tmpfs: lseek', (t) => t.p.lseek(t.file, 0, 0)),
  call('tmpfs: lseek SEEK_DATA', (t) => t.p.lseek(t.file, 0, 3)),
  call('tmpfs: fsync', (t) => t.p.syscall(LinuxCall.fsync, t.file)),
  operation('tmpfs: mkdir', (t) => {
    return { body: () => t.p.mkdir('/t/n', 0o755), after: () => t.p.rmdir('/t/n') };
  }),
  operation('tmpfs: rmdir', (t) => {
    return { before: () => t.p.mkdir('/t/n', 0o755), body: () => t.p.rmdir('/t/n') };
  }),
  operation('tmpfs: rename', (t) => {
    return { before: () => t.made('/t/r1'), body: () => t.p.rename('/t/r1', '/t/r2'), after: () => t.p.unlink('/t/r2') };
  }),
  operation('tmpfs: link', (t) => {
    return { body: () => t.p.link('/t/f', '/t/l'), after: () => t.p.unlink('/t/l') };
  }),
  operation('tmpfs: symlink', (t) => {
    return { body: () => t.p.symlink('f', '/t/s'), after: () => t.p.unlink('/t/s') };
  }),
  operation('tmpfs: readlink', function* (t) {
    yield* t.p.symlink('f', '/t/s');
    return { body: () => t.p.readlink('/t/s', t.buffer, 100) };
  }),
  opening('tmpfs: open through a symbolic link', '/t/s', OpenFlag.RDWR, (t) => t.p.symlink('f', '/t/s')),
  call('tmpfs: chmod', (t) => t.p.chmod('/t/f', 0o644)),
  call('tmpfs: fchmod', (t) => t.p.fchmod(t.file, 0o644)),
  call('tmpfs: utimensat', (t) => t.p.utimensat(At.FDCWD, '/t/f', 0)),
  ...[0, 10, 100].map((count) =>
    operation(`tmpfs: getdents64 of ${count} names and two`, function* (t) {
      for (let i = 0; i < count; i++) yield* t.made(`/t/dir/file${String(i).padStart(3, '0')}`);
      const fd = yield* t.open('/t/dir', OpenFlag.RDONLY);
      return { before: () => t.p.lseek(fd, 0, 0), body: () => t.p.getdents(fd, t.buffer, 32_768) };
    }),
  ),
];

const others: readonly Operation[] = [
  operation('tmpfs: read of 4096 B', (t) => {
    return { before: () => t.p.lseek(t.file, 0, 0), body: () => t.p.read(t.file, t.buffer, PAGE) };
  }),
  operation('tmpfs: write of 4096 B over others', (t) => {
    return { before: () => t.p.lseek(t.file, 0, 0), body: () => t.p.write(t.file, t.buffer, PAGE) };
  }),
  operation('tmpfs: fallocate of 4096 B', (t) => {
    return { before: () => t.empty(), body: () => t.p.fallocate(t.file, 0, 0, PAGE) };
  }),
  operation('tmpfs: fallocate of 65536 B', (t) => {
    return { before: () => t.empty(), body: () => t.p.fallocate(t.file, 0, 0, 65_536) };
  }),
  operation('tmpfs: mmap of a file and munmap', (t) => {
    return {
      *body() {
        const at = done('mmap', yield* t.p.mmap(0, PAGE, Prot.READ | Prot.WRITE, MapFlag.SHARED, t.file));
        yield* t.p.munmap(at, PAGE);
      },
    };
  }),
  operation('/dev/null: write of 32 B', function* (t) {
    const fd = yield* t.open('/dev/null');
    return { body: () => t.p.write(fd, t.buffer, 32) };
  }),
  operation('/dev/null: read', function* (t) {
    const fd = yield* t.open('/dev/null');
    return { body: () => t.p.read(fd, t.buffer, 32) };
  }),
  operation('/dev/zero: read of 4096 B', function* (t) {
    const fd = yield* t.open('/dev/zero');
    return { body: () => t.p.read(fd, t.buffer, PAGE) };
  }),
  call('getrandom: 16 B', (t) => t.p.syscall(LinuxCall.getrandom, t.buffer, 16, 0), 16),
  call('getrandom: 256 B', (t) => t.p.syscall(LinuxCall.getrandom, t.buffer, 256, 0), 256),
];

/** Files in memory. */
export const fileOperations: readonly Operation[] = [...SIZES.flatMap(ofSize), ...names, ...others];
