import { type BareCore, BareMetal, type CostLevel, type CpuProfile, type ExceptionAnswer, PAGE_SIZE, Translations } from '@rpal/hw-x86';
import { ExokernelError } from '../errors.js';
import { type Filter, kernelCycles } from '../filters/filter.js';
import { Bindings, type TableLevel } from './bindings.js';
import type { Capability, Refusal } from './capability.js';
import { Environment, type EnvironmentProgram, REGISTERS, type Repossessed } from './environment.js';
import { FrameTable } from './frames.js';
import { PacketClaims } from './packet-claims.js';
import { ExoStep } from './steps.js';

/** How an exokernel is set up. */
export interface ExokernelOptions {
  readonly profile: CpuProfile;
  /** Which end of uncertain step costs; `central` by default. */
  readonly costs?: CostLevel;
  readonly seed?: number;
  /** Frames that environments may have together; 4096 by default. */
  readonly frames?: number;
  /** Microseconds of a time slice; 1000 by default. */
  readonly slice?: number;
}

/** A turn in the vector of time slices. */
interface Slot {
  readonly owner: Environment;
  /** Who runs in it: a synchronous transfer hands it on. */
  runner: Environment;
}

/** Pages that the kernel has asked for. */
interface Revocation {
  readonly environment: Environment;
  /** How many pages it may keep. */
  readonly keeps: number;
  /** TSC cycles: from then on they are taken. */
  readonly deadline: number;
}

/**
 * An exokernel on one core: it shares out frames and time slices, holds what programs do with them against capabilities, and hands everything
 * else to them: exceptions, page tables, calls of each other, what to give back.
 */
export class Exokernel {
  readonly machine: BareMetal;
  readonly core: BareCore;
  readonly frames: FrameTable;
  readonly environments: Environment[] = [];
  readonly claims: PacketClaims = new PacketClaims();
  readonly #bindings: Bindings;
  readonly #slice: number;
  readonly #pcids: boolean;
  /** Slots in the order of their turns. */
  readonly #slots: Slot[] = [];
  /** Environments of which the TLB may have something that holds no longer. */
  readonly #stale: Set<Environment> = new Set();
  readonly #revocations: Revocation[] = [];
  /** Whose turn it is: an index of slots. */
  #turn = -1;
  #current: Environment | null = null;
  #sliceEnd = 0;

  /** @throws ExokernelError USAGE for fewer than one frame, or no time */
  constructor({ profile, costs = 'central', seed = 1, frames = 4096, slice = 1000 }: ExokernelOptions) {
    if (!Number.isInteger(frames) || frames < 1) throw new ExokernelError('USAGE', `frames: ${frames} is not a whole number above 0`);
    if (!(slice > 0)) throw new ExokernelError('USAGE', `slice: ${slice} is not a time above 0`);
    this.machine = new BareMetal({ profile, costs, seed });
    const { platform } = this.machine;
    this.core = this.machine.core(0);
    this.frames = new FrameTable(platform.memory, frames, seed);
    this.#bindings = new Bindings(platform.memory, this.frames, (environment, address) => this.#invalidate(environment, address));
    this.#slice = Math.round(slice * 1000 * platform.costs.tscPerNs);
    this.#pcids = profile.features.pcid;
    this.machine.onException = (_core, trap): ExceptionAnswer => {
      const current = this.#current as Environment;
      this.core.cpu.charge(ExoStep.forward);
      current.faulted ||= !current.trap(trap);
      return 'skip';
    };
  }

