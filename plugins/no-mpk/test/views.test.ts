import { Access, EPTP_LIST_ENTRIES, entryFrame, GuestMode, PAGE_SIZE, SecondLevel } from '@rpal/hw-x86';
import { createMachine, type Process } from '@rpal/kernel';
import { pkruOf, RpalFlag, type RpalService, readAllPkru, rpal, rpalOf, rpalThread } from '@rpal/rpal-core';
import { Errno, Signal } from '@rpal/uapi';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Body, mustEnd, pairOfServices, until } from '../../../packages/rpal-core/test/world.ts';
import type { EptView } from '../src/ept-view.js';
import { attackProfile, type NoMpkIsolation, noMpk } from '../src/index.js';
import type { PageTableSwitch } from '../src/page-table-switch.js';
import { canonical } from '../src/rights.js';
import { Hypercall } from '../src/view-hypervisor.js';
import { VIEWS_PER_SERVICE, ViewTable } from '../src/view-table.js';
import type { Vmfunc } from '../src/vmfunc.js';

type Views = { 'page-table': PageTableSwitch; vmfunc: Vmfunc };

function machineWith<K extends NoMpkIsolation & keyof Views>(name: K) {
  const machine = createMachine({ profile: attackProfile(name), plugins: [rpal(), noMpk({ isolation: name })] });
  return { machine, rpal: rpalOf(machine), isolation: rpalOf(machine).isolation as Views[K] };
}

const serviceOf = (process: Process): RpalService => process.leader.memory.rpalService as RpalService;

/** Runs two services that have requested each other; the first waits until the second, which gets the page of the first, is done. */
function withPeer(world: ReturnType<typeof machineWith>, body: (...args: [...Parameters<Body>, page: number]) => ReturnType<Body>) {
  let page = 0;
  const processes = pairOfServices(
    world,
    function* (p, _control, peer) {
      const mine = yield* p.allocate(4096);
      yield* p.store64(mine, 41);
      page = mine;
      yield* until(p, () => peer.exit !== null);
    },
    function* (p, control, peer) {
      mustEnd(p, 'anyhow');
      yield* until(p, () => page !== 0);
      yield* body(p, control, peer, page);
    },
  );
  return processes.map(({ exit }) => exit);
}

/** All the words that make a difference and that RPAL itself never asks for: three or more of sixteen open. */
function oddRights(count: number): number[] {
  const words: number[] = [];
  for (let bits = 0; words.length < count; bits++) {
    let rights = 0;
    for (let key = 0; key < 16; key++) if (((bits >>> key) & 1) === 0) rights |= 1 << (2 * key);
    if ((rights ^ 0x5555_5555).toString(2).replaceAll('0', '').length > 2) words.push(rights);
  }
  return words;
}

