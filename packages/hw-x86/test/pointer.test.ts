import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Access, type Cpu, dataCaches, FaultCode, mapPage, PAGE_SIZE, type Platform, Pointer, Translations } from '../src/index.js';
import { emptyTable, mapUser, platform, USER_RW } from './support.js';

/** Pages that the pointers lead to. All fall into one set of the first-level TLB, two into one place of the recent ones. */
const PAGES = Array.from({ length: 6 }, (_, i) => 0x5555_0000_0000 + i * 64 * PAGE_SIZE);
const ADDRESSES = PAGES.map((page, i) => page + 8 * i);

type Operation =
  | { readonly what: 'access'; readonly pointer: number; readonly cpu: number; readonly write: boolean; readonly times: number }
  | { readonly what: 'rights'; readonly cpu: number; readonly pkru: number }
  | { readonly what: 'space'; readonly cpu: number; readonly of: number; readonly keep: boolean }
  | { readonly what: 'remap'; readonly page: number; readonly readOnly: boolean }
  | { readonly what: 'invalidate'; readonly cpu: number; readonly page: number }
  | { readonly what: 'move'; readonly pointer: number; readonly to: number };

/** The second core comes seldom: a frame is a core's own until then. */
const cpu = fc.nat(15).map((n) => (n === 0 ? 1 : 0));
const page = fc.nat(PAGES.length - 1);
/** Only what is used several times in a row is at hand. */
const times = fc.integer({ min: 1, max: 5 });
const access = fc.record({ what: fc.constant('access' as const), pointer: page, cpu, write: fc.boolean(), times });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 12, arbitrary: access },
  fc.record({ what: fc.constant('rights' as const), cpu, pkru: fc.constantFrom(0, 0b01_00, 0b10_00) }),
  fc.record({ what: fc.constant('space' as const), cpu, of: fc.nat(1), keep: fc.boolean() }),
  fc.record({ what: fc.constant('remap' as const), page, readOnly: fc.boolean() }),
  fc.record({ what: fc.constant('invalidate' as const), cpu, page }),
  fc.record({ what: fc.constant('move' as const), pointer: page, to: page }),
);

/** An access step by step: what `Cpu.data` and `Pointer.data` cut short. */
function plainAccess(core: Cpu, address: number, access: number): number {
  const physical = core.mmu.translate(address, access);
  if (physical >= 0) core.coherence.touch(core, physical, (access & FaultCode.write) !== 0);
  return physical;
}

/** Two cores with two address spaces, and pointers that are used or not. */
class Side {
  readonly #platform: Platform;
  readonly #cpus: readonly Cpu[];
  readonly #roots: readonly number[];
  readonly #pointers = ADDRESSES.map((address) => new Pointer(address));
  readonly #addresses = [...ADDRESSES];
  readonly #withPointers: boolean;

