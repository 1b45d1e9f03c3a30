// How long a page fault takes on this computer, beside a plain loop over a typed array in the same run, and what it allocates.
// Run after a build: node packages/mm/bench/page-fault.mjs [--check]
// With --check the exit code is 1 if a fault allocates, or takes 2 us or more on average; on a slow computer, 2,000 times a
// step of the plain loop or more.
import { Access, PAGE_SIZE, Platform, profiles } from '@rpal/hw-x86';
import { exitMm, forkMm, handleFault, MappedFile, MemoryFile, MemoryManager, madvise, mmap } from '@rpal/mm';
import { Madvise, MapFlag, Prot } from '@rpal/uapi';

/** A million faults of each kind. */
const ROUNDS = 245;
const PAGES = 4096;
const LOOP = 200_000;
/** Nanoseconds; the same as a ratio to the plain loop, for computers of another speed. */
const BOUND = 2000;
const RATIO_BOUND = 2000;
/** Bytes of the host's heap per fault: less than any object takes. */
const BYTES_BOUND = 1;

const platform = new Platform({ profile: profiles[0] });
const manager = new MemoryManager(platform);
const [cpu] = platform.cpus;
const parent = manager.create(cpu);
let mm = parent;
mm.activate(cpu);
const RW = Prot.READ | Prot.WRITE;
const BYTES = PAGES * PAGE_SIZE;
// Where a process has its heap and its mappings. V8 puts numbers of more than 31 bits on its heap when one function passes them
// to another that it has not compiled in, unless they are there already: so the model passes addresses on as they came.
const HEAP = 0x5555_5600_0000;
const MAPPINGS = 0x7fff_e000_0000;
const anonymous = mmap(cpu, mm, HEAP, BYTES, RW, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
const object = new MappedFile(new MemoryFile(manager, 'file'));
object.file.truncate(cpu, BYTES);
const shared = mmap(cpu, mm, MAPPINGS, BYTES, RW, MapFlag.SHARED, { object });
const privately = mmap(cpu, mm, MAPPINGS + 2 * BYTES, BYTES, RW, MapFlag.PRIVATE, { object });

const READ = Access.user;
const WRITE = Access.user | Access.write;

/** The addresses of an area's pages. The array refers to its numbers, as it has held something else: to read one takes no new one. */
function pagesOf(start) {
  const addresses = [''];
  addresses.pop();
  for (let page = 0; page < PAGES; page++) addresses.push(start + page * PAGE_SIZE);
  return addresses;
}

const pages = new Map([anonymous, shared, privately].map((start) => [start, pagesOf(start)]));

/** Touches every page, or every so many: a miss in the TLB, a walk, the fault, and the access again. */
function touch(at, access, step = 1) {
  const addresses = pages.get(at);
  let sum = 0;
  for (let i = 0; i < PAGES; i += step) {
    const address = addresses[i];
    while (cpu.data(address, access) < 0) sum += handleFault(cpu, mm, address, cpu.mmu.faultCode, false);
  }
  return sum;
}

const drop = (at) => madvise(cpu, mm, at, BYTES, Madvise.DONTNEED);

function beginChild() {
  const sum = drop(anonymous) + touch(anonymous, WRITE);
  mm = forkMm(cpu, parent);
  mm.activate(cpu);
  return sum;
}

function endChild() {
  const child = mm;
  mm = parent;
  mm.activate(cpu);
  exitMm(cpu, child);
}

const words = new Int32Array(4096);

function plainLoop() {
  let sum = 0;
  for (let i = 0; i < LOOP; i++) {
    sum += words[i & 4095];
    words[i & 4095] = sum & 255;
  }
  return sum;
}

const none = () => 0;
// The pages of the file exist from here on.
touch(shared, WRITE);
const measured = [
  { name: 'plain loop: a load and a store of a typed array', before: none, work: plainLoop, operations: LOOP },
  { name: 'minor: first write, a zeroed page', before: () => drop(anonymous), work: () => touch(anonymous, WRITE) },
  { name: 'first read: the zero page', before: () => drop(anonymous), work: () => touch(anonymous, READ) },
  {
    name: 'copy on write of the zero page',
    before: () => drop(anonymous) + touch(anonymous, READ),
    work: () => touch(anonymous, WRITE),
  },
  { name: 'copy on write after fork', before: beginChild, work: () => touch(anonymous, WRITE), after: endChild },
  { name: 'file, shared: write', before: () => drop(shared), work: () => touch(shared, WRITE) },
  {
    name: 'file, shared: read, maps 16 pages',
    before: () => drop(shared),
    work: () => touch(shared, READ, 16),
    operations: PAGES / 16,
  },
  { name: 'file, private: write, a copy', before: () => drop(privately), work: () => touch(privately, WRITE) },
].map((one) => ({ operations: PAGES, after: none, ...one, ns: Number.POSITIVE_INFINITY, grown: [] }));

const heap = () => process.memoryUsage().heapUsed;
let sink = heap();
for (let round = 0; round < ROUNDS; round++) {
  for (const one of measured) {
    sink += one.before();
    const used = heap();
    // The least of many measurements: other work on the computer can only raise them.
    const start = performance.now();
    sink += one.work();
    one.ns = Math.min(one.ns, ((performance.now() - start) * 1e6) / one.operations);
    one.grown.push(heap() - used);
    one.after();
  }
}
if (Number.isNaN(sink)) throw new Error('the sum keeps the loops from being left out');

const [plain, ...faults] = measured;
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];
// What the measuring itself takes is in all of them: the plain loop allocates nothing.
const measuring = median(plain.grown);
for (const one of measured) one.bytes = (median(one.grown) - measuring) / one.operations;

console.log(`${'a million faults of each kind'.padEnd(50)}    time each    plain = 1   heap each`);
for (const { name, ns, bytes } of measured) {
  console.log(
    `${name.padEnd(50)} ${ns.toFixed(1).padStart(9)} ns ${(ns / plain.ns).toFixed(1).padStart(10)} x ${bytes.toFixed(3).padStart(9)} B`,
  );
}
let missed = false;
for (const { name, ns, bytes } of faults) {
  if (ns >= BOUND && ns / plain.ns >= RATIO_BOUND) {
    console.log(`${name}: a fault takes ${BOUND} ns or more, and ${RATIO_BOUND} times a plain step or more`);
    missed = true;
  }
  if (bytes >= BYTES_BOUND) {
    console.log(`${name}: a fault allocates`);
    missed = true;
  }
}
process.exitCode = missed && process.argv.includes('--check') ? 1 : 0;
