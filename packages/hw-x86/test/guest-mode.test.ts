import { describe, expect, it } from 'vitest';
import {
  Access,
  type Cpu,
  Ept,
  entryAddress,
  GIB,
  GuestMode,
  HwStep,
  type Hypervisor,
  LARGE_PAGE_SIZE,
  PAGE_SIZE,
  type PhysicalMemory,
  SecondLevelTables,
} from '../src/index.js';
import { bareCpu, MILAN, mapUser, USER_RW, XEON } from './support.js';

const READ = Access.read | Access.user;
const WRITE = Access.write | Access.user;

/** A guest with an identity view of the first GiB, and one without the frame behind 0x5000. */
function guest(hypervisor: Hypervisor = {}): { cpu: Cpu; memory: PhysicalMemory; root: number; frame: number; hidden: SecondLevelTables } {
  const { cpu, memory, root } = bareCpu();
  const frame = mapUser(memory, root, 0x5000);
  const open = new SecondLevelTables(memory);
  open.mapIdentity(GIB);
  const hidden = new SecondLevelTables(memory);
  hidden.mapIdentity(GIB);
  hidden.protect(frame * PAGE_SIZE, 0);
  GuestMode.of(cpu).enter(hypervisor, [open, hidden]);
  return { cpu, memory, root, frame, hidden };
}

describe('second-level tables', () => {
  it('give the guest other frames than its own tables name', () => {
    const { cpu, memory, root } = bareCpu();
    const frame = mapUser(memory, root, 0x5000);
    const view = new SecondLevelTables(memory);
    view.mapIdentity(GIB);
    const elsewhere = memory.allocate();
    view.map(frame * PAGE_SIZE, elsewhere * PAGE_SIZE, Ept.all);
    GuestMode.of(cpu).enter({}, [view]);
    expect(cpu.mmu.translate(0x5123, READ)).toBe(elsewhere * PAGE_SIZE + 0x123);
    GuestMode.of(cpu).leave();
    expect(cpu.mmu.translate(0x5123, READ)).toBe(frame * PAGE_SIZE + 0x123);
  });

  it('hide a page: without a hypervisor that resolves it, the guest gets #PF on a present page', () => {
    const { cpu } = guest();
    GuestMode.of(cpu).vmfunc(1);
    expect(cpu.mmu.translate(0x5000, WRITE)).toBe(-1);
    expect([cpu.mmu.faultAddress, cpu.mmu.faultCode]).toEqual([0x5000, 7]);
    expect(GuestMode.of(cpu).exits).toBe(1);
  });

  it('can withhold writing and executing alone', () => {
    const { cpu, hidden, frame } = guest();
    hidden.protect(frame * PAGE_SIZE, Ept.read);
    GuestMode.of(cpu).vmfunc(1);
    expect(cpu.mmu.translate(0x5000, READ)).toBe(frame * PAGE_SIZE);
    expect(cpu.mmu.translate(0x5000, WRITE)).toBe(-1);
    expect(cpu.mmu.translate(0x5000, Access.fetch | Access.user)).toBe(-1);
    expect(GuestMode.of(cpu).exits).toBe(2);
  });

  it('cannot grant what the guest withholds: that is a plain #PF, and no exit', () => {
    const { cpu, memory, root } = guest();
    mapUser(memory, root, 0x6000, 0);
    expect(cpu.mmu.translate(0x6000, READ)).toBe(-1);
    expect([cpu.mmu.faultCode, GuestMode.of(cpu).exits]).toEqual([5, 0]);
  });

  it('hold for the walker too: a guest whose page table is hidden or cannot be marked exits', () => {
    const { cpu, memory, root, hidden } = guest();
    const entry = entryAddress(root, 0x5000, 4);
    const level3 = memory.read32(entry) & ~0xfff;
    hidden.protect(level3, 0);
    GuestMode.of(cpu).vmfunc(1);
    cpu.mmu.translate(0x5000, READ);
    expect(GuestMode.of(cpu).exits).toBe(1);
    hidden.protect(level3, Ept.read);
    GuestMode.of(cpu).invept();
    cpu.mmu.translate(0x5000, READ);
    expect(GuestMode.of(cpu).exits).toBe(2);
  });

  it('split a large page when part of it gets other rights, and keep the rest', () => {
    const { cpu, memory, root, frame } = guest();
    const neighbour = mapUser(memory, root, 0x6000);
    GuestMode.of(cpu).vmfunc(1);
    expect(cpu.mmu.translate(0x6000, WRITE)).toBe(neighbour * PAGE_SIZE);
    expect(neighbour).not.toBe(frame);
    expect(cpu.mmu.translate(0x5000, READ)).toBe(-1);
  });

  it('make pages that can be executed and not read, whatever the guest has done with them before', () => {
    const { cpu, memory, root, frame } = guest();
    const code = new SecondLevelTables(memory);
    code.mapIdentity(GIB);
    code.protect(frame * PAGE_SIZE, Ept.execute);
    GuestMode.of(cpu).enter({}, [code]);
    const fetch = Access.fetch | Access.user;
    for (let i = 0; i < 2; i++) {
      expect(cpu.mmu.translate(0x5010, fetch)).toBe(frame * PAGE_SIZE + 0x10);
      expect(cpu.mmu.translate(0x5010, READ)).toBe(-1);
      expect(cpu.mmu.translate(0x5010, WRITE)).toBe(-1);
    }
    // The next fetch is a hit: what was denied took nothing away from it but its own walk.
    cpu.mmu.translate(0x5010, fetch);
    const { walks } = cpu.mmu;
    expect(cpu.mmu.translate(0x5020, fetch)).toBe(frame * PAGE_SIZE + 0x20);
    expect(cpu.mmu.walks).toBe(walks);
    // A table of the guest that cannot be read ends its walks.
    mapUser(memory, root, 0x4000_0000);
    const level3 = entryAddress(root, 0x4000_0000, 4);
    code.protect((memory.read32(level3) >>> 12) * PAGE_SIZE, Ept.execute);
    cpu.mmu.invept();
    GuestMode.of(cpu).enter({}, [code]);
    expect(cpu.mmu.translate(0x4000_0000, READ)).toBe(-1);
  });

  it('refuse what no entry can hold, naming the argument', () => {
    const { memory } = bareCpu();
    const view = new SecondLevelTables(memory);
    expect(() => view.map(1, 0, Ept.all)).toThrow('guest: 1 is not a multiple of 4096');
    expect(() => view.map(0, PAGE_SIZE, Ept.all, LARGE_PAGE_SIZE)).toThrow('host: 4096 is not a multiple of 2097152');
    expect(() => view.map(0, 0, Ept.write)).toThrow('rights: 2 is not 0, read, execute, read|write, read|execute or all');
    expect(() => view.mapIdentity(4096)).toThrow('bytes: 4096 is not a multiple of 1 GiB');
  });
});

