import { Access, type Cpu, mapPage, PAGE_SIZE, Platform, Pte, profiles } from '@rpal/hw-x86';
import { createMachine, executable, type Program } from '@rpal/kernel';
import { Epoll, Poll, SocketType } from '@rpal/uapi';
import { measureFaults } from './faults.js';

/** One operation of the model, timed on the host. */
export interface MicroResult {
  readonly name: string;
  /** Nanoseconds each, of the least disturbed of many short runs. */
  readonly ns: number;
  /** Nanoseconds that it may take. */
  readonly bound: number;
  /** Bytes of the host's heap that it takes, of the median of short runs; bounded by 1 where it is told. */
  readonly bytes?: number;
}

const RUNS = 200;
const PAGES = 512;

/** Least nanoseconds per operation: `batch` executes some and says how many. */
function least(batch: () => number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const began = performance.now();
    const count = batch();
    best = Math.min(best, ((performance.now() - began) * 1e6) / count);
  }
  return best;
}

/** A user-mode data access whose translation is in the first-level TLB: eight pages in turn. */
function tlbHit(): number {
  const platform = new Platform({ profile: profiles[0] as (typeof profiles)[number] });
  const cpu = platform.cpus[0] as Cpu;
  const { memory } = platform;
  const root = memory.allocate();
  memory.fill(root * PAGE_SIZE, PAGE_SIZE);
  for (let page = 1; page <= 8; page++) {
    mapPage(memory, root, page * PAGE_SIZE, { frame: memory.allocate(), flags: Pte.user | Pte.writable });
  }
  cpu.mmu.loadRoot(root, 1, false);
  return least(() => {
    const count = 20_000;
    for (let i = 0; i < count; i++) {
      if (cpu.mmu.translate(PAGE_SIZE * (1 + (i & 7)) + 64, Access.user) < 0) throw new Error('the page is not mapped');
    }
    return count;
  });
}

/** Times what a program does between two of its own steps; `body` does a batch per `next`. */
function inProgram(main: (p: Program, lap: (count: number) => void) => Generator<void, void>): number {
  let best = Number.POSITIVE_INFINITY;
  let began = performance.now();
  const lap = (count: number): void => {
    const now = performance.now();
    if (count > 0) best = Math.min(best, ((now - began) * 1e6) / count);
    began = performance.now();
  };
  const machine = createMachine();
  machine.spawn(executable('micro', (p) => main(p, lap)));
  machine.run();
  return best;
}

/** The first write to a page of a private anonymous mapping: walk, fault, a zeroed frame, return, access. */
function pageFault(): number {
  return inProgram(function* (p, lap) {
    for (let run = 0; run < RUNS; run++) {
      const memory = yield* p.allocate(PAGES * PAGE_SIZE);
      lap(0);
      for (let page = 0; page < PAGES; page++) yield* p.store8(memory + page * PAGE_SIZE, 1);
      lap(PAGES);
      yield* p.munmap(memory, PAGES * PAGE_SIZE);
    }
  });
}

/** epoll_wait that finds one of its descriptors ready and returns with its event. */
function epollWait(): number {
  return inProgram(function* (p, lap) {
    const fd = yield* p.socketpair(SocketType.STREAM);
    const epfd = yield* p.epollCreate();
    yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.OUT);
    const events = yield* p.allocate(PAGE_SIZE);
    yield* p.store8(events, 0);
    for (let run = 0; run < RUNS; run++) {
      lap(0);
      for (let i = 0; i < 1000; i++) {
        if ((yield* p.epollWait(epfd, events, 16, 0)) !== 1) throw new Error('no event');
      }
      lap(1000);
    }
  });
}

/** The operations whose cost every other one contains, each against its bound. */
export function measureMicro(): readonly MicroResult[] {
  return [
    { name: 'translation that hits the TLB', ns: tlbHit(), bound: 15 },
    { name: 'page fault of a program, anonymous memory', ns: pageFault(), bound: 2000 },
    ...measureFaults().map((one) => ({ ...one, bound: 2000 })),
    { name: 'epoll_wait with one descriptor ready', ns: epollWait(), bound: 1000 },
  ];
}
