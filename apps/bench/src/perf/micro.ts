import { Access, type Cpu, mapPage, PAGE_SIZE, Platform, Pte, profiles, Translations } from '@rpal/hw-x86';
import { createMachine, done, exactly, executable, type Program } from '@rpal/kernel';
import { Epoll, Poll, SocketType } from '@rpal/uapi';
import { check } from '../outcome.js';
import { FAULT_RUNS, measureFaults, PAGES } from './faults.js';
import { pageAddresses } from './heap.js';
import { Stopwatch, type Taken } from './stopwatch.js';

/** One operation of the model, timed on the host. */
export interface MicroResult {
  readonly name: string;
  /** Nanoseconds each, of the least disturbed of many short runs. */
  readonly ns: number;
  /** Nanoseconds that it should take on a computer of these years. */
  readonly aim: number;
  /** Bytes of the host's heap that it takes; bounded by 1 where it is told. */
  readonly bytes?: number;
}

const RUNS = 200;
const TRANSLATIONS = 20_000;
const WAITS = 1000;

/** Least nanoseconds per operation, and bytes of the heap: `batch` executes `count` of them. */
function least(count: number, batch: () => void): Taken {
  const watch = new Stopwatch(count);
  for (let run = 0; run < RUNS; run++) {
    watch.begin();
    batch();
    watch.end();
  }
  return watch.taken;
}

/** The yardstick: a load and a store of a typed array. */
function plainLoop(): Taken {
  const words = new Int32Array(4096);
  let sum = 0;
  return least(TRANSLATIONS, () => {
    for (let i = 0; i < TRANSLATIONS; i++) {
      sum += words[i & 4095] as number;
      words[i & 4095] = sum & 255;
    }
  });
}

/**
 * A user-mode data access whose translation is in the first-level TLB, of some pages in turn.
 * @param count a power of two
 * @param stride bytes between two pages; those that are 64 KiB apart are in the same set, which has four
 */
function tlbHit(count: number, stride: number): Taken {
  const platform = new Platform({ profile: profiles[0] as (typeof profiles)[number] });
  const cpu = platform.cpus[0] as Cpu;
  const { memory } = platform;
  const root = memory.allocate();
  memory.fill(root * PAGE_SIZE, PAGE_SIZE);
  const addresses = pageAddresses(0x7fff_f600_0000, count, stride);
  for (const address of addresses) mapPage(memory, root, address, { frame: memory.allocate(), flags: Pte.user | Pte.writable });
  cpu.mmu.loadRoot(root, 1, Translations.DROP);
  return least(TRANSLATIONS, () => {
    for (let i = 0; i < TRANSLATIONS; i++) {
      check(cpu.mmu.translate(addresses[i & (count - 1)] as number, Access.user) >= 0, 'the page is not mapped');
    }
  });
}

/** Times what a program does between two of its own steps; `body` does a batch per `next`. */
function inProgram(count: number, main: (p: Program, watch: Stopwatch) => Generator<void, void>): Taken {
  const watch = new Stopwatch(count);
  const machine = createMachine();
  machine.spawn(executable('micro', (p) => main(p, watch)));
  machine.run();
  return watch.taken;
}

/** The first write to a page of a private anonymous mapping: walk, fault, a zeroed frame, return, access. */
function pageFault(): Taken {
  return inProgram(PAGES, function* (p, watch) {
    for (let run = 0; run < FAULT_RUNS; run++) {
      const memory = done('mmap', yield* p.allocate(PAGES * PAGE_SIZE));
      const addresses = pageAddresses(memory, PAGES, PAGE_SIZE);
      watch.begin();
      for (let page = 0; page < PAGES; page++) yield* p.store8(addresses[page] as number, 1);
      watch.end();
      exactly('munmap', yield* p.munmap(memory, PAGES * PAGE_SIZE), 0);
    }
  });
}

/** epoll_wait that finds one of its descriptors ready and returns with its event. */
function epollWait(): Taken {
  return inProgram(WAITS, function* (p, watch) {
    const fd = done('socketpair', yield* p.socketpair(SocketType.STREAM));
    const epfd = done('epoll_create1', yield* p.epollCreate());
    exactly('epoll_ctl', yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.OUT), 0);
    const events = done('mmap', yield* p.allocate(PAGE_SIZE));
    yield* p.store8(events, 0);
    for (let run = 0; run < RUNS; run++) {
      watch.begin();
      for (let i = 0; i < WAITS; i++) exactly('epoll_wait', yield* p.epollWait(epfd, events, 16, 0), 1);
      watch.end();
    }
  });
}

/** The operations whose cost every other one contains, each against its aim; first what they are compared with. */
export function measureMicro(): readonly MicroResult[] {
  return [
    { name: 'plain loop: a load and a store of a typed array', ...plainLoop(), aim: 15 },
    { name: 'translation that hits the TLB', ...tlbHit(8, PAGE_SIZE), aim: 15 },
    { name: 'translation that hits the TLB, pages of one set', ...tlbHit(4, 16 * PAGE_SIZE), aim: 30 },
    { name: 'page fault of a program, anonymous memory', ...pageFault(), aim: 2000 },
    ...measureFaults().map((one) => ({ ...one, aim: 2000 })),
    { name: 'epoll_wait with one descriptor ready', ns: epollWait().ns, aim: 1000 },
  ];
}