describe('an EPT view', () => {
  it('lacks the frame through which all translations of a closed slice go, and no other', () => {
    const world = machineWith('vmfunc');
    withPeer(world, function* (p, _control, peer) {
      const me = rpalThread(p.context.thread).service as RpalService;
      const { memory } = p.context.cpu;
      const [own, far] = [me, serviceOf(peer)].map((service) => {
        const entry = me.mm.tables.topEntry(service.base);
        return entryFrame(memory.read32(entry), memory.read32(entry + 4));
      });
      const hidden = (rights: number) => {
        world.isolation.userLoad(p.context.cpu, rights);
        const view = world.isolation.hypervisor.viewsOf(me)?.views[GuestMode.of(p.context.cpu).view];
        expect(view?.rights).toBe(canonical(rights));
        return [...(view?.hidden ?? [])];
      };
      const [mine, theirs] = [pkruOf(me.pkey), pkruOf(serviceOf(peer).pkey)];
      expect(hidden(theirs)).toEqual([own]);
      expect(hidden(mine & theirs)).toEqual([]);
      expect(hidden(readAllPkru(me.pkey))).toEqual([]);
      expect(hidden(mine)).toEqual([far]);
      yield* p.sleep(1);
    });
  });

  it('makes of an access outside an EPT violation, which the hypervisor forwards as a page fault: SIGSEGV', () => {
    const world = machineWith('vmfunc');
    const { hypervisor } = world.isolation;
    let before = 0;
    const exits = withPeer(world, function* (p, _control, _peer, page) {
      before = hypervisor.violations;
      yield* p.load64(page);
    });
    expect(before).toBe(0);
    expect(hypervisor.violations).toBe(1);
    expect(exits).toMatchObject([{ signal: 0 }, { signal: Signal.SEGV }]);
  });

  it('is changed by VMFUNC alone: no VM exit, no flush, no page walk once it is warm', () => {
    const world = machineWith('vmfunc');
    const exits = withPeer(world, function* (p, _control, peer, page) {
      const { cpu } = p.context;
      const me = rpalThread(p.context.thread).service as RpalService;
      const [closed, open] = [pkruOf(me.pkey), pkruOf(me.pkey) & pkruOf(serviceOf(peer).pkey)];
      const note = yield* p.allocate(4096);
      const round = function* () {
        world.isolation.userLoad(cpu, open);
        expect(yield* p.load64(page)).toBe(41);
        yield* p.store64(note, 1);
        world.isolation.userLoad(cpu, closed);
        yield* p.store64(note, 2);
      };
      yield* round();
      const { walks } = cpu.mmu;
      const { exits: exitsBefore } = GuestMode.of(cpu);
      for (let i = 0; i < 20; i++) yield* round();
      expect([cpu.mmu.walks - walks, GuestMode.of(cpu).exits - exitsBefore]).toEqual([0, 0]);
    });
    expect(exits).toMatchObject([{ signal: 0 }, { signal: 0 }]);
  });

  it('that rights open for reading alone can be read, and not written', () => {
    for (const write of [false, true]) {
      const world = machineWith('vmfunc');
      let seen = 0;
      const exits = withPeer(world, function* (p, _control, _peer, page) {
        world.isolation.userLoad(p.context.cpu, readAllPkru(rpalThread(p.context.thread).service?.pkey ?? -1));
        seen = yield* p.load64(page);
        if (write) yield* p.store64(page, 42);
      });
      expect(seen).toBe(41);
      expect(exits[1]).toMatchObject({ signal: write ? Signal.SEGV : 0 });
    }
  });

  it('follows when a peer is released and requested again', () => {
    const world = machineWith('vmfunc');
    withPeer(world, function* (p, control, peer) {
      const me = rpalThread(p.context.thread).service as RpalService;
      const hidden = () => world.isolation.hypervisor.viewsOf(me)?.views[0]?.hidden.size;
      expect(hidden()).toBe(1);
      const { key } = serviceOf(peer);
      yield* control.release(key);
      expect(hidden()).toBe(0);
      expect((yield* control.request(key)).result).toBe(0);
      expect(hidden()).toBe(1);
    });
  });

  it('shows a frame that it has hidden as soon as the peer is released: the frame may come to be anybody else’s', () => {
    const world = machineWith('vmfunc');
    withPeer(world, function* (p, control, peer) {
      const me = rpalThread(p.context.thread).service as RpalService;
      const view = world.isolation.hypervisor.viewsOf(me)?.views[0] as EptView;
      const [frame] = view.hidden as Set<number>;
      const through = new SecondLevel(p.context.cpu.memory, view.tables.root, () => false);
      const seen = () => {
        through.flush();
        through.begin();
        return through.translate((frame as number) * PAGE_SIZE, Access.read);
      };
      expect(seen()).toBe(-1);
      yield* control.release(serviceOf(peer).key);
      expect(seen()).toBe((frame as number) * PAGE_SIZE);
    });
  });

  it('costs the hypervisor its tables, once; when it changes, INVEPT on each CPU that has used it, and a VM exit of those that do', () => {
    const world = machineWith('vmfunc');
    const { cpus } = world.machine.platform;
    const count = (cpu: number, name: string) => cpus[cpu]?.ownLedger.entries.find(({ step }) => step.name === name)?.count ?? 0;
    withPeer(world, function* (p, control, peer) {
      const { cpu } = p.context;
      const me = rpalThread(p.context.thread).service as RpalService;
      const rights = pkruOf(me.pkey) & pkruOf((me.pkey + 5) % 16);
      const made = count(cpu.id, '@rpal/no-mpk:makeEptView');
      for (let i = 0; i < 3; i++) world.isolation.userLoad(cpu, rights);
      expect(count(cpu.id, '@rpal/no-mpk:makeEptView') - made).toBe(1);
      world.isolation.userLoad(cpu, pkruOf(me.pkey));

      const other = 3;
      let over = false;
      let there = false;
      yield* p.clone(function* (q) {
        yield* q.setAffinity([other]);
        there = true;
        while (!over) yield* q.compute(1000);
      });
      yield* until(p, () => there);
      const { key } = serviceOf(peer);
      yield* control.release(key);
      const [invept, exits] = ['invept', 'vmExit'].map((name) => count(other, `@rpal/hw-x86:${name}`)) as [number, number];
      expect((yield* control.request(key)).result).toBe(0);
      expect(count(other, '@rpal/hw-x86:invept') - invept).toBeGreaterThan(0);
      expect(count(other, '@rpal/hw-x86:vmExit') - exits).toBe(1);
      over = true;
    });
  });

  it('of an index that is not on the list is not used', () => {
    const world = machineWith('vmfunc');
    withPeer(world, function* (p) {
      const { cpu } = p.context;
      const guest = GuestMode.of(cpu);
      const me = rpalThread(p.context.thread).service as RpalService;
      const views = world.isolation.hypervisor.viewsOf(me)?.views.length as number;
      const before = guest.view;
      // As the kernel asks.
      cpu.interruptsEnabled = false;
      expect(guest.vmcall(Hypercall.USE_LIST, me.id * EPTP_LIST_ENTRIES + views)).toBe(-Errno.EINVAL);
      expect(guest.view).toBe(before);
      expect(guest.vmcall(Hypercall.USE_LIST, me.id * EPTP_LIST_ENTRIES)).toBe(0);
      cpu.interruptsEnabled = true;
      yield* p.sleep(1);
    });
  });

  it('can be asked for by its own service alone, and lists only be changed by the kernel', () => {
    const world = machineWith('vmfunc');
    withPeer(world, function* (p) {
      const { mmu } = p.context.cpu;
      const guest = GuestMode.of(p.context.cpu);
      const { id, pkey } = rpalThread(p.context.thread).service as RpalService;
      for (const call of [Hypercall.USE_LIST, Hypercall.RELINKED, Hypercall.DROP_LIST]) expect(guest.vmcall(call, id)).toBe(-Errno.EPERM);
      expect(guest.vmcall(Hypercall.MAKE_VIEW, pkruOf((pkey + 1) % 16))).toBeGreaterThan(0);
      const { root } = mmu;
      mmu.root = 1;
      expect(guest.vmcall(Hypercall.MAKE_VIEW, pkruOf((pkey + 2) % 16))).toBe(-Errno.EPERM);
      mmu.root = root;
      yield* p.sleep(1);
    });
  });

  it('goes with its service: no frame is left behind', () => {
    const left = (isolation: NoMpkIsolation) => {
      const machine = createMachine({ profile: attackProfile(isolation), plugins: [rpal(), noMpk({ isolation })] });
      const { memory } = machine.platform;
      const before = memory.framesInUse;
      pairOfServices(
        { machine, rpal: rpalOf(machine) },
        function* (p) {
          yield* p.sleep(1e6);
        },
        function* (p) {
          rpalOf(machine).isolation.userLoad(p.context.cpu, readAllPkru(3));
          yield* p.sleep(1e6);
        },
      );
      return memory.framesInUse - before;
    };
    expect(left('vmfunc')).toBe(left('none'));
    expect(left('page-table')).toBe(left('none'));
  });
});

