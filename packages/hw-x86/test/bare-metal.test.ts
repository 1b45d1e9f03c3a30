import { describe, expect, it } from 'vitest';
import {
  type BareCore,
  BareMetal,
  type BareProgram,
  type Cpu,
  Exception,
  FaultCode,
  HwStep,
  LARGE_PAGE_SIZE,
  LocalApic,
  PAGE_SIZE,
  Pte,
  TrapOutcome,
  USER_TOP,
  Vector,
} from '../src/index.js';
import { GENOA, XEON } from './support.js';

/** A machine with one page at 0x1000, and a program that begins with its address space loaded. */
function machine(profile = XEON): { metal: BareMetal; root: number; run: (program: BareProgram, core?: number) => void } {
  const metal = new BareMetal({ profile });
  const root = metal.addressSpace();
  metal.map(root, 0x1000);
  const run = (program: BareProgram, core = 0): void => {
    metal.start(core, function* (on) {
      on.load(root);
      yield* program(on);
    });
    expect(metal.run()).toBe('deadlock');
  };
  return { metal, root, run };
}

describe('a bare-metal program', () => {
  it('reads what it wrote, through its page tables, in real frames', () => {
    const { metal, root, run } = machine();
    const frame = metal.map(root, 0x2000);
    run(function* (core) {
      core.user = true;
      core.write64(0x2008, 2 ** 50 + 1);
      core.write32(0x2010, -5);
      core.write8(0x2014, 200);
      expect([core.read64(0x2008), core.read32(0x2010), core.read8(0x2014)]).toEqual([2 ** 50 + 1, -5, 200]);
      yield;
    });
    expect(metal.platform.memory.read32(frame * PAGE_SIZE + 0x10)).toBe(-5);
  });

  it('has its exceptions handled by a callback: a demand-paging kernel in six lines', () => {
    const { metal, root, run } = machine();
    const faults: string[] = [];
    metal.onException = (core, { vector, code, address }) => {
      faults.push(`${vector}:${code}@${address.toString(16)}`);
      expect(core.user).toBe(false);
      metal.map(root, address - (address % PAGE_SIZE));
      return 'retry';
    };
    run(function* (core) {
      core.user = true;
      core.write32(0x40_0010, 7);
      expect(core.read32(0x40_0010)).toBe(7);
      expect(core.user).toBe(true);
      yield;
    });
    expect(faults).toEqual([`14:${FaultCode.write | FaultCode.user}@400010`]);
  });

  it('gets #GP for an address that is not canonical, and #UD for protection keys where there are none', () => {
    const profile = { ...XEON, name: 'old', features: { ...XEON.features, pku: false } };
    const { metal, run } = machine(profile);
    const vectors: number[] = [];
    metal.onException = (_, { vector }) => {
      vectors.push(vector);
      return 'skip';
    };
    run(function* (core) {
      expect(core.read64(USER_TOP)).toBe(0);
      core.wrpkru(0);
      expect(core.rdpkru()).toBe(0);
      yield;
    });
    expect(vectors).toEqual([Exception.generalProtection, Exception.invalidOpcode, Exception.invalidOpcode]);
  });

  it('ends with a description of the exception if nobody handles it', () => {
    const { metal, root } = machine();
    metal.start(3, function* (core) {
      core.load(root);
      core.user = true;
      core.write8(0x9000, 1);
      yield;
    });
    expect(() => metal.run()).toThrow('core 3: #PF at 0x000000009000, error code 0x6; set onException to handle it');
  });

  it('pays for everything it does: the books of its core make up its clock', () => {
    const { metal, run } = machine();
    const core = metal.core(0);
    const start = core.cpu.clock;
    metal.onException = () => 'skip';
    run(function* () {
      core.ac = true;
      core.read8(0x1000);
      core.read8(0x7000);
      core.wrpkru(0);
      core.invlpg(0x1000);
      core.invpcid(3);
      yield* core.compute(12_345);
    });
    const { ownLedger, clock } = core.cpu;
    expect(ownLedger.total).toBe(clock - start);
    expect(ownLedger.booked(HwStep.compute)).toBe(12_345);
    expect(ownLedger.entries.map(({ step }) => step.name.slice(13))).toEqual(
      expect.arrayContaining(['cr3WriteFlush', 'exception', 'iret', 'invlpg', 'invpcid', 'pageWalk', 'wrpkru']),
    );
  });

  it('sees a store of another core at the next yield, after the line has moved', () => {
    const { metal, root } = machine();
    const seen: number[] = [];
    metal.start(0, function* (core) {
      core.load(root);
      core.user = true;
      core.write64(0x1000, 0);
      yield* core.compute(1000);
      core.write64(0x1000, 42);
    });
    metal.start(1, function* (core) {
      core.load(root);
      core.user = true;
      while (core.read64(0x1000) !== 42) yield* core.compute(100);
      seen.push(core.cpu.clock - metal.core(0).cpu.clock, core.cpu.linesMoved);
    });
    metal.run();
    expect(seen[0]).toBeGreaterThan(0);
    expect(seen[0]).toBeLessThan(600);
    expect(seen[1]).toBeGreaterThan(0);
  });

  it('is interrupted while it computes, and goes on afterwards', () => {
    const { metal, run } = machine();
    const taken: [number, boolean][] = [];
    metal.onInterrupt = (core, vector) => taken.push([vector, core.user]);
    run(function* (core) {
      core.user = true;
      LocalApic.of(core.cpu).configureTimer('periodic', Vector.localTimer);
      LocalApic.of(core.cpu).startTimer(1000);
      yield* core.compute(500_000);
      LocalApic.of(core.cpu).startTimer(0);
      expect(core.user).toBe(true);
    });
    expect(taken).toEqual(Array(5).fill([Vector.localTimer, false]));
  });

  it('may fault in its exception handler, but not for ever', () => {
    const { metal, root, run } = machine();
    let deepest = 0;
    metal.onException = (core, { address }) => {
      deepest++;
      // The handler touches a page that is missing too, and so on, four deep.
      if (address < 0x8000) core.read8(address + PAGE_SIZE);
      metal.map(root, address);
      return 'retry';
    };
    run(function* (core) {
      core.ac = true;
      core.read8(0x5000);
      yield;
    });
    expect(deepest).toBe(4);
    metal.onException = (core, { address }) => {
      core.read8(address);
      return 'skip';
    };
    metal.start(0, function* (core) {
      core.read8(0x10_0000);
      yield;
    });
    expect(() => metal.run()).toThrow('core 0: onException itself raises exceptions, 16 deep');
  });

  it('has no PCIDs where the profile has none', () => {
    const metal = new BareMetal({ profile: { ...XEON, name: 'old', features: { ...XEON.features, pcid: false } } });
    metal.start(0, function* (core) {
      core.load(metal.addressSpace(), 1);
      yield;
    });
    expect(() => metal.run()).toThrow('pcid: old has no PCIDs; use 0');
  });

  it('needs an address space before its first access', () => {
    const { metal } = machine();
    metal.start(7, function* (core) {
      core.read8(0);
      yield;
    });
    expect(() => metal.run()).toThrow('core 7 has no address space; give it one with load()');
  });

  it('is the same every time', () => {
    const once = (seed: number): string => {
      const metal = new BareMetal({ profile: GENOA, seed });
      const root = metal.addressSpace();
      metal.map(root, 0x1000);
      for (const number of [0, 8, 200]) {
        metal.start(number, function* (core) {
          core.load(root);
          core.user = true;
          for (let i = 0; i < 50; i++) {
            core.write64(0x1000 + 8 * (i % 3), core.read64(0x1000) + number);
            yield* core.compute(metal.platform.rng.below(200));
          }
        });
      }
      metal.run();
      return metal.platform.fingerprint().digest();
    };
    expect(once(5)).toBe(once(5));
    expect(once(6)).not.toBe(once(5));
  });
});