describe('VMFUNC', () => {
  it('selects a view without an exit, at its price', () => {
    const { cpu } = guest();
    const before = cpu.clock;
    GuestMode.of(cpu).vmfunc(1);
    expect(cpu.clock - before).toBe(cpu.costs.step[HwStep.vmfunc]);
    expect([GuestMode.of(cpu).view, GuestMode.of(cpu).exits]).toEqual([1, 0]);
  });

  it('flushes nothing: each view has its own translations, still there when the guest comes back', () => {
    const { cpu, frame } = guest();
    cpu.mmu.translate(0x5000, READ);
    const { walks } = cpu.mmu;
    GuestMode.of(cpu).vmfunc(1);
    expect(cpu.mmu.translate(0x5000, READ)).toBe(-1);
    GuestMode.of(cpu).vmfunc(0);
    expect(cpu.mmu.translate(0x5000, READ)).toBe(frame * PAGE_SIZE);
    // One walk, for the denied access alone.
    expect(cpu.mmu.walks - walks).toBe(1);
  });

  it('selects per core', () => {
    const { cpu, memory, root, platform } = bareCpu();
    mapUser(memory, root, 0x5000);
    const views = [0, 1].map(() => {
      const view = new SecondLevelTables(memory);
      view.mapIdentity(GIB);
      return view;
    });
    const other = platform.cpus[1] as Cpu;
    for (const one of [cpu, other]) GuestMode.of(one).enter({}, views);
    GuestMode.of(cpu).vmfunc(1);
    expect([GuestMode.of(cpu).view, GuestMode.of(other).view]).toEqual([1, 0]);
  });

  it('is told apart for more views than the TLB has tags, by dropping the oldest', () => {
    const { cpu, memory, root } = bareCpu();
    const frame = mapUser(memory, root, 0x5000);
    const elsewhere = Array.from({ length: 40 }, () => memory.allocate());
    const views = elsewhere.map((host) => {
      const view = new SecondLevelTables(memory);
      view.mapIdentity(GIB);
      view.map(frame * PAGE_SIZE, host * PAGE_SIZE, Ept.all);
      return view;
    });
    GuestMode.of(cpu).enter({}, views);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < views.length; i++) {
        GuestMode.of(cpu).vmfunc(i);
        expect(cpu.mmu.translate(0x5000, READ)).toBe((elsewhere[i] as number) * PAGE_SIZE);
      }
    }
  });

  it('exits for an index that is not on the list', () => {
    const seen: number[] = [];
    const { cpu } = guest({ invalidView: (_, index) => seen.push(index) });
    GuestMode.of(cpu).vmfunc(7);
    expect([seen, GuestMode.of(cpu).view, GuestMode.of(cpu).exits]).toEqual([[7], 0, 1]);
    expect(() => GuestMode.of(guest().cpu).vmfunc(7)).toThrow('index: VMFUNC to view 7, but the list has 2');
  });

  it('is #UD outside a guest, and on AMD', () => {
    expect(() => GuestMode.of(bareCpu().cpu).vmfunc(0)).toThrow('VMFUNC outside of a guest: #UD');
    expect(() => GuestMode.of(bareCpu({ profile: MILAN }).cpu).vmfunc(0)).toThrow('VMFUNC on epyc-7713, which does not have it: #UD');
  });
});

