// How long a page fault takes on this computer, beside a plain loop over a typed array in the same run.
// Run after a build: node packages/mm/bench/page-fault.mjs [--check]
// With --check the exit code is 1 if a fault takes 2 us or more on average, unless the computer is slow: below 2,000 times a
// step of the plain loop it passes.
import { Access, PAGE_SIZE, Platform, profiles } from '@rpal/hw-x86';
import { handleFault, MemoryManager, madvise, mmap } from '@rpal/mm';
import { Madvise, MapFlag, Prot } from '@rpal/uapi';

const ROUNDS = 15;
const PAGES = 4096;
const LOOP = 200_000;
/** Nanoseconds; the same as a ratio to the plain loop, for computers of another speed. */
const BOUND = 2000;
const RATIO_BOUND = 2000;

const platform = new Platform({ profile: profiles[0] });
const manager = new MemoryManager(platform);
const [cpu] = platform.cpus;
const mm = manager.create(cpu);
mm.activate(cpu);
const at = mmap(cpu, mm, 0, PAGES * PAGE_SIZE, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);

/** Touches every page: a miss in the TLB, a walk, the fault, and the access again. */
function touch(access) {
  let sum = 0;
  for (let address = at; address < at + PAGES * PAGE_SIZE; address += PAGE_SIZE) {
    while (cpu.data(address, access) < 0) sum += handleFault(cpu, mm, address, cpu.mmu.faultCode, false);
  }
  return sum;
}

const drop = () => madvise(cpu, mm, at, PAGES * PAGE_SIZE, Madvise.DONTNEED);
const words = new Int32Array(4096);

function plainLoop() {
  let sum = 0;
  for (let i = 0; i < LOOP; i++) {
    sum += words[i & 4095];
    words[i & 4095] = sum & 255;
  }
  return sum;
}

const measured = [
  { name: 'plain loop: a load and a store of a typed array', before: () => 0, work: plainLoop, operations: LOOP },
  { name: 'first write: a zeroed page', before: drop, work: () => touch(Access.user | Access.write), operations: PAGES },
  { name: 'first read: the zero page', before: drop, work: () => touch(Access.user), operations: PAGES },
  {
    name: 'write after read: copy on write',
    before: () => drop() + touch(Access.user),
    work: () => touch(Access.user | Access.write),
    operations: PAGES,
  },
].map((one) => ({ ...one, ns: Number.POSITIVE_INFINITY }));

let sink = 0;
for (let round = 0; round < ROUNDS; round++) {
  for (const one of measured) {
    sink += one.before();
    // CPU time, not time: other work on the computer does not count.
    const start = process.cpuUsage().user;
    sink += one.work();
    one.ns = Math.min(one.ns, ((process.cpuUsage().user - start) * 1000) / one.operations);
  }
}
if (Number.isNaN(sink)) throw new Error('the sum keeps the loops from being left out');

const [plain, ...faults] = measured;
for (const { name, ns } of measured) {
  console.log(`${name.padEnd(50)} ${ns.toFixed(2).padStart(8)} ns ${(ns / plain.ns).toFixed(1).padStart(8)} x`);
}
const missed = faults.filter(({ ns }) => ns >= BOUND && ns / plain.ns >= RATIO_BOUND);
for (const { name } of missed) console.log(`${name}: a fault takes ${BOUND} ns or more, and ${RATIO_BOUND} times a plain step or more`);
process.exitCode = missed.length > 0 && process.argv.includes('--check') ? 1 : 0;
