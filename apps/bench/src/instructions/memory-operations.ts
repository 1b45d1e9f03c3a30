import { done, exactly, type Program } from '@rpal/kernel';
import { Madvise, MapFlag, Mremap, Prot } from '@rpal/uapi';
import { all, type Operation, type Preparation, prepared } from './operation.js';

const PAGE = 4096;
const RW = Prot.READ | Prot.WRITE;
const PRIVATE = MapFlag.PRIVATE | MapFlag.ANONYMOUS;

/** Calls on the memory of one program, with their results looked at. */
class Memory {
  readonly p: Program;

  constructor(p: Program) {
    this.p = p;
  }

  *map(pages: number): Generator<void, number> {
    return done('mmap', yield* this.p.mmap(0, pages * PAGE, RW, PRIVATE));
  }

  *mapAt(address: number, pages: number): Generator<void, void> {
    exactly('mmap', yield* this.p.mmap(address, pages * PAGE, RW, PRIVATE | MapFlag.FIXED), address);
  }

  *unmap(address: number, pages: number): Generator<void, void> {
    exactly('munmap', yield* this.p.munmap(address, pages * PAGE), 0);
  }

  *protect(address: number, pages: number, prot: number): Generator<void, void> {
    exactly('mprotect', yield* this.p.mprotect(address, pages * PAGE, prot), 0);
  }

  *advise(address: number, pages: number, advice: number): Generator<void, void> {
    exactly('madvise', yield* this.p.madvise(address, pages * PAGE, advice), 0);
  }

  /** Writes to each page. */
  *touch(address: number, pages: number): Generator<void, void> {
    for (let i = 0; i < pages; i++) yield* this.p.store8(address + i * PAGE, 1);
  }

  /** Memory of small pages. */
  *small(pages: number): Generator<void, number> {
    const address = yield* this.map(pages);
    yield* this.advise(address, pages, Madvise.NOHUGEPAGE);
    return address;
  }
}

type Prepare = (m: Memory) => Preparation;

function operation(name: string, prepare: Prepare): Operation {
  return {
    name,
    *prepare(p) {
      const memory = new Memory(p);
      // New areas end up below it, and do not become part of it.
      yield* memory.touch(yield* memory.small(16), 16);
      return yield* prepared(prepare(memory));
    },
  };
}

/** An area of 8 MiB whose first two pages are there, and an address amid it. */
function* amid(m: Memory): Generator<void, number> {
  const area = yield* m.small(2048);
  yield* m.touch(area, 2);
  return area + 512 * PAGE;
}

/** An area of its own between two that cannot be touched. */
function* own(m: Memory, pages: number): Generator<void, number> {
  const area = yield* m.small(pages + 2);
  yield* m.protect(area, 1, Prot.NONE);
  yield* m.protect(area + (pages + 1) * PAGE, 1, Prot.NONE);
  return area + PAGE;
}

/** A place with nothing mapped beside it. */
function* apart(m: Memory): Generator<void, number> {
  const area = yield* m.map(1024);
  yield* m.unmap(area, 1024);
  return area + 256 * PAGE;
}

function protectionOf(pages: number): Operation[] {
  return [
    operation(`mprotect RW to R: ${pages} touched pages amid a mapping (splits)`, function* (m) {
      const at = yield* amid(m);
      return {
        before: () => m.touch(at, pages),
        body: () => m.protect(at, pages, Prot.READ),
        after: () => m.protect(at, pages, RW),
      };
    }),
    operation(`mprotect R to RW: ${pages} touched pages amid a mapping (merges)`, function* (m) {
      const at = yield* amid(m);
      return {
        before: all(
          () => m.touch(at, pages),
          () => m.protect(at, pages, Prot.READ),
        ),
        body: () => m.protect(at, pages, RW),
      };
    }),
  ];
}