describe('another list', () => {
  /** A guest on a list of one open view, and a second list on which the frame behind 0x5000 is hidden. */
  function twoLists() {
    const { cpu, memory, root } = bareCpu();
    const frame = mapUser(memory, root, 0x5000);
    const [open, hidden] = [0, 1].map(() => new SecondLevelTables(memory)) as [SecondLevelTables, SecondLevelTables];
    for (const tables of [open, hidden]) tables.mapIdentity(GIB);
    hidden.protect(frame * PAGE_SIZE, 0);
    GuestMode.of(cpu).enter({}, [open]);
    return { cpu, memory, frame, open, hidden };
  }

  it('is in force at once, and the first finds its translations when it comes back', () => {
    const { cpu, frame, open, hidden } = twoLists();
    cpu.mmu.translate(0x5000, READ);
    const { walks } = cpu.mmu;
    const { clock } = cpu;
    GuestMode.of(cpu).install([hidden]);
    expect(cpu.clock).toBe(clock);
    expect(cpu.mmu.translate(0x5000, READ)).toBe(-1);
    GuestMode.of(cpu).install([hidden, open], 1);
    expect(cpu.mmu.translate(0x5000, READ)).toBe(frame * PAGE_SIZE);
    expect(cpu.mmu.walks).toBe(walks + 1);
  });

  it('must have the view that is to be used, and fit a page', () => {
    const { cpu, open } = twoLists();
    expect(() => GuestMode.of(cpu).install([open], 1)).toThrow('index: there is no view 1 among 1');
    expect(() => GuestMode.of(cpu).install(Array(513).fill(open))).toThrow('views: 513 do not fit a list of 512');
  });

  it('can be changed behind the back of cores that are elsewhere: INVEPT by tables', () => {
    const { cpu, frame, open, hidden } = twoLists();
    expect(GuestMode.of(cpu).inveptTables(hidden)).toBe(false);
    cpu.mmu.translate(0x5000, READ);
    GuestMode.of(cpu).install([hidden]);
    open.protect(frame * PAGE_SIZE, 0);
    expect(GuestMode.of(cpu).inveptTables(open)).toBe(true);
    GuestMode.of(cpu).install([open]);
    expect(cpu.mmu.translate(0x5000, READ)).toBe(-1);
  });

  it('lets tables go that are on no list: their frames, tag and translations are free for others', () => {
    const { cpu, memory, frame, open } = twoLists();
    expect(() => GuestMode.of(cpu).forget(open)).toThrow('they are on the list of the core; install another list before');
    const used = memory.framesInUse;
    for (let round = 0; round < 40; round++) {
      const elsewhere = memory.allocate();
      const tables = new SecondLevelTables(memory);
      tables.mapIdentity(GIB);
      tables.map(frame * PAGE_SIZE, elsewhere * PAGE_SIZE, Ept.all);
      GuestMode.of(cpu).install([tables]);
      expect(cpu.mmu.translate(0x5000, READ)).toBe(elsewhere * PAGE_SIZE);
      GuestMode.of(cpu).install([open]);
      GuestMode.of(cpu).forget(tables);
      tables.free();
      memory.free(elsewhere);
    }
    expect(memory.framesInUse).toBe(used);
    expect(cpu.mmu.translate(0x5000, READ)).toBe(frame * PAGE_SIZE);
  });
});

