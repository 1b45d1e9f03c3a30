// How long a translation takes on this computer, beside a plain loop over a typed array in the same run.
// Run after a build: node packages/hw-x86/bench/translation.mjs [--check]
// With --check the exit code is 1 if a translation that hits the TLB takes 15 ns or more on average, unless the computer is
// slow: below 40 times the plain loop it passes. Nor may a translation allocate, be it a hit or a walk.
import { Access, mapPage, PAGE_SIZE, Platform, Pte, profiles } from '@rpal/hw-x86';

const ROUNDS = 40;
const OPERATIONS = 100_000;
/** Nanoseconds; the same as a ratio to the plain loop, for computers of another speed. */
const BOUND = 15;
const RATIO_BOUND = 40;

const platform = new Platform({ profile: profiles[0] });
const { memory } = platform;
const { mmu } = platform.cpus[0];
const root = memory.allocate();
memory.fill(root * PAGE_SIZE, PAGE_SIZE);
const frame = memory.allocate();
// Where a process has its mappings. The array refers to its numbers, as it has held something else: to read one takes no new one.
const addresses = [''];
addresses.pop();
for (let i = 0; i < 4096; i++) addresses.push(0x7fff_e000_0000 + i * PAGE_SIZE);
for (const address of addresses) mapPage(memory, root, address, { frame, flags: Pte.user | Pte.writable });
mmu.loadRoot(root, 1, true);

/** Reads that go round through `pages` pages. */
function translate(pages) {
  let sum = 0;
  for (let i = 0; i < OPERATIONS; i++) sum += mmu.translate(addresses[i & (pages - 1)], Access.read | Access.user);
  return sum;
}

const words = new Int32Array(4096);

function plainLoop() {
  let sum = 0;
  for (let i = 0; i < OPERATIONS; i++) {
    sum += words[i & 4095];
    words[i & 4095] = sum & 255;
  }
  return sum;
}

const measured = [
  { name: 'plain loop: a load and a store of a typed array', work: plainLoop },
  { name: 'TLB hit, the same page again', work: () => translate(1) },
  { name: 'TLB hit, all 64 pages in turn', work: () => translate(64) },
  { name: 'second-level TLB hit', work: () => translate(1024) },
  { name: 'page walk', work: () => translate(4096) },
].map((one) => ({ ...one, ns: Number.POSITIVE_INFINITY }));

let sink = 0;
for (let round = 0; round < ROUNDS; round++) {
  for (const one of measured) {
    const start = performance.now();
    sink += one.work();
    // The least of several measurements: other work on the computer can only raise them.
    one.ns = Math.min(one.ns, ((performance.now() - start) * 1e6) / OPERATIONS);
  }
}
if (Number.isNaN(sink)) throw new Error('the sum keeps the loops from being left out');

const [plain, , hit] = measured;
for (const { name, ns } of measured) {
  console.log(`${name.padEnd(50)} ${ns.toFixed(2).padStart(8)} ns ${(ns / plain.ns).toFixed(1).padStart(8)} x`);
}

// What a million translations allocate: nothing, so the heap does not grow.
let allocates = false;
for (const { name, work } of measured.slice(1)) {
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 10; i++) sink += work();
  const bytes = Math.max(0, process.memoryUsage().heapUsed - before) / (10 * OPERATIONS);
  console.log(`${`heap: ${name}`.padEnd(50)} ${bytes.toFixed(2).padStart(8)} bytes`);
  allocates ||= bytes >= 1;
}

const slow = hit.ns >= BOUND && hit.ns / plain.ns >= RATIO_BOUND;
if (slow) console.log(`a TLB hit takes ${BOUND} ns or more, and ${RATIO_BOUND} times a plain loop or more`);
if (allocates) console.log('a translation allocates');
process.exitCode = (slow || allocates) && process.argv.includes('--check') ? 1 : 0;
