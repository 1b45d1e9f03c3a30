import { Access, Exception, FaultCode, HwStep, PAGE_MASK, PAGE_SIZE, Pte, Translations } from '@rpal/hw-x86';
import type { Main, Program } from '@rpal/kernel';
import { Errno, Signal } from '@rpal/uapi';
import { DuneError } from '../errors.js';
import { GuestPhysical } from '../module/guest-physical.js';
import { duneEnter, vcpuOf } from '../module/module.js';
import type { GuestVectors, Vcpu } from '../module/vcpu.js';
import { DuneStep } from '../steps.js';
import { GuestTables, type TableAccess, TablePool } from './guest-tables.js';

/** Room for page tables: 512 of them. Pages that are not used take no memory. */
const POOL = 512 * PAGE_SIZE;
/** Page tables besides the first ones that a thread may have at a time. */
const PCIDS = 64;

/** Memory that all may use, as ordinary memory of a process. */
export const OPEN: number = Pte.present | Pte.writable | Pte.user;
/** Memory of ring 0 alone. @public for page tables of your own */
export const SUPERVISOR: number = Pte.present | Pte.writable;

/** An exception as ring 0 finds it. */
export interface Trapped {
  readonly vector: number;
  /** Error code, `FaultCode` bits of a page fault. */
  readonly code: number;
  /** CR2. */
  readonly address: number;
}

/** Executed in ring 0 where an exception has come; the instruction is repeated afterwards. @returns false: it was not for this handler, and Linux ends the process */
export type TrapHandlerRoutine = (d: Dune, trapped: Trapped) => Generator<void, boolean | void>;

/** A system call of ring 3. @returns its result */
export type CallHandler = (d: Dune, nr: number, args: readonly number[]) => Generator<void, number>;

/** What ring 0 has set up for traps. */
export interface Handlers {
  readonly onTrap: TrapHandlerRoutine | null;
  readonly onCall: CallHandler;
}

/** What all objects of a thread in Dune mode have in common. */
interface Runtime {
  readonly pool: TablePool;
  readonly base: GuestTables;
  current: GuestTables;
  /** PCIDs that no tables have. */
  readonly pcids: number[];
  handlers: Handlers;
}

/**
 * A thread in Dune mode: what ring 0 can do. Loads and stores of `Dune` are ring 0's and reach all that is mapped; those of the program
 * `p` are made with user rights, and its system calls are VMCALLs while ring 0 runs. In `ring3` both are those of ring 3.
 */
export class Dune implements TableAccess {
  readonly p: Program;
  readonly #vcpu: Vcpu;
  readonly #runtime: Runtime;

  /** @param runtime comes with the first one of a thread, from `Dune.enter` */
  private constructor(p: Program, vcpu: Vcpu, runtime: Runtime) {
    this.p = p;
    this.#vcpu = vcpu;
    this.#runtime = runtime;
  }

  /**
   * The calling thread goes on in ring 0 of a guest, with page tables of its own; there is no way back but exec.
   * @throws DuneError REFUSED without the plugin, without VMX, or in Dune mode
   */
  static *enter(p: Program): Generator<void, Dune> {
    const start = yield* p.allocate(POOL);
    if (start < 0) throw new DuneError('NO_TABLES', `mmap of room for page tables: ${-start}`);
    const pool = new TablePool(start, POOL);
    const base = new GuestTables(pool, new GuestPhysical(p.context.thread.memory), 1, OPEN);
    // The first tables map those that come later.
    yield* mapPool(asProcess(p), base, pool);
    const result = yield* duneEnter(p, base.root);
    const vcpu = vcpuOf(p.context.thread);
    if (result < 0 || vcpu === undefined) {
      const why =
        result === -Errno.EOPNOTSUPP
          ? 'the processor has no VMX'
          : result === -Errno.EBUSY
            ? 'it is in Dune mode already'
            : 'the machine has no plugin dune()';
      throw new DuneError('REFUSED', `the thread cannot enter Dune mode: ${why}`);
    }
    const runtime: Runtime = { pool, base, current: base, pcids: spare(), handlers: { onTrap: null, onCall: forward } };
    vcpu.vectors = Dune.#vectors(vcpu, runtime);
    return new Dune(p, vcpu, runtime);
  }

