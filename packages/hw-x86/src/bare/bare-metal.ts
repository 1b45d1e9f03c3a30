import { AddressMonitors } from '../core/address-monitors.js';
import type { Cpu } from '../core/cpu.js';
import { type ExecutionContext, type TrapHandler, TrapOutcome } from '../core/execution-context.js';
import { Exception } from '../core/interrupts.js';
import { HwStep } from '../costs/steps.js';
import { HardwareError } from '../errors.js';
import { formatAddress, PAGE_SIZE, requireCanonical } from '../memory/address.js';
import type { Caches } from '../memory/caches.js';
import { entryAddress, entryFrame, LEVEL_SPAN, type Mapping, mapPage, Pte, walk } from '../memory/page-table.js';
import { Platform, type PlatformOptions, type RunEnd } from '../platform.js';
import { BareCore } from './bare-core.js';

/**
 * A program for a core: what runs between two `yield`s is atomic; interrupts come, and other cores go on, at a `yield`.
 * The core halts when it returns.
 */
export type BareProgram = (core: BareCore) => Generator<void, void>;

/** An exception, as the processor reports it. */
export interface BareException {
  /** `Exception.pageFault`, `generalProtection` or `invalidOpcode`. */
  readonly vector: number;
  /** Error code; `FaultCode` bits of a page fault. */
  readonly code: number;
  /** The address accessed (CR2); 0 for #UD. */
  readonly address: number;
}

/** What to do after an exception: execute the instruction again, or skip it (a skipped load reads 0). */
export type ExceptionAnswer = 'retry' | 'skip';

/** How a page is mapped by `BareMetal.map`. */
export interface BareMapping extends Partial<Mapping> {
  /** 4 KiB (the default), 2 MiB or 1 GiB. */
  readonly size?: number;
  /** Allow frames that hold page tables, or are mapped elsewhere with another size. Refused by default. */
  readonly alias?: boolean;
}

/** A range of frames that something occupies. */
interface Occupied {
  readonly first: number;
  readonly count: number;
  readonly as: 'table' | 'page';
}

/**
 * Cores without a kernel. Page tables are built by hand, programs run on cores, and exceptions and interrupts go to
 * callbacks. All cores start in supervisor mode with interrupts on and no address space.
 */
export class BareMetal {
  readonly platform: Platform;
  /** Data caches line by line; null unless asked for. */
  readonly caches: Caches | null;
  readonly monitors: AddressMonitors = new AddressMonitors();
  /** Decides about exceptions. Unless replaced, the first one ends the run with an error that describes it. */
  onException: (core: BareCore, exception: BareException) => ExceptionAnswer = unhandled;
  /** Handles interrupts; its entry and IRET are charged. Does nothing unless replaced. */
  onInterrupt: (core: BareCore, vector: number) => void = () => {};
  /** Handles NMIs; entry and IRET are charged. Does nothing unless replaced. */
  onNmi: (core: BareCore) => void = () => {};
  readonly #cores: BareCore[];
  readonly #occupied: Occupied[] = [];

