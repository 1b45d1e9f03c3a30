import { Errno, Madvise, MapFlag, OpenFlag, Prot, Rlimit, Signal, SignalCode } from '@rpal/uapi';
import { describe } from 'vitest';
import {
  $,
  A,
  asleep,
  fork,
  get,
  getText,
  handling,
  load,
  long,
  NOWHERE,
  put,
  putText,
  SHARED,
  type Step,
  seen,
  store,
} from '../real/case.js';
import { linuxCase } from '../real/linux-case.js';

const { EACCES, EBADF, EEXIST, EFAULT, EINVAL, ENODEV, ENOMEM, EPERM } = Errno;
const { NONE, READ, WRITE } = Prot;
const { PRIVATE, SHARED: MAP_SHARED, ANONYMOUS, FIXED } = MapFlag;
const PAGE = 4096;
const RW = READ | WRITE;
const ANON = PRIVATE | ANONYMOUS;
const FIXED_NOREPLACE = 0x10_0000;
/** Where the mappings of a case lie. */
const M = A + 0x40_0000;
const MREMAP = { MAYMOVE: 1, FIXED: 2, DONTUNMAP: 4 };

const mapAt = (address: number, pages: number, prot = RW, flags = ANON): Step => [
  $('map'),
  'mmap',
  address,
  pages * PAGE,
  prot,
  flags | FIXED,
  -1,
  0,
];
const file: Step = [3, 'open', 'file', OpenFlag.RDWR | OpenFlag.CREAT, 0o600];
const dies = (name: string, signal: number, ...steps: Step[]): Step[] => [
  fork(name, ...steps),
  [$(name), 'wait4', $(name), A + 0xf00, 0, 0],
  get(A + 0xf00, signal),
];

