import type { Experiment, PublishedFigure } from '@rpal/compare';
import { defaultProfile, GIB, LARGE_PAGE_SIZE, PAGE_SIZE, Platform } from '@rpal/hw-x86';
import { MappedFile, MemoryFile, MemoryManager, mmap, populateRange } from '@rpal/mm';
import { Region } from '@rpal/mshare';
import { MapFlag, Prot } from '@rpal/uapi';
import { check } from '../../outcome.js';

const POSTING = 'K. Aziz, mshare, linux-mm, 24 January 2022: a database of 300 GB and 1500 clients ran a machine of 512 GB out of memory';
const DERIVED = `arithmetic on ${POSTING}`;
const BYTES = 300 * GIB;
const CLIENTS = 1500;
/** Memory that is left beside the shared area. */
const LEFT = 212 * GIB;
/** A border of 512 GiB: one table of the second level from the top. */
const AT = 0x100_0000_0000;
/** Tables above the last level: one for each GiB, and one above them. */
const UPPER = (BYTES / GIB + 1) * PAGE_SIZE;
/** Its sum is exact: no price is in it. */
const EXACT = 0.001;

const row = { kind: 'figure', within: EXACT, source: DERIVED, status: 'derived' } as const;
const published: readonly PublishedFigure[] = [
  { ...row, id: 'MSH-2', what: 'last-level tables of 1500 processes', unit: 'GiB', value: 878.9 },
  { ...row, id: 'MSH-3', what: 'last-level tables of a process', unit: 'GiB', value: 0.586 },
  { ...row, id: 'MSH-4', what: 'MSH-2 with the tables above', unit: 'GiB', value: 880.6 },
  { ...row, id: 'MSH-5', what: 'processes whose tables fill the 212 GiB left', unit: 'processes', value: 362 },
  { ...row, id: 'MSH-6', what: 'sharers whose tables are as large as the pages', unit: 'processes', value: 512 },
  { ...row, id: 'MSH-7', what: '1500 processes with pages of 2 MiB', unit: 'GiB', value: 1.72, within: 0.01 },
  { ...row, id: 'MSH-8', what: 'shared by mshare: tables of all', unit: 'GiB', value: 0.586 },
];

/** Memory that page tables take, with and without mshare. */
export const mshare: Experiment = {
  name: 'mshare',
  title: 'page tables of an area of 300 GiB that 1500 processes share (MSH)',
  published,
  misses: {},
  left: [
    'MSH-1, that such a machine ran out of memory: a sentence, of which MSH-5 is the figure',
    'what mshare costs in time: nobody has published it',
    'MSH-7 with transparent pages of 2 MiB, less the table that Linux keeps in reserve for each: the model has no hugetlbfs',
    'MSH-2 to MSH-7 are those of one process on the machine, times as many: each has its own tables, as the tests of @rpal/mshare build 1500 times',
  ],
  run() {
    const small = tablesOfPages();
    const lastLevel = small - UPPER;
    return {
      findings: [
        { id: 'MSH-2', here: (CLIENTS * lastLevel) / GIB },
        { id: 'MSH-3', here: lastLevel / GIB },
        { id: 'MSH-4', here: (CLIENTS * small) / GIB },
        { id: 'MSH-5', here: Math.ceil(LEFT / lastLevel) },
        { id: 'MSH-6', here: BYTES / lastLevel },
        { id: 'MSH-7', here: (CLIENTS * tablesOfLargePages()) / GIB },
        { id: 'MSH-8', here: sharedTables() / GIB },
      ],
    };
  },
};

function machine(hugePages: 'never' | 'always') {
  const profile = { ...defaultProfile, topology: { ...defaultProfile.topology, memoryPerSocket: 1024 } };
  const platform = new Platform({ profile });
  const manager = new MemoryManager(platform, { hugePages });
  return { manager, cpu: platform.cpus[0] as (typeof platform.cpus)[number] };
}

/** Bytes of page tables of a process that has touched all of the area. */
function tablesOfPages(): number {
  const { manager, cpu } = machine('never');
  const mm = manager.create(cpu);
  const empty = mm.pageTableBytes;
  const file = new MemoryFile(manager, 'database');
  file.truncate(cpu, BYTES);
  mmap(cpu, mm, AT, BYTES, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.FIXED, { object: new MappedFile(file) });
  populateRange(cpu, mm, AT, AT + BYTES);
  return mm.pageTableBytes - empty;
}

/** The same with pages of 2 MiB: a GiB, which has one table of them, for each. */
function tablesOfLargePages(): number {
  const { manager, cpu } = machine('always');
  const mm = manager.create(cpu);
  const empty = mm.pageTableBytes;
  mmap(cpu, mm, AT, GIB, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.FIXED);
  // The table of a GiB is there with its first page, and the model's memory would not hold all of them.
  populateRange(cpu, mm, AT, AT + LARGE_PAGE_SIZE);
  // A transparent page has a last-level table in reserve, which those of hugetlbfs, as databases use them, have not.
  const [above, reserve] = [PAGE_SIZE, PAGE_SIZE];
  return (BYTES / GIB) * (mm.pageTableBytes - empty - above - reserve) + above;
}

/** Bytes of the last-level tables that all sharers have together. */
function sharedTables(): number {
  const { manager, cpu } = machine('never');
  const region = new Region(manager, cpu, 'database', AT, BYTES);
  const tables = region.populate(cpu);
  const before = manager.create(cpu).pageTableBytes;
  const sharers = Array.from({ length: CLIENTS }, () => manager.create(cpu));
  for (const mm of sharers) check(region.attach(cpu, mm, true) === AT, 'a process could not attach the area');
  const own = sharers.reduce((sum, mm) => sum + mm.pageTableBytes - before, 0);
  return tables - UPPER + own;
}