  /** The runtime's IDT and SYSCALL entry. */
  static #vectors(vcpu: Vcpu, runtime: Runtime): GuestVectors {
    return {
      exception(vector, code, address) {
        const isMissing = vector === Exception.pageFault && (code & FaultCode.present) === 0;
        const { onTrap } = runtime.handlers;
        if (!isMissing && onTrap === null) return null;
        return function* (p) {
          const d = new Dune(p, vcpu, runtime);
          if (isMissing && (yield* runtime.current.grow(d, address))) return;
          if (onTrap !== null && (yield* onTrap(d, { vector, code, address })) !== false) return;
          yield* p.kill(yield* p.getpid(), Signal.SEGV);
        };
      },
      syscall() {
        return function* (p) {
          const { context } = p;
          const { nr, a0, a1, a2, a3, a4, a5 } = context;
          context.rax = yield* runtime.handlers.onCall(new Dune(p, vcpu, runtime), nr, [a0, a1, a2, a3, a4, a5]);
        };
      },
    };
  }

  /** Who handles exceptions, and system calls of ring 3. At first nobody handles exceptions, and calls are passed on to Linux. */
  get handlers(): Handlers {
    return this.#runtime.handlers;
  }

  set handlers(handlers: Handlers) {
    this.#runtime.handlers = handlers;
  }

  /** The page tables in use. */
  get tables(): GuestTables {
    return this.#runtime.current;
  }

  /** Those that the thread began with: all memory, for all rings. */
  get base(): GuestTables {
    return this.#runtime.base;
  }

  /**
   * Other page tables; `drop` gives them back.
   * @param flags `Pte` bits of memory for which nothing else is said: `OPEN`, or `SUPERVISOR`
   * @throws DuneError NO_TABLES
   */
  *newTables(flags: number): Generator<void, GuestTables> {
    const { pool, pcids } = this.#runtime;
    const pcid = pcids.pop();
    if (pcid === undefined) throw new DuneError('NO_TABLES', `there are ${PCIDS} page tables already; drop one before`);
    const tables = new GuestTables(pool, this.#vcpu.memory.physical, pcid, flags);
    yield* mapPool(this, tables, pool);
    return tables;
  }

  /** Page tables go, and what they were made of comes back. They are not those in use. */
  *drop(tables: GuestTables): Generator<void, void> {
    if (tables === this.tables || tables === this.base) throw new DuneError('NO_TABLES', 'page tables that are in use cannot be dropped');
    yield* tables.free(this);
    this.#runtime.pcids.push(tables.pcid);
  }

  /** Loads CR3. Translations of other tables stay where there are PCIDs. */
  load(tables: GuestTables): void {
    const { cpu } = this.p.context;
    const { pcid } = cpu.costs.profile.features;
    const keep = pcid && !tables.fresh;
    tables.fresh = false;
    cpu.charge(keep ? HwStep.cr3Write : HwStep.cr3WriteFlush);
    this.#runtime.current = tables;
    this.#vcpu.root = tables.frame;
    this.#vcpu.pcid = pcid ? tables.pcid : 0;
    cpu.mmu.loadRoot(tables.frame, this.#vcpu.pcid, keep ? Translations.KEEP : Translations.DROP);
  }

  /** INVLPG. */
  invlpg(address: number): void {
    const { cpu } = this.p.context;
    cpu.charge(HwStep.invlpg);
    cpu.mmu.invlpg(address);
  }

  /**
   * Gives pages of 4 KiB other rights, in `tables` or those in use, and drops their translations.
   * @param start address of the first page @param length bytes @param flags `OPEN`, `SUPERVISOR` or other `Pte` bits; 0: not present
   */
  *protect(start: number, length: number, flags: number, tables: GuestTables = this.tables): Generator<void, void> {
    for (let at = start; at < start + length; at += PAGE_SIZE) {
      const entry = yield* tables.page(this, at);
      this.p.context.cpu.charge(DuneStep.entry);
      const low = yield* this.load32(entry);
      yield* this.store32(entry, ((low & ~Pte.flags) | flags) >>> 0);
      if (tables === this.tables) this.invlpg(at);
    }
  }

  /**
   * Which pages have been written since they were asked about last: what a collector's barrier wants to know, from the dirty bits that the
   * hardware keeps. @returns the addresses of the pages
   */
  *takeDirty(start: number, length: number): Generator<void, number[]> {
    const dirty: number[] = [];
    for (let at = start; at < start + length; at += PAGE_SIZE) {
      const entry = yield* this.tables.page(this, at);
      this.p.context.cpu.charge(DuneStep.entry);
      const low = yield* this.load32(entry);
      if ((low & Pte.dirty) === 0) continue;
      dirty.push(at);
      yield* this.store32(entry, (low & ~Pte.dirty) >>> 0);
      this.invlpg(at);
    }
    return dirty;
  }

  /** Ring 3 executes `main` on page tables `tables`, until its end or until `stop` answers true after a trap. @returns whether it came to its end */
  *ring3(main: Main, tables: GuestTables = this.tables, stop: () => boolean = () => false): Generator<void, boolean> {
    const { context } = this.p;
    const { made, calling } = context;
    const before = this.tables;
    const body = main(this.p);
    context.cpu.charge(DuneStep.ring3);
    if (tables !== before) this.load(tables);
    this.#vcpu.ring = 3;
    let ended = false;
    while (!ended && !stop()) {
      ended = body.next().done === true;
      if (!ended) yield;
    }
    this.#vcpu.ring = 0;
    if (!ended) {
      // What it was in the middle of is given up.
      context.made = made;
      context.calling = calling;
    }
    if (tables !== before) this.load(before);
    return ended;
  }

  /** Ring 3 calls into another compartment: SYSCALL, the other tables, SYSRET. @returns the tables before */
  cross(tables: GuestTables): GuestTables {
    const before = this.tables;
    this.p.context.cpu.charge(DuneStep.syscallTrap);
    this.load(tables);
    return before;
  }

  *load32(address: number): Generator<void, number> {
    yield* this.#load(address, 4);
    return (this.p.context.cpu.lsu.words[0] as number) >>> 0;
  }

  *load64(address: number): Generator<void, number> {
    yield* this.#load(address, 8);
    return this.p.context.cpu.lsu.value;
  }

  store32(address: number, value: number): Generator<void, number> {
    return this.#store(address, 4, value);
  }

  store64(address: number, value: number): Generator<void, number> {
    return this.#store(address, 8, value);
  }

  /** Stores bytes of the host, page by page. */
  *storeBytes(address: number, bytes: Uint8Array): Generator<void, number> {
    for (let done = 0; done < bytes.length; ) {
      const part = Math.min(bytes.length - done, PAGE_SIZE - ((address + done) & PAGE_MASK));
      const physical = yield* this.#reach(address + done, Access.ac | Access.write);
      this.p.context.cpu.memory.store(physical, bytes, done, part);
      done += part;
    }
    return 0;
  }

  filled(): void {
    this.p.context.cpu.charge(DuneStep.table);
  }

  *#load(address: number, size: number): Generator<void, void> {
    while (!this.p.context.cpu.lsu.load(address, size, Access.ac)) yield* this.#trap();
  }

  *#store(address: number, size: number, value: number): Generator<void, number> {
    for (;;) {
      const { lsu } = this.p.context.cpu;
      lsu.value = value;
      if (lsu.store(address, size, Access.ac)) return value;
      yield* this.#trap();
    }
  }

  /** Takes faults until the address can be accessed. @returns the physical address */
  *#reach(address: number, access: number): Generator<void, number> {
    for (;;) {
      const physical = this.p.context.cpu.data(address, access);
      if (physical >= 0) return physical;
      yield* this.#trap();
    }
  }

  *#trap(): Generator<void, void> {
    if (!this.p.context.pageFault()) yield;
  }
}

/** PCIDs 2 and up, the lowest last. */
function spare(): number[] {
  return Array.from({ length: PCIDS }, (_, i) => PCIDS + 1 - i);
}

function* mapPool(io: TableAccess, tables: GuestTables, { start, end }: TablePool): Generator<void, void> {
  yield* tables.grow(io, start);
  yield* tables.grow(io, end - 1);
}

/** Tables as a program writes them that is no guest yet. */
function asProcess(p: Program): TableAccess {
  return {
    load32: (address) => p.load32(address),
    store32: (address, value) => p.store32(address, value),
    storeBytes: (address, bytes) => p.storeBytes(address, bytes),
    filled: () => p.context.cpu.charge(DuneStep.table),
  };
}

function* forward(d: Dune, nr: number, [a0, a1, a2, a3, a4, a5]: readonly number[]): Generator<void, number> {
  return yield* d.p.syscall(nr, a0, a1, a2, a3, a4, a5);
}