describe('a page-table view', () => {
  it('that is loaded already is not loaded again: its translations stay, and the gate alone is paid', () => {
    const world = machineWith('page-table');
    withPeer(world, function* (p, _control, peer) {
      const { cpu, thread } = p.context;
      const me = rpalThread(thread).service as RpalService;
      rpalThread(thread).flags |= RpalFlag.SENDER;
      const open = pkruOf(me.pkey) & pkruOf(serviceOf(peer).pkey);
      const loads: number[] = [];
      const { mmu } = cpu;
      const loadRoot = mmu.loadRoot.bind(mmu);
      mmu.loadRoot = (root, pcid, what) => {
        loads.push(root);
        loadRoot(root, pcid, what);
      };
      for (const rights of [open, open, open]) expect(world.isolation.gate(cpu, rights)).toBe(0);
      expect(loads).toHaveLength(1);
      world.isolation.gate(cpu, pkruOf(me.pkey));
      expect(loads).toHaveLength(2);
      mmu.loadRoot = loadRoot;
      rpalThread(thread).flags &= ~RpalFlag.SENDER;
      yield* p.sleep(1);
    });
  });
});

describe('the views of a service', () => {
  it('are at most 512, of which words that RPAL itself uses always find room, whatever else was asked for before', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 600 }), (wishes) => {
        const table = new ViewTable<number>();
        for (const rights of [...oddRights(400), ...wishes]) {
          if (table.indexOf(rights) < 0 && table.admits(rights))
            expect(table.views[table.add(rights, canonical(rights))]).toBe(canonical(rights));
        }
        for (let a = 0; a < 16; a++) {
          for (let b = 0; b < 16; b++) {
            for (const rights of [pkruOf(a) & pkruOf(b), readAllPkru(a)]) {
              expect(table.admits(rights)).toBe(true);
              if (table.indexOf(rights) < 0) table.add(rights, canonical(rights));
            }
          }
        }
        expect(table.views.length).toBeLessThanOrEqual(VIEWS_PER_SERVICE);
        expect(new Set(table.views).size).toBe(table.views.length);
      }),
      { numRuns: 20 },
    );
  });

  const count = (world: ReturnType<typeof machineWith>, service: RpalService) =>
    'hypervisor' in world.isolation ? (world.isolation.hypervisor.viewsOf(service)?.views.length ?? 0) : world.isolation.viewsOf(service);

  it.each(['page-table', 'vmfunc'] as const)('%s: a service that asks for more and more gets ENOSPC, and calls go on', (name) => {
    const world = machineWith(name);
    let results: number[] = [];
    let seen = 0;
    let views = 0;
    const exits = withPeer(world, function* (p, _control, peer, page) {
      const { cpu } = p.context;
      const { thread } = p.context;
      const me = rpalThread(thread).service as RpalService;
      // The gate serves threads with a role.
      rpalThread(thread).flags |= RpalFlag.SENDER;
      const ask = (rights: number) =>
        'hypervisor' in world.isolation ? GuestMode.of(cpu).vmcall(Hypercall.MAKE_VIEW, rights) : world.isolation.gate(cpu, rights);
      // Words that open the service itself too, or it could not go on.
      const words = oddRights(2000).filter((rights) => (rights & (3 << (2 * me.pkey))) === 0);
      results = words.slice(0, 600).map(ask);
      views = count(world, me);
      const open = pkruOf(me.pkey) & pkruOf(serviceOf(peer).pkey);
      world.isolation.userLoad(cpu, open);
      expect(cpu.mmu.pkru).toBe(open);
      seen = yield* p.load64(page);
      // And what has no view changes nothing.
      world.isolation.userLoad(cpu, words.at(-1) as number);
      expect(cpu.mmu.pkru).toBe(open);
      rpalThread(thread).flags &= ~RpalFlag.SENDER;
    });
    expect(exits).toMatchObject([{ signal: 0 }, { signal: 0 }]);
    expect(results.indexOf(-Errno.ENOSPC)).toBeGreaterThan(300);
    expect(new Set(results.slice(results.indexOf(-Errno.ENOSPC)))).toEqual(new Set([-Errno.ENOSPC]));
    expect(views).toBeLessThanOrEqual(VIEWS_PER_SERVICE);
    expect(world.isolation.refused).toBeGreaterThan(0);
    expect(seen).toBe(41);
  });
});
