import { Access, type Cpu, PAGE_SIZE, Platform, profiles } from '@rpal/hw-x86';
import { exitMm, forkMm, handleFault, MappedFile, MemoryFile, MemoryManager, type MmStruct, madvise, mmap } from '@rpal/mm';
import { Madvise, MapFlag, Prot } from '@rpal/uapi';
import { check } from '../outcome.js';
import { pageAddresses } from './heap.js';
import { Stopwatch, type Taken } from './stopwatch.js';

/** One kind of page fault, handled by the model. */
export interface FaultTime extends Taken {
  readonly name: string;
}

/** Runs of a measurement, and pages of a run: a million faults. */
export const FAULT_RUNS = 2000;
export const PAGES = 512;
const BYTES = PAGES * PAGE_SIZE;
/** Where a process has its heap and its mappings. */
const HEAP = 0x5555_5600_0000;
const MAPPINGS = 0x7fff_f600_0000;
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
  const anonymous = mmap(cpu, mm, HEAP, BYTES, rights, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
  const file = mmap(cpu, mm, MAPPINGS, BYTES, rights, MapFlag.SHARED, { object });

  const pages = { anonymous: pageAddresses(anonymous, PAGES, PAGE_SIZE), file: pageAddresses(file, PAGES, PAGE_SIZE) };

  const touch = (what: keyof typeof pages, access: number): void => {
    for (const address of pages[what]) {
      while (cpu.data(address, access) < 0) {
        check(handleFault(cpu, mm, address, cpu.mmu.faultCode) === 0, 'the access is not allowed');
      }
    }
  };
  const drop = (at: number): void => {
    madvise(cpu, mm, at, BYTES, Madvise.DONTNEED);
  };
  const beginChild = (): void => {
    drop(anonymous);
    touch('anonymous', WRITE);
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
    touch('anonymous', READ);
  };

  touch('file', WRITE);
  return [
    timed(
      'page fault: first write, a zeroed page',
      () => drop(anonymous),
      () => touch('anonymous', WRITE),
    ),
    timed(
      'page fault: first read, the zero page',
      () => drop(anonymous),
      () => touch('anonymous', READ),
    ),
    timed('page fault: copy on write of the zero page', readFirst, () => touch('anonymous', WRITE)),
    timed('page fault: copy on write after fork', beginChild, () => touch('anonymous', WRITE), endChild),
    timed(
      'page fault: shared page of a file',
      () => drop(file),
      () => touch('file', WRITE),
    ),
  ];
}

/** @param work a fault for each of `PAGES` pages */
function timed(name: string, before: () => void, work: () => void, after: () => void = () => {}): FaultTime {
  const watch = new Stopwatch(PAGES);
  for (let run = 0; run < FAULT_RUNS; run++) {
    before();
    watch.begin();
    work();
    watch.end();
    after();
  }
  return { name, ...watch.taken };
}