  constructor(options: PlatformOptions) {
    this.platform = new Platform(options);
    this.caches = this.platform.caches;
    const trap: TrapHandler = {
      // EFER.SCE is clear: there is no kernel to call.
      syscall: (cpu) => this.#exception(cpu, Exception.invalidOpcode, 0, 0),
      exception: (cpu, vector, code) => this.#exception(cpu, vector, code, vector === Exception.pageFault ? cpu.mmu.faultAddress : 0),
      interrupt: (cpu, vector) => this.#handle(cpu, HwStep.interrupt, (core) => this.onInterrupt(core, vector)),
      nmi: (cpu) => this.#handle(cpu, HwStep.nmi, (core) => this.onNmi(core)),
    };
    this.#cores = this.platform.cpus.map((cpu) => {
      cpu.trap = trap;
      cpu.context = HALTED;
      return new BareCore(cpu, this);
    });
  }

  /** A logical processor by its number. @throws HardwareError INVALID_ARGUMENT if the profile has fewer */
  core(number: number): BareCore {
    const core = this.#cores[number];
    if (core === undefined) {
      const { profile } = this.platform;
      throw new HardwareError(
        'INVALID_ARGUMENT',
        `number: ${number} is not one of the ${this.#cores.length} processors of ${profile.name}`,
      );
    }
    return core;
  }

  /** Takes a run of zeroed frames. @returns the first one's number @throws HardwareError OUT_OF_MEMORY */
  frames(count = 1, align = 1): number {
    const { memory } = this.platform;
    const first = count === 1 ? memory.allocate() : memory.allocateRun(count, align);
    if (first < 0) throw new HardwareError('OUT_OF_MEMORY', `count: there is no run of ${count} frames left`);
    memory.fill(first * PAGE_SIZE, count * PAGE_SIZE);
    return first;
  }

  /** An empty address space. @returns the frame of its top-level table, for `map` and `BareCore.load` */
  addressSpace(): number {
    const root = this.frames();
    this.#occupied.push({ first: root, count: 1, as: 'table' });
    return root;
  }

  /**
   * Maps a page: user-accessible, writable and backed by fresh frames, unless told otherwise. Flushes nothing.
   * @returns the first frame
   * @throws HardwareError naming the argument: an address that is not canonical, not aligned or mapped already, frames
   *   that are in use as a table or for another page
   */
  map(root: number, address: number, mapping: BareMapping = {}): number {
    const { size = PAGE_SIZE, alias = false } = mapping;
    const { memory } = this.platform;
    requireCanonical(address, 'address');
    const count = size / PAGE_SIZE;
    const found = walk(memory, root, address);
    if (found.present) throw new HardwareError('INVALID_ARGUMENT', `address: ${formatAddress(address)} is mapped already; unmap it first`);
    const frame = mapping.frame ?? this.#freshFrames(size);
    if (mapping.frame !== undefined && !alias) this.#requireFree(frame, count);
    mapPage(memory, root, address, { ...mapping, frame, flags: mapping.flags ?? Pte.user | Pte.writable }, size);
    this.#occupied.push({ first: frame, count, as: 'page' });
    this.#noteTables(root, address);
    return frame;
  }

  /** Clears the entry that maps `address`. What a TLB has cached stays in use until it is invalidated there. */
  unmap(root: number, address: number): void {
    requireCanonical(address, 'address');
    const { memory } = this.platform;
    const { entry, present, low, high, level } = walk(memory, root, address);
    if (!present) throw new HardwareError('INVALID_ARGUMENT', `address: ${formatAddress(address)} is not mapped`);
    const first = entryFrame(low, high);
    const count = (LEVEL_SPAN[level] as number) / PAGE_SIZE;
    const at = this.#occupied.findIndex((range) => range.as === 'page' && range.first === first && range.count === count);
    if (at >= 0) this.#occupied.splice(at, 1);
    memory.write32(entry, 0);
    memory.write32(entry + 4, 0);
  }

  /** Starts a program on a core, at the core's present time. */
  start(number: number, program: BareProgram): BareCore {
    const core = this.core(number);
    const { cpu } = core;
    cpu.context = new ProgramContext(program(core));
    if (cpu.halted) cpu.wake(Math.max(cpu.clock, this.platform.now));
    return core;
  }

  /**
   * Runs until all programs have returned or wait for ever, or until all cores have passed `until` (TSC cycles).
   * @returns 'deadlock' when nothing can happen any more, which is how a run without a limit ends
   */
  run(until?: number): RunEnd {
    return this.platform.run(until);
  }

  /** An exception raised by a context that is not a `BareProgram`. Programs raise theirs through `BareCore`. */
  #exception(cpu: Cpu, vector: number, code: number, address: number): TrapOutcome {
    const core = this.core(cpu.id);
    if (core.exception(vector, code, address) === 'retry') return TrapOutcome.DONE;
    throw new HardwareError(
      'INVALID_ARGUMENT',
      `onException answered skip on core ${cpu.id}, whose context executes instructions itself: answer retry, and move its instruction pointer`,
    );
  }

  #handle(cpu: Cpu, entry: number, handler: (core: BareCore) => void): void {
    const enabled = cpu.interruptsEnabled;
    const core = this.core(cpu.id);
    const { user } = core;
    core.leaveIdle();
    core.user = false;
    cpu.interruptsEnabled = false;
    cpu.charge(entry);
    handler(core);
    cpu.charge(HwStep.iret);
    core.user = user;
    cpu.interruptsEnabled = enabled;
    cpu.unblockNmi();
  }

  #freshFrames(size: number): number {
    if (size === PAGE_SIZE) return this.frames();
    if (size <= 0x20_0000) return this.frames(size / PAGE_SIZE, size / PAGE_SIZE);
    throw new HardwareError(
      'INVALID_ARGUMENT',
      'mapping.frame: a 1 GiB page needs a frame number; the model does not search for so long a run',
    );
  }

  #requireFree(first: number, count: number): void {
    for (const range of this.#occupied) {
      const overlaps = first < range.first + range.count && range.first < first + count;
      // The same page mapped at two addresses is shared memory, not an accident.
      const same = range.as === 'page' && range.first === first && range.count === count;
      if (!overlaps || same) continue;
      const what = range.as === 'table' ? 'a page table' : 'another page';
      throw new HardwareError(
        'INVALID_ARGUMENT',
        `mapping.frame: frames ${first} .. ${first + count - 1} overlap ${what} at ${range.first} .. ${range.first + range.count - 1}; ` +
          'take frames with frames(), or say alias: true',
      );
    }
  }

  /** Remembers the tables on the way to `address`. */
  #noteTables(root: number, address: number): void {
    const { memory } = this.platform;
    let table = root;
    for (let level = 4; level > 1; level--) {
      const entry = entryAddress(table, address, level);
      const low = memory.read32(entry);
      if ((low & Pte.pageSize) !== 0) return;
      table = entryFrame(low, memory.read32(entry + 4));
      const known = table;
      if (!this.#occupied.some(({ as, first }) => as === 'table' && first === known))
        this.#occupied.push({ first: table, count: 1, as: 'table' });
    }
  }
}

/** A generator as something that a core executes. */
class ProgramContext implements ExecutionContext {
  readonly #program: Generator<void, void>;

  constructor(program: Generator<void, void>) {
    this.#program = program;
  }

  resume(cpu: Cpu): void {
    do {
      if (this.#program.next().done === true) {
        cpu.context = HALTED;
        cpu.halt();
        return;
      }
    } while (cpu.hasTime && !cpu.halted);
  }
}

/** A core without a program: it takes interrupts, and halts again. */
const HALTED: ExecutionContext = {
  resume(cpu) {
    cpu.halt();
  },
};

function unhandled(core: BareCore, { vector, code, address }: BareException): ExceptionAnswer {
  const name =
    { [Exception.invalidOpcode]: '#UD', [Exception.generalProtection]: '#GP', [Exception.pageFault]: '#PF' }[vector] ?? `#${vector}`;
  throw new HardwareError(
    'UNHANDLED_EXCEPTION',
    `core ${core.cpu.id}: ${name} at ${formatAddress(address)}, error code 0x${code.toString(16)}; set onException to handle it`,
  );
}