function protectionOfOwn(pages: number): Operation[] {
  return [
    operation(`mprotect RW to R: a mapping of ${pages} touched pages`, function* (m) {
      const at = yield* own(m, pages);
      return { before: () => m.touch(at, pages), body: () => m.protect(at, pages, Prot.READ), after: () => m.protect(at, pages, RW) };
    }),
    operation(`mprotect R to RW: a mapping of ${pages} touched pages`, function* (m) {
      const at = yield* own(m, pages);
      return {
        before: all(
          () => m.touch(at, pages),
          () => m.protect(at, pages, Prot.READ),
        ),
        body: () => m.protect(at, pages, RW),
      };
    }),
  ];
}

function ofPages(pages: number): Operation[] {
  return [
    operation(`madvise DONTNEED: ${pages} touched pages`, function* (m) {
      const at = yield* amid(m);
      return { before: () => m.touch(at, pages), body: () => m.advise(at, pages, Madvise.DONTNEED) };
    }),
    operation(`madvise DONTNEED: ${pages} untouched pages`, function* (m) {
      const at = yield* amid(m);
      // So that there are tables for them.
      yield* m.touch(at, pages);
      yield* m.advise(at, pages, Madvise.DONTNEED);
      return { body: () => m.advise(at, pages, Madvise.DONTNEED) };
    }),
    operation(`touch of ${pages} pages`, function* (m) {
      const at = yield* amid(m);
      return { body: () => m.touch(at, pages), after: () => m.advise(at, pages, Madvise.DONTNEED) };
    }),
    operation(`mmap: ${pages} pages`, (m) => {
      let at = 0;
      return {
        *body() {
          at = yield* m.map(pages);
        },
        after: () => m.unmap(at, pages),
      };
    }),
    operation(`munmap: a mapping of ${pages} touched pages`, (m) => {
      let at = 0;
      return {
        *before() {
          at = yield* m.map(pages);
          yield* m.touch(at, pages);
        },
        body: () => m.unmap(at, pages),
      };
    }),
    operation(`munmap: a mapping of ${pages} untouched pages`, (m) => {
      let at = 0;
      return {
        *before() {
          at = yield* m.map(pages);
        },
        body: () => m.unmap(at, pages),
      };
    }),
    operation(`munmap: ${pages} touched pages amid a mapping (splits)`, (m) => {
      let at = 0;
      return {
        *before() {
          at = yield* m.map(pages + 20);
          yield* m.touch(at, pages + 20);
        },
        body: () => m.unmap(at + 10 * PAGE, pages),
        after: () => m.unmap(at, pages + 20),
      };
    }),
    operation(`munmap: ${pages} touched pages at the end of a mapping`, (m) => {
      let at = 0;
      return {
        *before() {
          at = yield* m.map(pages + 10);
          yield* m.touch(at, pages + 10);
        },
        body: () => m.unmap(at + 10 * PAGE, pages),
        after: () => m.unmap(at, 10),
      };
    }),
    operation(`mprotect RW to R then munmap: ${pages} touched pages`, (m) => {
      let at = 0;
      return {
        *before() {
          at = yield* m.map(pages);
          yield* m.touch(at, pages);
        },
        body: all(
          () => m.protect(at, pages, Prot.READ),
          () => m.unmap(at, pages),
        ),
      };
    }),
  ];
}