/** As LTP's mmap, munmap, mprotect, mremap, madvise, msync, mincore, mlock and brk tests, gVisor's, and the kernel's own of mremap, mseal and guard regions describe them. */
describe('Memory', () => {
  linuxCase('mmap: what it refuses', [
    [-EINVAL, 'mmap', 0, 0, RW, ANON, -1, 0],
    [-EINVAL, 'mmap', 0, PAGE, RW, ANONYMOUS, -1, 0],
    [-EINVAL, 'mmap', M + 1, PAGE, RW, ANON | FIXED, -1, 0],
    [-EBADF, 'mmap', 0, PAGE, RW, PRIVATE, 40, 0],
    [-EINVAL, 'mmap', 0, PAGE, RW, ANON, -1, 5],
    [-ENOMEM, 'mmap', 0, 2 ** 47, RW, ANON, -1, 0],
    file,
    [-EINVAL, 'mmap', 0, PAGE, RW, PRIVATE, 3, 5],
    [4, 'open', 'file', OpenFlag.WRONLY, 0],
    [-EACCES, 'mmap', 0, PAGE, READ, PRIVATE, 4, 0],
    [5, 'open', 'file', OpenFlag.RDONLY, 0],
    [-EACCES, 'mmap', 0, PAGE, RW, MAP_SHARED, 5, 0],
    [$('private'), 'mmap', 0, PAGE, RW, PRIVATE, 5, 0],
    [0, 'mkdir', 'directory', 0o700],
    [6, 'open', 'directory', OpenFlag.RDONLY, 0],
    [-ENODEV, 'mmap', 0, PAGE, READ, PRIVATE, 6, 0],
  ]);

  linuxCase('a fixed mapping takes the place of what was there, unless it must not', [
    mapAt(M, 3),
    store(M + PAGE, 7),
    [-EEXIST, 'mmap', M + PAGE, PAGE, RW, ANON | FIXED_NOREPLACE, -1, 0],
    load(M + PAGE, 7),
    mapAt(M + PAGE, 1),
    load(M + PAGE, 0),
    [0, 'munmap', M, PAGE],
    [$('again'), 'mmap', M, PAGE, RW, ANON | FIXED_NOREPLACE, -1, 0],
  ]);

  linuxCase('munmap: part of a mapping, holes included; what is gone is gone', [
    mapAt(M, 5),
    store(M + 4 * PAGE, 4),
    [0, 'munmap', M + PAGE, PAGE],
    [0, 'munmap', M, 4 * PAGE],
    [0, 'munmap', M, 4 * PAGE],
    load(M + 4 * PAGE, 4),
    [-EINVAL, 'munmap', M + 1, PAGE],
    [-EINVAL, 'munmap', M, 0],
    [-EINVAL, 'munmap', 2 ** 47, PAGE],
    ...dies('child', Signal.SEGV, load(M, 'never')),
  ]);

  linuxCase('mprotect: what may not be done faults, what was not opened for it cannot be allowed, and holes end it', [
    mapAt(M, 3),
    store(M + PAGE, 1),
    [0, 'mprotect', M + PAGE, PAGE, READ],
    load(M + PAGE, 1),
    ...dies('writer', Signal.SEGV, store(M + PAGE, 2, 'never')),
    [0, 'mprotect', M + PAGE, PAGE, NONE],
    ...dies('reader', Signal.SEGV, load(M + PAGE, 'never')),
    [0, 'mprotect', M, 3 * PAGE, RW],
    load(M + PAGE, 1),
    [0, 'munmap', M + 2 * PAGE, PAGE],
    [-ENOMEM, 'mprotect', M, 3 * PAGE, READ],
    // As far as the hole it has been done.
    ...dies('again', Signal.SEGV, store(M, 2, 'never')),
    [-EINVAL, 'mprotect', M + 1, PAGE, READ],
    [-EINVAL, 'mprotect', M, PAGE, 0x80],
    [0, 'mprotect', M, 0, READ],
    file,
    [4, 'open', 'file', OpenFlag.RDONLY, 0],
    [$('file'), 'mmap', M + 16 * PAGE, PAGE, READ, MAP_SHARED | FIXED, 4, 0],
    [-EACCES, 'mprotect', M + 16 * PAGE, PAGE, RW],
  ]);

  linuxCase('si_code: nothing is there, or it may not be done', [
    mapAt(M, 1, READ),
    handling(Signal.SEGV, 0, 0, [0, 'mprotect', M, PAGE, RW]),
    store(M, 1),
    seen(Signal.SEGV, 1, SignalCode.SEGV_ACCERR, ...long(M)),
    handling(Signal.SEGV, 0, 0, mapAt(M + PAGE, 1)),
    store(M + PAGE + 5, 1),
    seen(Signal.SEGV, 2, SignalCode.SEGV_MAPERR, ...long(M + PAGE + 5)),
  ]);

  linuxCase('beyond the end of a mapped file: SIGBUS; the rest of its last page is there, and not in the file', [
    file,
    [3, 'write', 3, 'abc', 3],
    [$('map'), 'mmap', M, 2 * PAGE, RW, MAP_SHARED | FIXED, 3, 0],
    load(M + 2, 99),
    load(M + 3, 0),
    store(M + 100, 9),
    [3, 'pread64', 3, A, 10, 0],
    handling(Signal.BUS, 0, 0, [0, 'ftruncate', 3, 2 * PAGE]),
    store(M + PAGE, 1),
    seen(Signal.BUS, 1, SignalCode.BUS_ADRERR, ...long(M + PAGE)),
    [1, 'pread64', 3, A, 1, PAGE],
    get(A, 1 + (98 << 8) + (99 << 16)),
  ]);

  linuxCase('private and shared mappings of a file', [
    file,
    [4, 'write', 3, 'abcd', 4],
    [$('private'), 'mmap', M, PAGE, RW, PRIVATE | FIXED, 3, 0],
    [$('shared'), 'mmap', M + PAGE, PAGE, RW, MAP_SHARED | FIXED, 3, 0],
    store(M, 120),
    store(M + PAGE + 1, 121),
    [4, 'pread64', 3, A, 4, 0],
    getText(A, 'aycd'),
    // The private page is a copy of its own by now.
    getText(M, 'xbcd'),
    [0, 'close', 3],
    load(M + PAGE + 1, 121),
    [0, 'msync', M + PAGE, PAGE, 4],
  ]);

  linuxCase('mremap: smaller, larger in place, and elsewhere', [
    mapAt(M, 4),
    put(M, 1),
    put(M + PAGE, 2),
    [$('same'), 'mremap', M, 4 * PAGE, 2 * PAGE, 0, 0],
    ...dies('child', Signal.SEGV, load(M + 2 * PAGE, 'never')),
    [$('grown'), 'mremap', M, 2 * PAGE, 3 * PAGE, 0, 0],
    load(M + 2 * PAGE, 0),
    mapAt(M + 3 * PAGE, 1, READ),
    [-ENOMEM, 'mremap', M, 3 * PAGE, 5 * PAGE, 0, 0],
    [$('moved'), 'mremap', M, 3 * PAGE, 5 * PAGE, MREMAP.MAYMOVE | MREMAP.FIXED, M + 32 * PAGE],
    get(M + 32 * PAGE, 1),
    get(M + 33 * PAGE, 2),
    ...dies('gone', Signal.SEGV, load(M, 'never')),
  ]);

  linuxCase('mremap: what it refuses', [
    mapAt(M, 4),
    [-EINVAL, 'mremap', M + 1, PAGE, PAGE, 0, 0],
    [-EINVAL, 'mremap', M, PAGE, 0, 0, 0],
    [-EINVAL, 'mremap', M, PAGE, PAGE, MREMAP.FIXED, M + 32 * PAGE],
    [-EINVAL, 'mremap', M, PAGE, PAGE, 0x10, 0],
    [-EINVAL, 'mremap', M, 2 * PAGE, 2 * PAGE, MREMAP.MAYMOVE | MREMAP.FIXED, M + PAGE],
    [-EINVAL, 'mremap', M, 2 * PAGE, 2 * PAGE, MREMAP.MAYMOVE | MREMAP.FIXED, M + 32 * PAGE + 1],
    [-EFAULT, 'mremap', M + 16 * PAGE, PAGE, 2 * PAGE, MREMAP.MAYMOVE, 0],
    [-EFAULT, 'mremap', M, 5 * PAGE, 6 * PAGE, MREMAP.MAYMOVE, 0],
    [-EINVAL, 'mremap', M, PAGE, 2 * PAGE, MREMAP.DONTUNMAP | MREMAP.MAYMOVE, 0],
    // Nothing of what is private may be made twice.
    [-EINVAL, 'mremap', M, 0, PAGE, MREMAP.MAYMOVE, 0],
  ]);

  linuxCase('mremap with an old length of 0: a second view of what is shared', [
    [$('map'), 'mmap', M, 2 * PAGE, RW, MAP_SHARED | ANONYMOUS | FIXED, -1, 0],
    store(M, 5),
    [$('second'), 'mremap', M, 0, PAGE, MREMAP.MAYMOVE | MREMAP.FIXED, M + 16 * PAGE],
    load(M + 16 * PAGE, 5),
    store(M + 16 * PAGE, 6),
    load(M, 6),
  ]);

  linuxCase('MREMAP_DONTUNMAP leaves an empty mapping behind', [
    mapAt(M, 2),
    store(M, 5),
    [$('moved'), 'mremap', M, 2 * PAGE, 2 * PAGE, MREMAP.MAYMOVE | MREMAP.FIXED | MREMAP.DONTUNMAP, M + 16 * PAGE],
    load(M + 16 * PAGE, 5),
    load(M, 0),
    store(M, 7),
    load(M + 16 * PAGE, 5),
  ]);

  linuxCase('MADV_DONTNEED: zeros again, or what the file holds', [
    mapAt(M, 2),
    store(M, 5),
    store(M + PAGE, 6),
    [0, 'madvise', M, PAGE, Madvise.DONTNEED],
    load(M, 0),
    load(M + PAGE, 6),
    file,
    [2, 'write', 3, 'ab', 2],
    [$('private'), 'mmap', M + 8 * PAGE, PAGE, RW, PRIVATE | FIXED, 3, 0],
    store(M + 8 * PAGE, 120),
    [0, 'madvise', M + 8 * PAGE, PAGE, Madvise.DONTNEED],
    load(M + 8 * PAGE, 97),
    store(SHARED, 9),
    [0, 'madvise', SHARED, PAGE, Madvise.DONTNEED],
    load(SHARED, 9),
  ]);

  linuxCase('madvise: what it refuses, and how far it gets', [
    mapAt(M, 4),
    store(M, 1),
    store(M + 2 * PAGE, 1),
    [0, 'munmap', M + PAGE, PAGE],
    // All that is there is done, and the hole told of.
    [-ENOMEM, 'madvise', M, 4 * PAGE, Madvise.DONTNEED],
    load(M, 0),
    load(M + 2 * PAGE, 0),
    [-EINVAL, 'madvise', M, PAGE, 1000],
    [-EINVAL, 'madvise', M + 1, PAGE, Madvise.DONTNEED],
    [0, 'madvise', M, 0, Madvise.DONTNEED],
    [-EINVAL, 'madvise', M, -PAGE, Madvise.DONTNEED],
    [0, 'madvise', M, 10, Madvise.DONTNEED],
    [0, 'mlock', M + 2 * PAGE, PAGE],
    [-EINVAL, 'madvise', M + 2 * PAGE, PAGE, Madvise.DONTNEED],
    [-EINVAL, 'madvise', M + 2 * PAGE, PAGE, 8],
    [-EINVAL, 'madvise', SHARED, PAGE, 8],
  ]);

  linuxCase('MADV_DONTFORK and MADV_WIPEONFORK: not there in a child, or empty', [
    mapAt(M, 2),
    store(M, 1),
    store(M + PAGE, 1),
    [0, 'madvise', M, PAGE, 10],
    [0, 'madvise', M + PAGE, PAGE, 18],
    fork('child', load(M + PAGE, 0), load(M, 'never')),
    [$('child'), 'wait4', -1, A, 0, 0],
    get(A, Signal.SEGV),
    load(M + PAGE, 1),
    [-EINVAL, 'madvise', SHARED, PAGE, 18],
    [0, 'madvise', M, PAGE, 11],
    [0, 'madvise', M + PAGE, PAGE, 19],
    fork('second', load(M, 1), load(M + PAGE, 1)),
    [$('second'), 'wait4', -1, A, 0, 0],
    get(A, 0),
  ]);

  linuxCase('guard regions: fatal to touch until they are removed', [
    mapAt(M, 4),
    store(M + PAGE, 5),
    [0, 'madvise', M + PAGE, PAGE, Madvise.GUARD_INSTALL],
    handling(Signal.SEGV, 0, 0, [0, 'madvise', M + PAGE, PAGE, Madvise.GUARD_REMOVE]),
    load(M + PAGE, 0),
    seen(Signal.SEGV, 1, SignalCode.SEGV_MAPERR, ...long(M + PAGE)),
    load(M, 0),
    [0, 'madvise', M + 2 * PAGE, 2 * PAGE, Madvise.GUARD_INSTALL],
    [-EFAULT, 'write', 0, M + 2 * PAGE, 8],
    [0, 'madvise', M + 2 * PAGE, PAGE, Madvise.DONTNEED],
    ...dies('child', Signal.SEGV, load(M + 2 * PAGE, 'never')),
    [0, 'mprotect', M + 2 * PAGE, PAGE, READ],
    ...dies('second', Signal.SEGV, load(M + 2 * PAGE, 'never')),
    [0, 'munmap', M + 2 * PAGE, PAGE],
    mapAt(M + 2 * PAGE, 1),
    load(M + 2 * PAGE, 0),
    [0, 'mlock', M, PAGE],
    [-EINVAL, 'madvise', M, PAGE, Madvise.GUARD_INSTALL],
    [-ENOMEM, 'madvise', M, 16 * PAGE, Madvise.GUARD_REMOVE],
  ]);

  linuxCase('guard regions go where their memory goes, and to children', [
    mapAt(M, 4),
    [0, 'madvise', M + PAGE, PAGE, Madvise.GUARD_INSTALL],
    [$('moved'), 'mremap', M, 4 * PAGE, 4 * PAGE, MREMAP.MAYMOVE | MREMAP.FIXED, M + 64 * PAGE],
    ...dies('child', Signal.SEGV, load(M + 66 * PAGE, 0), load(M + 65 * PAGE, 'never')),
    [0, 'madvise', M + 64 * PAGE, 4 * PAGE, 18],
    fork('wiped', load(M + 65 * PAGE, 0)),
    [$('wiped'), 'wait4', -1, A, 0, 0],
    get(A, 0),
    [-EFAULT, 'madvise', M + 64 * PAGE, 4 * PAGE, 22],
    [0, 'mincore', M + 64 * PAGE, 2 * PAGE, A],
    get(A, 1),
    [-ENOMEM, 'mlock', M + 64 * PAGE, 2 * PAGE],
    [0, 'madvise', M + 64 * PAGE, 4 * PAGE, Madvise.GUARD_REMOVE],
    store(M + 65 * PAGE, 1),
  ]);

  linuxCase('guard regions in files', [
    file,
    [3, 'pwrite64', 3, 'abc', 3, PAGE],
    [$('map'), 'mmap', M, 3 * PAGE, READ, MAP_SHARED | FIXED, 3, 0],
    load(M + PAGE, 97),
    [0, 'madvise', M + PAGE, PAGE, Madvise.GUARD_INSTALL],
    load(M, 0),
    ...dies('child', Signal.SEGV, load(M + PAGE, 'never')),
    [0, 'madvise', M + PAGE, PAGE, Madvise.GUARD_REMOVE],
    load(M + PAGE, 97),
  ]);

  linuxCase('msync: flags, holes, and what is not aligned', [
    mapAt(M, 2, RW, MAP_SHARED | ANONYMOUS),
    [0, 'msync', M, 2 * PAGE, 4],
    [0, 'msync', M, 2 * PAGE, 1],
    [-EINVAL, 'msync', M, PAGE, 5],
    [-EINVAL, 'msync', M, PAGE, 8],
    [-EINVAL, 'msync', M + 1, PAGE, 4],
    [0, 'munmap', M + PAGE, PAGE],
    [-ENOMEM, 'msync', M, 2 * PAGE, 4],
    [0, 'mlock', M, PAGE],
    [-Errno.EBUSY, 'msync', M, PAGE, 2],
  ]);

  linuxCase('mincore: what is in memory', [
    mapAt(M, 3),
    store(M + PAGE, 1),
    put(A, -1),
    [0, 'mincore', M, 3 * PAGE, A],
    get(A, 0xff00_0100 | 0),
    [-EINVAL, 'mincore', M + 1, PAGE, A],
    [-ENOMEM, 'mincore', M, 4 * PAGE, A],
    [-EFAULT, 'mincore', M, PAGE, NOWHERE],
    [0, 'mincore', M, 0, A],
  ]);

  linuxCase('mlock: brings pages in, within the limit, over no hole', [
    mapAt(M, 2),
    [0, 'mlock', M, PAGE],
    [0, 'mincore', M, 2 * PAGE, A],
    get(A, 1),
    [0, 'mlock2', M + PAGE, PAGE, 1],
    [0, 'mincore', M, 2 * PAGE, A],
    get(A, 1),
    [-EINVAL, 'mlock2', M, PAGE, 2],
    [-ENOMEM, 'mlock', M, 3 * PAGE],
    [0, 'munlock', M, 2 * PAGE],
    [-ENOMEM, 'munlock', M, 3 * PAGE],
    [-EINVAL, 'mlockall', 0],
    [-EINVAL, 'mlockall', 8],
    put(A, ...long(PAGE), ...long(PAGE)),
    [0, 'prlimit64', 0, Rlimit.MEMLOCK, A, 0],
    [0, 'setresuid', 1000, 1000, 1000],
    [-ENOMEM, 'mlock', M, 2 * PAGE],
    [0, 'mlock', M, PAGE],
    [0, 'mlock', M, PAGE],
    [-ENOMEM, 'mlock', M + PAGE, PAGE],
    put(A, 0, 0, 0, 0),
    [0, 'munlockall'],
    [0, 'prlimit64', 0, Rlimit.MEMLOCK, A, 0],
    [-EPERM, 'mlock', M, PAGE],
    [-EPERM, 'mlockall', 1],
  ]);

  linuxCase('RLIMIT_AS: no more than that', [
    put(A, ...long(2 ** 44), ...long(2 ** 45)),
    [0, 'prlimit64', 0, Rlimit.AS, A, 0],
    [-ENOMEM, 'mmap', 0, 2 ** 45, NONE, ANON, -1, 0],
    [$('map'), 'mmap', 0, 2 ** 43, NONE, ANON, -1, 0],
    [-ENOMEM, 'mremap', $('map'), 2 ** 43, 2 ** 45, 1, 0],
  ]);

  linuxCase('process_vm_readv and writev: pieces on both sides, up to what is not there', [
    [$('self'), 'getpid'],
    fork('child', putText(A + 0x200, 'childs memory'), ['never', 'pause']),
    asleep('child'),
    put(A, ...long(A + 0x100), ...long(6), ...long(A + 0x110), ...long(7)),
    put(A + 0x40, ...long(A + 0x200), ...long(13)),
    [13, 'process_vm_readv', $('child'), A, 2, A + 0x40, 1, 0],
    getText(A + 0x100, 'childs'),
    getText(A + 0x110, ' memory'),
    [6, 'process_vm_writev', $('child'), A, 1, A + 0x40, 1, 0],
    put(A + 0x40, ...long(A + 0x200), ...long(3), ...long(NOWHERE), ...long(3)),
    [3, 'process_vm_readv', $('child'), A, 1, A + 0x40, 2, 0],
    [-EFAULT, 'process_vm_readv', $('child'), A, 1, A + 0x50, 1, 0],
    [-EINVAL, 'process_vm_readv', $('child'), A, 1, A + 0x40, 1, 1],
    [-Errno.ESRCH, 'process_vm_readv', 30000, A, 1, A + 0x40, 1, 0],
    [-EINVAL, 'process_vm_readv', $('child'), A, 1025, A + 0x40, 1, 0],
    [0, 'process_vm_readv', $('child'), A, 0, A + 0x40, 1, 0],
    [0, 'setresuid', 1000, 1000, 1000],
    [-EPERM, 'process_vm_readv', $('child'), A, 1, A + 0x40, 1, 0],
  ]);

  linuxCase('memfd: seals forbid what they name, and cannot be taken back', [
    [3, 'memfd_create', 'name', 2],
    [4, 'write', 3, 'abcd', 4],
    [0, 'fcntl', 3, 1034],
    [0, 'fcntl', 3, 1033, 2],
    [-EPERM, 'ftruncate', 3, 2],
    [0, 'ftruncate', 3, 10],
    [0, 'fcntl', 3, 1033, 4],
    [-EPERM, 'ftruncate', 3, 20],
    [-EPERM, 'pwrite64', 3, 'x', 1, 10],
    [1, 'pwrite64', 3, 'x', 1, 9],
    [$('map'), 'mmap', M, PAGE, RW, MAP_SHARED | FIXED, 3, 0],
    [-Errno.EBUSY, 'fcntl', 3, 1033, 8],
    [0, 'munmap', M, PAGE],
    [0, 'fcntl', 3, 1033, 8],
    [-EPERM, 'pwrite64', 3, 'x', 1, 0],
    [-EPERM, 'mmap', M, PAGE, RW, MAP_SHARED | FIXED, 3, 0],
    [$('private'), 'mmap', M, PAGE, RW, PRIVATE | FIXED, 3, 0],
    [0, 'fcntl', 3, 1033, 1],
    [-EPERM, 'fcntl', 3, 1033, 0x10],
    [15, 'fcntl', 3, 1034],
    [4, 'memfd_create', 'other', 0],
    [1, 'fcntl', 4, 1034],
    [-EPERM, 'fcntl', 4, 1033, 2],
    [-EINVAL, 'fcntl', 0, 1034],
    [-EINVAL, 'memfd_create', 'x', 0x40],
  ]);

  linuxCase('O_APPEND of a file in memory that has no name', [
    [3, 'memfd_create', 'name', 0],
    [4, 'write', 3, 'abcd', 4],
    [0, 'fcntl', 3, 4, OpenFlag.APPEND],
    [0, 'lseek', 3, 0, 0],
    [1, 'write', 3, 'e', 1],
    [5, 'lseek', 3, 0, 1],
    [1, 'pwrite64', 3, 'f', 1, 0],
    [6, 'pread64', 3, A, 10, 0],
    getText(A, 'abcdef'),
  ]);
});