describe('VM exits', () => {
  it('VMCALL passes number and argument, and costs exit and entry', () => {
    const { cpu } = guest({ call: (_, number, argument) => number * 100 + argument });
    const before = cpu.clock;
    expect(GuestMode.of(cpu).vmcall(3, 7)).toBe(307);
    expect(cpu.clock - before).toBe(cpu.costs.step[HwStep.vmExit]);
    expect(() => GuestMode.of(guest().cpu).vmcall(3)).toThrow('VMCALL without a hypervisor that takes calls: #UD');
  });

  it('a violation that the hypervisor resolves is repeated by the guest, which notices nothing but the time', () => {
    const { cpu, frame, hidden } = guest({
      violation(on, { guestPhysical, access }) {
        expect([guestPhysical, access & Access.write]).toEqual([frame * PAGE_SIZE + 8, Access.write]);
        hidden.protect(frame * PAGE_SIZE, Ept.all);
        GuestMode.of(on).invept(1);
        return true;
      },
    });
    GuestMode.of(cpu).vmfunc(1);
    const before = cpu.clock;
    expect(cpu.mmu.translate(0x5008, WRITE)).toBe(frame * PAGE_SIZE + 8);
    expect(cpu.clock - before).toBeGreaterThan(cpu.costs.step[HwStep.vmExit] as number);
    expect(GuestMode.of(cpu).exits).toBe(1);
  });
});

describe('a guest above a host with an address space of its own', () => {
  /** A host with a page at 0x5000, and a guest whose page at 0x5000 is another one, mapped on demand. */
  function hosted() {
    const { cpu, memory, root: hostRoot, platform } = bareCpu();
    const hostFrame = mapUser(memory, hostRoot, 0x5000);
    const root = memory.allocate();
    memory.fill(root * PAGE_SIZE, PAGE_SIZE);
    const frame = mapUser(memory, root, 0x5000);
    const tables = new SecondLevelTables(memory);
    const seen: { root: number; guestPhysical: number; write: boolean }[] = [];
    const hypervisor: Hypervisor = {
      violation({ mmu }, { guestPhysical, access }) {
        seen.push({ root: mmu.root, guestPhysical, write: (access & Access.write) !== 0 });
        const page = guestPhysical - (guestPhysical & (PAGE_SIZE - 1));
        tables.map(page, page, (access & Access.write) !== 0 ? Ept.all : Ept.read);
        return true;
      },
    };
    const guest = GuestMode.of(cpu);
    return { cpu, memory, platform, guest, hypervisor, tables, hostRoot, hostFrame, root, frame, seen };
  }

  it('is entered and left without a flush, each in its address space, at the price of one exit', () => {
    const { cpu, guest, hypervisor, tables, hostRoot, hostFrame, root, frame } = hosted();
    for (let round = 0; round < 2; round++) {
      expect(cpu.mmu.translate(0x5000, READ)).toBe(hostFrame * PAGE_SIZE);
      const { clock } = cpu;
      guest.resume(hypervisor, tables, root, 3);
      expect([cpu.clock - clock, guest.active, cpu.mmu.root, cpu.mmu.pcid]).toEqual([0, true, root, 3]);
      expect(cpu.mmu.translate(0x5000, READ)).toBe(frame * PAGE_SIZE);
      const before = cpu.clock;
      guest.suspend();
      expect(cpu.clock - before).toBe(cpu.costs.step[HwStep.vmExit]);
      expect([guest.active, cpu.mmu.root, cpu.mmu.pcid]).toEqual([false, hostRoot, 1]);
    }
    // Both still have their translations.
    const { walks } = cpu.mmu;
    guest.resume(hypervisor, tables, root, 3);
    cpu.mmu.translate(0x5000, READ);
    guest.suspend();
    cpu.mmu.translate(0x5000, READ);
    expect(cpu.mmu.walks).toBe(walks);
  });

  it('has its violations served in the address space of the host, and those of the walker that marks entries are writes', () => {
    const { cpu, guest, hypervisor, tables, hostRoot, root, seen } = hosted();
    guest.resume(hypervisor, tables, root, 3);
    cpu.mmu.translate(0x5000, READ);
    expect(seen.every((one) => one.root === hostRoot)).toBe(true);
    expect([cpu.mmu.root, cpu.mmu.pcid, guest.active]).toEqual([root, 3, true]);
    // Four tables, each read and then marked; the page is only read.
    expect(seen.map(({ write }) => write)).toEqual([false, true, false, true, false, true, false, true, false]);
  });

  it('loses what the host takes back, once the core has executed INVEPT', () => {
    const { cpu, guest, hypervisor, tables, root, frame, seen } = hosted();
    guest.resume(hypervisor, tables, root, 3);
    cpu.mmu.translate(0x5000, READ);
    guest.suspend();
    const { length } = seen;
    const page = frame * PAGE_SIZE;
    expect(tables.clear(page + 64 * PAGE_SIZE, page + 65 * PAGE_SIZE)).toBe(false);
    expect(tables.clear(page, page + PAGE_SIZE)).toBe(true);
    expect(tables.clear(page, page + PAGE_SIZE)).toBe(false);
    guest.inveptTables(tables);
    guest.resume(hypervisor, tables, root, 3);
    expect(cpu.mmu.translate(0x5000, READ)).toBe(page);
    expect(seen.slice(length)).toMatchObject([{ guestPhysical: page, write: false }]);
    guest.suspend();
    expect(tables.clear(0, Number.POSITIVE_INFINITY)).toBe(true);
    guest.forget(tables);
    const used = cpu.memory.framesInUse;
    tables.free();
    expect(cpu.memory.framesInUse).toBe(used - 4);
  });
});

