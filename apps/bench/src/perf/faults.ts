import { Access, type Cpu, PAGE_SIZE, Platform, profiles } from '@rpal/hw-x86';
import { exitMm, forkMm, handleFault, MappedFile, MemoryFile, MemoryManager, type MmStruct, madvise, mmap } from '@rpal/mm';
import { Madvise, MapFlag, Prot } from '@rpal/uapi';
import { median } from './host-time.js';

/** One kind of page fault, handled by the model. */
export interface FaultTime {
  readonly name: string;
  /** Nanoseconds each, of the least disturbed of many short runs. */
  readonly ns: number;
  /** Bytes of the host's heap each, median of the runs. */
  readonly bytes: number;
}

const RUNS = 200;
const PAGES = 512;
const BYTES = PAGES * PAGE_SIZE;
/** Addresses in 31 bits, which the host passes around without putting them on its heap. */
const LOW = 0x1000_0000;
const READ = Access.user;
const WRITE = Access.user | Access.write;

/** Walk, fault and repeated access of each kind of page that needs no disk. */
export function measureFaults(): readonly FaultTime[] {
  const manager = new MemoryManager(new Platform({ profile: profiles[0] as (typeof profiles)[number] }));
  const cpu = manager.cpus[0] as Cpu;
  const parent = manager.create(cpu);
  let mm: MmStruct = parent;
  mm.activate(cpu);
  const rights = Prot.READ | Prot.WRITE;
  const object = new MappedFile(new MemoryFile(manager, 'file'));
  object.file.truncate(cpu, BYTES);
  const anonymous = mmap(cpu, mm, LOW, BYTES, rights, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
  const file = mmap(cpu, mm, LOW + 2 * BYTES, BYTES, rights, MapFlag.SHARED, { object });

  const touch = (at: number, access: number): void => {
    for (let address = at; address < at + BYTES; address += PAGE_SIZE) {
      while (cpu.data(address, access) < 0) {
        if (handleFault(cpu, mm, address, cpu.mmu.faultCode, false) !== 0) throw new Error('the access is not allowed');
      }
    }
  };
  const drop = (at: number): void => {
    madvise(cpu, mm, at, BYTES, Madvise.DONTNEED);
  };
  const beginChild = (): void => {
    drop(anonymous);
    touch(anonymous, WRITE);
    mm = forkMm(cpu, parent);
    mm.activate(cpu);
  };
  const endChild = (): void => {
    const child = mm;
    mm = parent;
    mm.activate(cpu);
    exitMm(cpu, child);
  };
  const readFirst = (): void => {
    drop(anonymous);
    touch(anonymous, READ);
  };

  touch(file, WRITE);
  return [
    timed(
      'page fault: first write, a zeroed page',
      () => drop(anonymous),
      () => touch(anonymous, WRITE),
    ),
    timed(
      'page fault: first read, the zero page',
      () => drop(anonymous),
      () => touch(anonymous, READ),
    ),
    timed('page fault: copy on write of the zero page', readFirst, () => touch(anonymous, WRITE)),
    timed('page fault: copy on write after fork', beginChild, () => touch(anonymous, WRITE), endChild),
    timed(
      'page fault: shared page of a file',
      () => drop(file),
      () => touch(file, WRITE),
    ),
  ];
}

/** @param work a fault for each of `PAGES` pages */
function timed(name: string, before: () => void, work: () => void, after: () => void = () => {}): FaultTime {
  let ns = Number.POSITIVE_INFINITY;
  const grown: number[] = [];
  const reading: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    before();
    const used = heapUsed();
    const began = performance.now();
    work();
    const ended = performance.now();
    grown.push(heapUsed() - used);
    ns = Math.min(ns, ((ended - began) * 1e6) / PAGES);
    after();
    // To read how much is used takes some as well.
    reading.push(-heapUsed() + heapUsed());
  }
  return { name, ns, bytes: Math.max(0, median(grown) - median(reading)) / PAGES };
}

function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}