const others: readonly Operation[] = [
  operation('mprotect RW to R: 64 untouched pages amid a mapping (splits)', function* (m) {
    const at = yield* amid(m);
    yield* m.touch(at, 64);
    yield* m.advise(at, 64, Madvise.DONTNEED);
    return { body: () => m.protect(at, 64, Prot.READ), after: () => m.protect(at, 64, RW) };
  }),
  operation('mprotect RW to R: 1 touched page at the start of a mapping (splits once)', function* (m) {
    const at = (yield* amid(m)) - 512 * PAGE;
    return { before: () => m.touch(at, 1), body: () => m.protect(at, 1, Prot.READ), after: () => m.protect(at, 1, RW) };
  }),
  operation('mprotect that changes nothing: 1 page', function* (m) {
    const at = yield* amid(m);
    return { body: () => m.protect(at, 1, RW) };
  }),
  operation('mmap fixed: 1 page apart from others', function* (m) {
    const at = yield* apart(m);
    return { body: () => m.mapAt(at, 1), after: () => m.unmap(at, 1) };
  }),
  operation('munmap: 1 touched page apart from others', function* (m) {
    const at = yield* apart(m);
    return {
      *before() {
        yield* m.mapAt(at, 1);
        yield* m.touch(at, 1);
      },
      body: () => m.unmap(at, 1),
    };
  }),
  operation('munmap: 64 touched pages apart from others', function* (m) {
    const at = yield* apart(m);
    return {
      *before() {
        yield* m.mapAt(at, 64);
        yield* m.touch(at, 64);
      },
      body: () => m.unmap(at, 64),
    };
  }),
  operation('mmap fixed over 1 touched page amid a mapping', function* (m) {
    const at = yield* amid(m);
    return { before: () => m.touch(at, 1), body: () => m.mapAt(at, 1) };
  }),
  operation('mremap: 16 pages grow to 32', (m) => {
    let at = 0;
    return {
      *before() {
        at = yield* m.map(16);
        yield* m.touch(at, 16);
      },
      *body() {
        at = done('mremap', yield* m.p.mremap(at, 16 * PAGE, 32 * PAGE, Mremap.MAYMOVE));
      },
      after: () => m.unmap(at, 32),
    };
  }),
  operation('mremap: 32 touched pages shrink to 16', (m) => {
    let at = 0;
    return {
      *before() {
        at = yield* m.map(32);
        yield* m.touch(at, 32);
      },
      *body() {
        exactly('mremap', yield* m.p.mremap(at, 32 * PAGE, 16 * PAGE, 0), at);
      },
      after: () => m.unmap(at, 16),
    };
  }),
  ...[1, 64].map((pages) =>
    operation(`mremap: ${pages} touched page${pages === 1 ? ' moves' : 's move'}`, function* (m) {
      const at = yield* apart(m);
      const to = at + (pages === 1 ? 16 : 256) * PAGE;
      return {
        *before() {
          yield* m.mapAt(at, pages);
          yield* m.touch(at, pages);
        },
        *body() {
          exactly('mremap', yield* m.p.mremap(at, pages * PAGE, pages * PAGE, Mremap.MAYMOVE | Mremap.FIXED, to), to);
        },
        after: () => m.unmap(to, pages),
      };
    }),
  ),
  operation('brk: asks', (m) => {
    return { body: () => m.p.brk(0) };
  }),
  operation('brk: grows by 1 page', function* (m) {
    const end = yield* m.p.brk(0);
    return { body: () => m.p.brk(end + PAGE), after: () => m.p.brk(end) };
  }),
  operation('brk: shrinks by 1 untouched page', function* (m) {
    const end = yield* m.p.brk(0);
    return { before: () => m.p.brk(end + PAGE), body: () => m.p.brk(end) };
  }),
  operation('mlock: 1 touched page amid a mapping', function* (m) {
    const at = yield* amid(m);
    yield* m.touch(at, 1);
    return { body: () => m.p.mlock(at, PAGE), after: () => m.p.munlock(at, PAGE) };
  }),
  operation('munlock: 1 touched page amid a mapping', function* (m) {
    const at = yield* amid(m);
    yield* m.touch(at, 1);
    return { before: () => m.p.mlock(at, PAGE), body: () => m.p.munlock(at, PAGE) };
  }),
  operation('mlock: 16 touched pages amid a mapping', function* (m) {
    const at = yield* amid(m);
    yield* m.touch(at, 16);
    return { body: () => m.p.mlock(at, 16 * PAGE), after: () => m.p.munlock(at, 16 * PAGE) };
  }),
];

/** Mappings that are made, changed and taken down, and faults on their pages. */
export const memoryOperations: readonly Operation[] = [
  ...[1, 4, 16, 64, 512].flatMap(protectionOf),
  ...[1, 4, 16, 64].flatMap(protectionOfOwn),
  ...[1, 4, 16, 64, 512].flatMap(ofPages),
  ...others,
];