  /** A program with page tables, and a time slice, of its own. */
  environment(name: string, program: EnvironmentProgram): Environment {
    const id = this.environments.length + 1;
    if (id > 4095) throw new ExokernelError('USAGE', `environment: ${name} would be the ${id}th; there are PCIDs for 4095`);
    const root = this.machine.frames();
    const environment = new Environment(this, id, name, { root, pcid: this.#pcids ? id : 0 }, program);
    this.environments.push(environment);
    this.#slots.push({ owner: environment, runner: environment });
    return environment;
  }

  /**
   * Runs until no program can go on.
   * @param patience milliseconds of the machine after which it gives up
   * @returns environments whose programs wait for something that will not come
   * @throws ExokernelError RUN_FAILED if some still run then
   */
  run(patience = 100): readonly Environment[] {
    const { platform } = this.machine;
    const kernel = this;
    this.machine.start(0, function* () {
      while (kernel.#turnOf()) yield;
      platform.stop();
    });
    const end = this.machine.run(platform.now + Math.round(patience * 1e6 * platform.costs.tscPerNs));
    const left = this.environments.filter(({ dead }) => !dead);
    if (end === 'stopped') return left;
    throw new ExokernelError('RUN_FAILED', `after ${patience} ms programs still run: ${left.map(({ name }) => name).join(', ')}`);
  }

  /**
   * Wants pages back: asks the library for them, and takes them if it has not freed as many in time.
   * @param patience microseconds that it has
   */
  revoke(environment: Environment, pages: number, patience: number): void {
    const keeps = Math.max(0, environment.pages - pages);
    const deadline = this.core.cpu.clock + Math.round(patience * 1000 * this.machine.platform.costs.tscPerNs);
    this.#revocations.push({ environment, keeps, deadline });
    if (environment.entries.revoke !== null) environment.upcall(environment.entries.revoke(pages));
  }

  /** A packet has come: code of filters says whose it is, and that one is entered. @returns whether it is anybody's */
  receive(packet: Uint8Array): boolean {
    const { cpu } = this.core;
    const { owner, instructions } = this.claims.classify(packet);
    cpu.chargeCycles(ExoStep.classify, Math.round(kernelCycles(cpu.costs, instructions)));
    if (owner === null || owner.entries.packet === null) return false;
    owner.upcall(owner.entries.packet(packet));
    return true;
  }

  /** @throws ExokernelError USAGE for a filter that makes no sense */
  claim(environment: Environment, filter: Filter): void {
    this.core.cpu.chargeTimes(ExoStep.compile, this.claims.add(environment, filter));
  }

  /** A protected control transfer: registers and the CPU go to another environment at its entry. @param synchronous of `TransferMode` */
  transfer(from: Environment, to: number, words: readonly number[], synchronous: boolean): Refusal | null {
    const { core } = this;
    core.user = false;
    core.cpu.charge(ExoStep.transfer);
    const callee = this.environments[to - 1];
    const refused = callee === undefined ? 'PEER_DIED' : callee.ready(from.id);
    if (callee !== undefined && refused === null) {
      const slot = this.#slots[this.#turn] as Slot;
      // Who runs in what was left of somebody else's turn cannot give the later ones away.
      if (synchronous && slot.runner === from) slot.runner = callee;
      callee.enter({ from: from.id, words: words.slice(0, REGISTERS), synchronous });
      this.#load(callee);
    }
    core.user = true;
    return refused;
  }

  /** The rest of a turn goes to another environment. */
  yield(from: Environment, to: number | undefined): Refusal | null {
    const { core } = this;
    core.user = false;
    core.cpu.charge(ExoStep.systemCall);
    core.cpu.charge(ExoStep.switchSlot);
    const next = to === undefined ? this.#next() : this.environments[to - 1];
    if (next !== from && next?.runnable === true) this.#load(next);
    core.user = true;
    return to !== undefined && next?.dead !== false ? 'PEER_DIED' : null;
  }

  allocate(environment: Environment): Capability | Refusal {
    const { cpu } = this.core;
    cpu.charge(ExoStep.frame);
    const capability = this.frames.allocate(environment);
    if (capability === null) return 'NO_MEMORY';
    cpu.chargeBytes(ExoStep.zero, PAGE_SIZE);
    this.machine.platform.memory.fill(capability.frame * PAGE_SIZE, PAGE_SIZE);
    return capability;
  }

  free(environment: Environment, capability: Capability): Refusal | null {
    const { cpu } = this.core;
    cpu.charge(ExoStep.check);
    const frame = this.frames.find(capability);
    if (frame === null) return 'FORGED';
    if (frame.owner !== environment) return 'NOT_OWNER';
    if (frame.table) return 'IN_USE';
    cpu.charge(ExoStep.frame);
    this.#bindings.breakAll(frame);
    this.frames.free(frame);
    return null;
  }

  weaken(capability: Capability): Capability | Refusal {
    this.core.cpu.charge(ExoStep.check);
    return this.frames.find(capability) === null ? 'FORGED' : this.frames.readOnly(capability.frame);
  }

  bindTable(environment: Environment, capability: Capability, address: number, level: TableLevel): Refusal | null {
    const { cpu } = this.core;
    cpu.charge(ExoStep.check);
    cpu.charge(ExoStep.entry);
    const refused = this.#bindings.bindTable(environment, capability, address, level);
    if (refused === null) cpu.chargeBytes(ExoStep.zero, PAGE_SIZE);
    return refused;
  }

  bind(environment: Environment, capability: Capability, address: number, writable: boolean): Refusal | null {
    this.core.cpu.charge(ExoStep.check);
    this.core.cpu.charge(ExoStep.entry);
    return this.#bindings.bind(environment, capability, address, writable);
  }

  restrict(environment: Environment, address: number): Refusal | null {
    this.core.cpu.charge(ExoStep.entry);
    return this.#bindings.restrict(environment, address);
  }

  unbind(environment: Environment, address: number): Refusal | null {
    this.core.cpu.charge(ExoStep.entry);
    return this.#bindings.unbind(environment, address);
  }

  /** One step of whoever has the CPU. @returns whether anybody wants it */
  #turnOf(): boolean {
    this.#takeWhatIsDue();
    const current = this.#current;
    if (current === null || !current.runnable || this.core.cpu.clock >= this.#sliceEnd) return this.#endSlice();
    current.step();
    if (current.faulted || current.finished) this.#end(current);
    return true;
  }

  /** The next slot whose runner wants the CPU has its turn. */
  #endSlice(): boolean {
    const next = this.#next();
    if (next === null) return this.#revocations.length > 0 && this.#awaitDeadline();
    const { core } = this;
    core.user = false;
    core.cpu.charge(ExoStep.sliceEnd);
    this.#sliceEnd = core.cpu.clock + this.#slice;
    this.#load(next);
    core.user = true;
    return true;
  }

  /** Moves to the next slot whose runner wants the CPU. @returns that runner; null if there is none */
  #next(): Environment | null {
    for (let i = 1; i <= this.#slots.length; i++) {
      const turn = (this.#turn + i) % this.#slots.length;
      const { runner } = this.#slots[turn] as Slot;
      if (!runner.runnable) continue;
      this.#turn = turn;
      return runner;
    }
    return null;
  }

  /** Nobody wants the CPU until pages are due. */
  #awaitDeadline(): boolean {
    const { cpu } = this.core;
    const due = Math.min(...this.#revocations.map(({ deadline }) => deadline));
    cpu.chargeCycles(ExoStep.idle, Math.max(0, due - cpu.clock));
    return true;
  }

  /** Takes pages that were asked for and not freed in time. */
  #takeWhatIsDue(): void {
    const { cpu } = this.core;
    for (let i = this.#revocations.length - 1; i >= 0; i--) {
      const { environment, keeps, deadline } = this.#revocations[i] as Revocation;
      if (environment.dead || environment.pages <= keeps) this.#revocations.splice(i, 1);
      else if (cpu.clock >= deadline) {
        this.#revocations.splice(i, 1);
        this.#abort(environment, keeps);
      }
    }
  }

  /** Breaks an environment's bindings to its newest pages and takes them. Page tables stay: they are what it was guaranteed. */
  #abort(environment: Environment, keeps: number): void {
    const { core } = this;
    core.user = false;
    const taken: Repossessed[] = [];
    const pages = this.frames.of(environment).filter(({ table }) => !table);
    for (const frame of pages.slice(keeps)) {
      core.cpu.charge(ExoStep.abort);
      taken.push({ frame: frame.number, addresses: this.#bindings.breakAll(frame) });
      this.frames.free(frame);
    }
    core.user = true;
    if (environment.entries.repossess !== null) environment.upcall(environment.entries.repossess(taken));
  }

  /** Everything that an environment had goes back, and whoever waits for it is told. */
  #end(environment: Environment): void {
    const { core } = this;
    core.user = false;
    core.cpu.charge(ExoStep.end);
    environment.dead = true;
    this.claims.leave(environment);
    this.#bindings.leave(environment);
    for (const frame of this.frames.of(environment)) {
      // A table, too: somebody may have been given a capability to read it.
      this.#bindings.breakAll(frame);
      this.frames.free(frame);
    }
    this.machine.platform.memory.free(environment.root);
    const turn = this.#slots.findIndex(({ owner }) => owner === environment);
    this.#slots.splice(turn, 1);
    if (this.#turn >= turn) this.#turn--;
    for (const slot of this.#slots) if (slot.runner === environment) slot.runner = slot.owner;
    for (const other of this.environments) if (!other.dead) other.bereave(environment.id);
    this.#stale.delete(environment);
    if (this.#current === environment) this.#current = null;
    else core.user = true;
  }

  /** Loads an environment's page tables; what the TLB has of them stays unless some of it holds no longer. */
  #load(environment: Environment): void {
    const keep = this.#pcids && !this.#stale.delete(environment);
    this.core.load(environment.root, environment.pcid, keep ? Translations.KEEP : Translations.DROP);
    this.#current = environment;
  }

  #invalidate(environment: Environment, address: number): void {
    if (environment === this.#current && !environment.dead) this.core.invlpg(address);
    else this.#stale.add(environment);
  }
}
