import { Errno, LinuxCall, MapFlag, Mremap, Prot, Rlimit } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MEMORY, NOWHERE, peek, poke, type Step, sameAsLinux } from './real/same-as-linux.js';
import { run } from './support.js';

const { madvise, mlockall, munlockall, mlock2, mincore } = LinuxCall;
const PAGE = 4096;
/** Fresh memory at a place of the test, private or shared. */
const map = (address: number, pages: number, flags: number): Step => [
  'mmap',
  address,
  pages * PAGE,
  Prot.READ | Prot.WRITE,
  flags | MapFlag.ANONYMOUS | MapFlag.FIXED,
  -1,
  0,
];
const AT = NOWHERE + 0x100_0000;

describe('mremap', () => {
  it('moves a mapping with its bytes where it cannot grow in place', () => {
    run(function* (p) {
      const memory = yield* p.allocate(2 * PAGE);
      yield* p.store32(memory, 7);
      // The next page has other rights: growing means moving.
      yield* p.mprotect(memory + PAGE, PAGE, Prot.READ);
      expect(yield* p.mremap(memory, PAGE, 4 * PAGE, 0)).toBe(-Errno.ENOMEM);
      const moved = yield* p.mremap(memory, PAGE, 4 * PAGE, Mremap.MAYMOVE);
      expect(yield* p.load32(moved)).toBe(7);
      expect(yield* p.load32(moved + 3 * PAGE)).toBe(0);
      expect(yield* p.mremap(memory, PAGE, PAGE, 0)).toBe(-Errno.EFAULT);
    });
  });
});

describe('madvise', () => {
  it('takes what Linux takes, of private and of shared memory, and ends with ENOMEM at a hole', () => {
    const advice = [0, 1, 2, 3, 8, 18, 19, 20, 16, 17, 26, 99, -1];
    sameAsLinux(
      map(AT, 4, MapFlag.PRIVATE),
      map(AT + 6 * PAGE, 2, MapFlag.SHARED),
      ...advice.flatMap((what): Step[] => [
        ['madvise', AT, 2 * PAGE, what],
        ['madvise', AT + PAGE, 0, what],
        ['madvise', AT + 1, PAGE, what],
        ['madvise', AT + 2 * PAGE, 4 * PAGE, what],
        ['madvise', AT + 6 * PAGE, PAGE, what],
        ['madvise', NOWHERE, PAGE, what],
      ]),
    );
  });

  it('gives a child of fork clean pages after WIPEONFORK, and the parent keeps its own', () => {
    run(function* (p) {
      const at = yield* p.allocate(3 * PAGE);
      for (let page = 0; page < 3; page++) yield* p.store32(at + page * PAGE, 7);
      expect(yield* p.syscall(madvise, at + PAGE, PAGE, 18)).toBe(0);
      yield* p.fork(function* (q) {
        const seen: number[] = [];
        for (let page = 0; page < 3; page++) seen.push(yield* q.load32(at + page * PAGE));
        expect(seen).toEqual([7, 0, 7]);
      });
      yield* p.wait();
      expect(yield* p.load32(at + PAGE)).toBe(7);
      yield* p.syscall(madvise, at + PAGE, PAGE, 19);
      yield* p.fork(function* (q) {
        expect(yield* q.load32(at + PAGE)).toBe(7);
      });
      yield* p.wait();
    });
  });

  it('FREE gives pages back, unless they are locked', () => {
    sameAsLinux(
      map(AT, 2, MapFlag.PRIVATE),
      poke(AT, 5),
      ['mlock', AT, PAGE],
      ['madvise', AT, PAGE, 8],
      ['madvise', AT, PAGE, 20],
      ['madvise', AT, PAGE, 21],
      peek(AT, 4),
      ['munlock', AT, PAGE],
      ['madvise', AT, PAGE, 8],
    );
  });
});

describe('msync and mincore', () => {
  it('look at what is there, as Linux does', () => {
    sameAsLinux(
      map(AT, 4, MapFlag.PRIVATE),
      poke(AT + PAGE, 1),
      poke(AT + 3 * PAGE, 1),
      ['mincore', AT, 4 * PAGE, MEMORY],
      peek(MEMORY, 5),
      ['mincore', AT, 1, MEMORY + 64],
      ['mincore', AT, 0, MEMORY + 64],
      ['mincore', AT + 1, PAGE, MEMORY],
      ['mincore', AT, 5 * PAGE, MEMORY],
      ['mincore', AT, PAGE, NOWHERE],
      ['mincore', NOWHERE, PAGE, MEMORY],
      ['mincore', AT, -1, MEMORY],
      ...[0, 1, 2, 4, 5, 6, 8].map((flags): Step => ['msync', AT, 4 * PAGE, flags]),
      ['msync', AT + 1, PAGE, 4],
      ['msync', AT, 6 * PAGE, 4],
      ['msync', NOWHERE, PAGE, 4],
      ['msync', NOWHERE, 0, 4],
      ['mlock', AT, PAGE],
      ['msync', AT, PAGE, 2],
      ['msync', AT, PAGE, 6],
    );
  });
});

describe('mlock2, mlockall and munlockall', () => {
  it('lock what is there, or what will be, at once or when it is touched', () => {
    run(function* (p) {
      const at = yield* p.allocate(2 * PAGE);
      const room = yield* p.allocate(PAGE);
      const present = function* (address: number) {
        yield* p.syscall(mincore, address, PAGE, room);
        return yield* p.load8(room);
      };
      const { mm } = p.context.thread.process;
      expect(yield* p.syscall(mlock2, at, PAGE, 1)).toBe(0);
      expect([mm.lockedPages, yield* present(at)]).toEqual([1, 0]);
      expect(yield* p.syscall(mlock2, at, 2 * PAGE, 0)).toBe(0);
      expect([mm.lockedPages, yield* present(at)]).toEqual([2, 1]);
      yield* p.munlock(at, 2 * PAGE);
      expect(mm.lockedPages).toBe(0);
      expect(yield* p.syscall(mlockall, 2)).toBe(0);
      const later = yield* p.allocate(PAGE);
      expect([mm.lockedPages, yield* present(later)]).toEqual([1, 1]);
      expect([yield* p.syscall(mlockall, 1), mm.lockedPages === mm.totalPages]).toEqual([0, true]);
      expect([yield* p.syscall(munlockall), mm.lockedPages]).toEqual([0, 0]);
    });
  });

  it('are for whoever may lock so much', () => {
    sameAsLinux(...[0, 4, 8, 15].map((flags): Step => ['mlockall', flags]), ['mlock2', MEMORY, PAGE, 2], ['mlock2', NOWHERE, PAGE, 1]);
    run(function* (p) {
      yield* p.prlimit(Rlimit.MEMLOCK, 8 * PAGE);
      yield* p.setuid(1000);
      expect(yield* p.syscall(mlockall, 1)).toBe(-Errno.ENOMEM);
      yield* p.prlimit(Rlimit.MEMLOCK, 0);
      expect(yield* p.syscall(mlockall, 2)).toBe(-Errno.EPERM);
    });
  });
});