describe('mapping by hand', () => {
  it('refuses what is no page, naming the argument', () => {
    const { metal, root } = machine();
    const map =
      (address: number, mapping = {}) =>
      () =>
        metal.map(root, address, mapping);
    expect(map(USER_TOP)).toThrow('address: 140737488355328 is not a canonical address');
    expect(map(0x2001)).toThrow('address: 8193 is not a multiple of 4096');
    expect(map(0x1000)).toThrow('address: 0x000000001000 is mapped already; unmap it first');
    expect(map(0, { size: LARGE_PAGE_SIZE })).toThrow(/address: .*(mapped already|smaller pages are mapped)/);
    expect(map(LARGE_PAGE_SIZE, { size: LARGE_PAGE_SIZE, frame: 300 })).toThrow('mapping.frame: 300 is not aligned');
    expect(map(0, { size: 0x4000_0000 })).toThrow('mapping.frame: a 1 GiB page needs a frame number');
    expect(() => metal.core(128)).toThrow('number: 128 is not one of the 128 processors of xeon-platinum-8336c');
    expect(() => metal.unmap(root, 0x8000)).toThrow('address: 0x000000008000 is not mapped');
  });

  it('refuses frames that hold tables or overlap another page, unless told that this is meant', () => {
    const { metal, root } = machine();
    expect(() => metal.map(root, 0x5000, { frame: root })).toThrow(
      `mapping.frame: frames ${root} .. ${root} overlap a page table at ${root} .. ${root}`,
    );
    const large = metal.map(root, LARGE_PAGE_SIZE, { size: LARGE_PAGE_SIZE });
    expect(() => metal.map(root, 0x5000, { frame: large + 3 })).toThrow('overlap another page');
    // The same page at a second address is sharing.
    metal.map(root, 2 * LARGE_PAGE_SIZE, { size: LARGE_PAGE_SIZE, frame: large });
    metal.map(root, 0x5000, { frame: large + 3, alias: true });
    metal.map(root, 0x6000, { frame: root, alias: true });
  });

  it('leaves TLBs alone: an unmapped page stays in use until its translation is invalidated', () => {
    const { metal, root, run } = machine();
    let faults = 0;
    metal.onException = () => {
      faults++;
      return 'skip';
    };
    run(function* (core) {
      core.user = true;
      core.write32(0x1000, 5);
      metal.unmap(root, 0x1000);
      expect([core.read32(0x1000), faults]).toEqual([5, 0]);
      core.user = false;
      core.invlpg(0x1000);
      core.user = true;
      expect([core.read32(0x1000), faults]).toEqual([0, 1]);
      yield;
    });
  });

  it('gives supervisor pages to supervisor programs only', () => {
    const { metal, root, run } = machine();
    const codes: number[] = [];
    metal.onException = (_, { code }) => {
      codes.push(code);
      return 'skip';
    };
    metal.map(root, -PAGE_SIZE, { flags: Pte.writable | Pte.global });
    run(function* (core) {
      core.write64(-PAGE_SIZE, 1);
      core.user = true;
      core.read64(-PAGE_SIZE);
      core.user = false;
      core.read64(0x1000);
      core.ac = true;
      core.read64(0x1000);
      yield;
    });
    expect(codes).toEqual([FaultCode.present | FaultCode.user, FaultCode.present]);
  });
});