  constructor(withPointers: boolean, caches: boolean) {
    this.#withPointers = withPointers;
    this.#platform = platform({ caches: caches ? dataCaches : null });
    this.#cpus = this.#platform.cpus.slice(0, 2);
    this.#roots = [emptyTable(this.#platform.memory), emptyTable(this.#platform.memory)];
    for (const root of this.#roots) for (const [i, at] of PAGES.entries()) mapUser(this.#platform.memory, root, at, USER_RW, i % 2);
    for (const core of this.#cpus) core.mmu.loadRoot(this.#roots[0] as number, 1, Translations.KEEP);
  }

  /** Carries it out. @returns all that can be seen of the outcome */
  do(operation: Operation): unknown {
    const { memory } = this.#platform;
    switch (operation.what) {
      case 'access': {
        const core = this.#cpus[operation.cpu] as Cpu;
        const how = operation.write ? Access.user | Access.write : Access.user;
        const pointer = this.#pointers[operation.pointer] as Pointer;
        const address = this.#addresses[operation.pointer] as number;
        let physical = -1;
        for (let i = 0; i < operation.times; i++) physical = this.#withPointers ? pointer.data(core, how) : plainAccess(core, address, how);
        const { mmu } = core;
        const fault = physical < 0 ? [mmu.faultAddress, mmu.faultCode] : null;
        return [physical, fault, core.clock, mmu.walks, mmu.stlbHits, core.linesMoved];
      }
      case 'rights':
        (this.#cpus[operation.cpu] as Cpu).mmu.pkru = operation.pkru;
        return null;
      case 'space':
        (this.#cpus[operation.cpu] as Cpu).mmu.loadRoot(this.#roots[operation.of] as number, 1 + operation.of, operation.keep);
        return null;
      case 'remap': {
        const flags = operation.readOnly ? USER_RW & ~2 : USER_RW;
        mapPage(memory, this.#roots[0] as number, PAGES[operation.page] as number, {
          frame: emptyTable(memory),
          flags,
          key: operation.page % 2,
        });
        return null;
      }
      case 'invalidate':
        (this.#cpus[operation.cpu] as Cpu).mmu.invlpg(PAGES[operation.page] as number);
        return null;
      case 'move': {
        const to = ADDRESSES[operation.to] as number;
        (this.#pointers[operation.pointer] as Pointer).address = to;
        this.#addresses[operation.pointer] = to;
        return null;
      }
    }
  }
}

describe('Pointer', () => {
  it.each([
    { what: 'a directory of lines', caches: false },
    { what: 'caches line by line', caches: true },
  ])(
    'gives what an access of its address gives, and costs the same, with $what: rights, stale translations, other cores, replacement',
    ({ caches }) => {
      fc.assert(
        fc.property(fc.array(operation, { maxLength: 150, size: 'max' }), (operations) => {
          const [plain, pointers] = [new Side(false, caches), new Side(true, caches)];
          for (const next of operations) expect([next, pointers.do(next)]).toEqual([next, plain.do(next)]);
        }),
        { numRuns: caches ? 15 : 60 },
      );
    },
  );

  it('is nowhere until it has an address', () => {
    const { cpus } = platform();
    expect(new Pointer().address).toBeNaN();
    const pointer = new Pointer();
    pointer.address = 0x1000;
    expect(pointer.data(cpus[0] as Cpu, Access.user)).toBe(-1);
  });

  describe('pays for its line again', () => {
    const AT = ADDRESSES[0] as number;

    /** Two cores that share the page, and a pointer for each; how many lines an access through one of them moves. */
    function pair(): { a: Cpu; b: Cpu; moved: (by: Cpu, write: boolean) => number } {
      const machine = platform();
      const [a, b] = machine.cpus as [Cpu, Cpu];
      const root = emptyTable(machine.memory);
      mapUser(machine.memory, root, AT);
      const pointers = new Map([a, b].map((core) => [core, new Pointer(AT)]));
      for (const core of [a, b]) core.mmu.loadRoot(root, 1, Translations.KEEP);
      const moved = (by: Cpu, write: boolean): number => {
        const before = by.linesMoved;
        pointers.get(by)?.data(by, write ? Access.user | Access.write : Access.user);
        return by.linesMoved - before;
      };
      return { a, b, moved };
    }

    it('when a second core comes to the frame and takes the line', () => {
      const { a, b, moved } = pair();
      expect([moved(a, true), moved(a, true), moved(b, true), moved(a, true), moved(a, true)]).toEqual([0, 0, 1, 1, 0]);
    });

    it('when the line was exclusive, and another core has read it: a write then takes it back', () => {
      const { a, b, moved } = pair();
      moved(a, true);
      moved(b, true);
      expect([moved(b, true), moved(a, false), moved(b, false), moved(b, true), moved(a, false)]).toEqual([0, 1, 0, 1, 1]);
    });

    it('when the line was shared, and another sharer has written it', () => {
      const { a, b, moved } = pair();
      moved(a, true);
      expect([moved(b, false), moved(a, false), moved(b, false)]).toEqual([1, 0, 0]);
      // Both pointers know that they may read.
      expect([moved(a, true), moved(b, false), moved(a, false)]).toEqual([1, 1, 0]);
    });

    it('when another core has cleared the frame', () => {
      const { a, b, moved } = pair();
      moved(a, true);
      moved(a, true);
      const frame = Math.floor(a.mmu.translate(AT, Access.user) / PAGE_SIZE);
      b.coherence.claim(b, frame);
      expect([moved(a, true), moved(a, true)]).toEqual([1, 0]);
    });
  });

  it('loses a right that PKRU takes: writes with write-disable, everything with access-disable', () => {
    const machine = platform();
    const core = machine.cpus[0] as Cpu;
    const root = emptyTable(machine.memory);
    mapUser(machine.memory, root, ADDRESSES[0] as number, USER_RW, 1);
    core.mmu.loadRoot(root, 1, Translations.KEEP);
    const pointer = new Pointer(ADDRESSES[0] as number);
    const write = Access.user | Access.write;
    const physical = pointer.data(core, write);
    expect([pointer.data(core, write), pointer.data(core, Access.user)]).toEqual([physical, physical]);
    core.mmu.pkru = 0b10_00;
    expect([pointer.data(core, write), pointer.data(core, Access.user), core.data(pointer.address, write)]).toEqual([-1, physical, -1]);
    core.mmu.pkru = 0b01_00;
    expect([pointer.data(core, write), pointer.data(core, Access.user)]).toEqual([-1, -1]);
    core.mmu.pkru = 0;
    expect(pointer.data(core, write)).toBe(physical);
  });
});