describe('a stale second-level translation', () => {
  it('stays in use until INVEPT', () => {
    const { cpu, hidden, frame } = guest();
    hidden.protect(frame * PAGE_SIZE, Ept.all);
    GuestMode.of(cpu).vmfunc(1);
    cpu.mmu.translate(0x5000, READ);
    hidden.protect(frame * PAGE_SIZE, 0);
    expect(cpu.mmu.translate(0x5000, READ)).toBe(frame * PAGE_SIZE);
    GuestMode.of(cpu).invept(1);
    expect(cpu.mmu.translate(0x5000, READ)).toBe(-1);
  });

  it('is dropped by INVLPG of the guest in all views', () => {
    const { cpu } = guest();
    cpu.mmu.translate(0x5000, READ);
    GuestMode.of(cpu).vmfunc(1);
    cpu.mmu.invlpg(0x5000);
    GuestMode.of(cpu).vmfunc(0);
    const { walks } = cpu.mmu;
    cpu.mmu.translate(0x5000, READ);
    expect(cpu.mmu.walks).toBe(walks + 1);
  });
});

describe('a two-dimensional walk', () => {
  it('reads up to 24 entries where both levels have 4 KiB pages and nothing is cached (SDM vol. 3, 29.3)', () => {
    const { cpu, memory, root } = bareCpu();
    mapUser(memory, root, 0x5000, USER_RW);
    const view = new SecondLevelTables(memory);
    for (let frame = 0; frame < 1024; frame++) view.map(frame * PAGE_SIZE, frame * PAGE_SIZE, Ept.all);
    GuestMode.of(cpu).enter({}, [view]);
    const missed = Math.round(XEON.costs.stlbHit.central * (2.3 / 3.0));
    const level = Math.round(XEON.costs.walkLevel.central * (2.3 / 3.0));
    const cost = (address: number): number => {
      const before = cpu.clock;
      expect(cpu.mmu.translate(address, READ)).toBeGreaterThan(0);
      const spent = cpu.clock - before;
      return spent === 0 ? 0 : (spent - missed) / level;
    };
    expect(cost(0x5000)).toBe(24);
    mapUser(memory, root, 0x6000, USER_RW);
    // The level-1 table is known: one entry of the guest, and four for the new page.
    expect(cost(0x6000)).toBe(1 + 4);
    expect(cost(0x6000)).toBe(0);
  });
});