describe('idle states', () => {
  /** Cycles from a store by core 1 until core 0, in `state`, executes again. */
  function wakeUp(state: string, profile = XEON): number {
    const metal = new BareMetal({ profile });
    const root = metal.addressSpace();
    metal.map(root, 0x1000);
    let stored = 0;
    let woken = 0;
    metal.start(0, function* (core) {
      core.load(root);
      core.ac = true;
      core.monitor(0x1000);
      if (state === 'poll') while (core.read32(0x1000) === 0) yield* core.compute(20);
      else yield* core.mwait(state);
      woken = core.cpu.clock;
    });
    metal.start(1, function* (core) {
      core.load(root);
      core.ac = true;
      yield* core.compute(2_000_000);
      core.write32(0x1000, 1);
      stored = core.cpu.clock;
    });
    metal.run();
    expect(stored).toBeGreaterThan(0);
    return woken - stored;
  }
  const ns = (value: number): number => Math.round(value * 2.3);

  it('are left by a store to the monitored line, after one transfer and the latency of the state', () => {
    const transfer = ns(60);
    expect(wakeUp('C1')).toBe(transfer + ns(450));
    expect(wakeUp('C1E')).toBe(transfer + ns(2000));
    expect(wakeUp('C6')).toBe(transfer + ns(128_000));
    expect(wakeUp('poll')).toBeLessThan(transfer + ns(200));
  });

  it('are not entered when the store came between MONITOR and MWAIT', () => {
    const { metal, root } = machine();
    let slept = true;
    metal.start(0, function* (core) {
      core.load(root);
      core.ac = true;
      core.monitor(0x1000);
      yield* core.compute(5000);
      const before = core.cpu.ownLedger.booked(HwStep.idle);
      yield* core.mwait('C6');
      slept = core.cpu.ownLedger.booked(HwStep.idle) > before;
    });
    metal.start(1, function* (core) {
      core.load(root);
      core.ac = true;
      yield* core.compute(1000);
      core.write32(0x1000, 1);
    });
    expect(metal.run()).toBe('deadlock');
    expect(slept).toBe(false);
  });

  it('are not left by a store to another line, but by an interrupt', () => {
    const { metal, root } = machine();
    const events: string[] = [];
    metal.onInterrupt = () => events.push('interrupt');
    metal.start(0, function* (core) {
      core.load(root);
      core.ac = true;
      core.monitor(0x1000);
      yield* core.mwait('C1E');
      events.push('awake');
    });
    metal.start(1, function* (core) {
      core.load(root);
      core.ac = true;
      yield* core.compute(10_000);
      core.write32(0x1040, 1);
      yield* core.compute(10_000);
      events.push('sends');
      core.user = false;
      LocalApic.of(core.cpu).sendIpi(metal.core(0).cpu, 'fixed', Vector.reschedule);
    });
    metal.run();
    expect(events).toEqual(['sends', 'interrupt', 'awake']);
  });

  it('C6 loses the translations, C1 does not', () => {
    const walks = (state: string): number => {
      const { metal, root } = machine();
      let count = 0;
      metal.start(0, function* (core) {
        core.load(root);
        core.ac = true;
        core.read32(0x1000);
        core.monitor(0x1000);
        yield* core.mwait(state);
        const before = core.cpu.mmu.walks;
        core.read32(0x1000);
        count = core.cpu.mmu.walks - before;
      });
      metal.start(1, function* (core) {
        core.load(root);
        core.ac = true;
        yield* core.compute(100_000);
        core.write32(0x1000, 1);
      });
      metal.run();
      return count;
    };
    expect([walks('C1'), walks('C6')]).toEqual([0, 1]);
  });

  it('are refused where MWAIT cannot enter them', () => {
    const metal = new BareMetal({ profile: GENOA });
    metal.start(0, function* (core) {
      yield* core.mwait('C6');
    });
    expect(() => metal.run()).toThrow('state: MWAIT on epyc-9654 does not enter C6; use C1');
  });

  it('HLT waits for an interrupt, and an NMI will do', () => {
    const { metal } = machine();
    const events: string[] = [];
    metal.onNmi = () => events.push('nmi');
    metal.start(0, function* (core) {
      yield* core.hlt();
      events.push('awake');
    });
    metal.start(1, function* (core) {
      yield* core.compute(1000);
      LocalApic.of(core.cpu).sendIpi(metal.core(0).cpu, 'nmi');
    });
    metal.run();
    expect(events).toEqual(['nmi', 'awake']);
  });
});

describe('instructions that are not for everybody', () => {
  /** The exceptions that an instruction raises. */
  function raised(instruct: (core: BareCore) => void | Generator<void, void>, user: boolean): string[] {
    const metal = new BareMetal({ profile: XEON });
    const seen: string[] = [];
    metal.onException = (_, { vector }) => {
      seen.push(vector === Exception.generalProtection ? '#GP' : vector === Exception.invalidOpcode ? '#UD' : `${vector}`);
      return 'skip';
    };
    const root = metal.addressSpace();
    metal.map(root, 0x1000);
    metal.start(0, function* (core) {
      core.load(root, 1);
      core.user = user;
      const more = instruct(core);
      if (more !== undefined) yield* more;
    });
    metal.run();
    return seen;
  }

  it.each([
    ['MOV to CR3', (core: BareCore) => core.load(core.cpu.mmu.root, 2), '#GP'],
    ['INVLPG', (core: BareCore) => core.invlpg(0x1000), '#GP'],
    ['INVPCID', (core: BareCore) => core.invpcid(2), '#GP'],
    ['HLT', (core: BareCore) => core.hlt(), '#GP'],
    ['MONITOR', (core: BareCore) => core.monitor(0x1000), '#UD'],
    ['MWAIT', (core: BareCore) => core.mwait('C1'), '#UD'],
  ] as [string, (core: BareCore) => void | Generator<void, void>, string][])(
    '%s raises an exception in user mode',
    (_, instruct, exception) => {
      expect(raised(instruct, true)).toEqual([exception]);
    },
  );

  it('INVPCID raises #GP for a wrong type, PCID or address, INVLPG takes no notice of a wrong address', () => {
    expect(raised((core) => core.invpcid(4 as never), false)).toEqual(['#GP']);
    expect(raised((core) => core.invpcid(1, 4096), false)).toEqual(['#GP']);
    expect(raised((core) => core.invpcid(0, 1, 2 ** 47), false)).toEqual(['#GP']);
    // The address counts for type 0 alone.
    expect(raised((core) => core.invpcid(1, 1, 2 ** 47), false)).toEqual([]);
    expect(raised((core) => core.invpcid(0, 1, -(2 ** 47)), false)).toEqual([]);
    expect(raised((core) => core.invlpg(2 ** 47), false)).toEqual([]);
  });

  it('a retry that would come again for ever ends the run', () => {
    const metal = new BareMetal({ profile: XEON });
    metal.onException = () => 'retry';
    const root = metal.addressSpace();
    metal.start(0, function* (core) {
      core.load(root, 1);
      core.invpcid(7 as never);
      yield;
    });
    expect(() => metal.run()).toThrow('onException answered retry to #GP, which would come again for ever; answer skip');
  });
});

describe('a context of its own on bare metal', () => {
  /** Traps once, and halts when it goes on. */
  function trapping(trap: (cpu: Cpu) => TrapOutcome): { machine: BareMetal; outcomes: TrapOutcome[] } {
    const machine = new BareMetal({ profile: XEON });
    const { cpu } = machine.core(0);
    const outcomes: TrapOutcome[] = [];
    cpu.context = {
      resume(on) {
        outcomes.push(trap(on));
        on.halt();
      },
    };
    cpu.wake(cpu.clock);
    return { machine, outcomes };
  }

  it('takes its exceptions to onException, and goes on at once', () => {
    const { machine, outcomes } = trapping((cpu) => cpu.trap.exception(cpu, Exception.divide, 0));
    const seen: number[] = [];
    machine.onException = (_, { vector }) => {
      seen.push(vector);
      return 'retry';
    };
    machine.run();
    expect(seen).toEqual([Exception.divide]);
    expect(outcomes).toEqual([TrapOutcome.DONE]);
  });

  it('has no kernel to call: SYSCALL is #UD', () => {
    const { machine } = trapping((cpu) => cpu.trap.syscall(cpu));
    expect(() => machine.run()).toThrow('#UD');
  });

  it('must move its own instruction pointer: skip is refused', () => {
    const { machine } = trapping((cpu) => cpu.trap.exception(cpu, Exception.divide, 0));
    machine.onException = () => 'skip';
    expect(() => machine.run()).toThrow('answer retry, and move its instruction pointer');
  });
});
