import { type BareCore, Exception, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import type { Refusal } from '../caps/capability.js';
import { CapabilitySpace } from '../caps/capability-space.js';
import type { Routine } from '../urpc/words.js';
import type { Dispatcher, DomainProgram } from './dispatcher.js';
import { KernelStep } from './steps.js';

/** The kernel's pages, in every address space, one for each core: the dispatchers' control blocks, and the nodes of capability spaces. */
const CONTROL_BLOCKS = 0x10_0000;
const CAPABILITY_NODES = 0x20_0000;
/** A dispatcher's own pages: what it shares with the kernel, its stack, and its code. */
const DISPATCHER = 0x40_0000;
const STACK = 0x50_0000;
const CODE = [0x60_0000, 0x70_0000];
/** Bytes of a control block. */
const CONTROL_BLOCK = 256;

/**
 * The kernel of one core. It shares no memory with those of other cores. It runs one dispatcher at a time, with interrupts off in between,
 * hands LRPCs over, and checks capabilities; whatever concerns several cores is the monitors'.
 */
export class CpuDriver {
  readonly core: BareCore;
  readonly capabilities: CapabilitySpace = new CapabilitySpace();
  readonly #dispatchers: Dispatcher[] = [];
  readonly #programs: Map<Dispatcher, Routine> = new Map();
  readonly #monitorSlots: Map<Dispatcher, number> = new Map();
  readonly #replySlots: Map<Dispatcher, number> = new Map();
  readonly #kernelFrames: readonly [blocks: number, nodes: number];
  readonly #slice: number;
  readonly #changed: () => void;
  #current: Dispatcher | null = null;
  /** Who is to run next, if it is not the present one. */
  #next: Dispatcher | null = null;
  #sliceEnd = 0;

  /** @param slice TSC cycles after which another dispatcher has its turn @param changed called when a dispatcher blocks or has ended */
  constructor(core: BareCore, frames: readonly [number, number], slice: number, changed: () => void) {
    this.core = core;
    this.#kernelFrames = frames;
    this.#slice = slice;
    this.#changed = changed;
  }

  /** The first dispatcher of the core. */
  get monitor(): Dispatcher {
    return this.#dispatchers[0] as Dispatcher;
  }

  /** Dispatchers that have not come to their ends. */
  get alive(): readonly Dispatcher[] {
    return this.#dispatchers.filter(({ dead }) => !dead);
  }

  /** A dispatcher of this core, dead or alive. */
  dispatcher(id: number): Dispatcher | undefined {
    return this.#dispatchers.find((candidate) => candidate.id === id);
  }

  /**
   * Takes a dispatcher on: maps the kernel and its own pages, and gives it an endpoint of the monitor, and the monitor one of it.
   * @param map maps a page, of a fresh frame unless one is given
   */
  add(dispatcher: Dispatcher, program: DomainProgram, map: (address: number, flags: number, frame?: number) => void): void {
    const [blocks, nodes] = this.#kernelFrames;
    map(this.#page(CONTROL_BLOCKS), Pte.writable, blocks);
    map(this.#page(CAPABILITY_NODES), Pte.writable, nodes);
    for (const base of [DISPATCHER, STACK]) map(this.#page(base), Pte.user | Pte.writable);
    for (const base of CODE) map(this.#page(base), Pte.user);
    this.#dispatchers.push(dispatcher);
    this.#programs.set(dispatcher, startedLate(dispatcher, program));
    this.#monitorSlots.set(dispatcher, this.endpoint(dispatcher, this.monitor));
    this.#replySlots.set(dispatcher, this.endpoint(this.monitor, dispatcher));
  }

  /** Gives `to` an endpoint whose receiver is another dispatcher of this core. @returns its slot */
  endpoint(to: Dispatcher, receiver: Dispatcher): number {
    return this.capabilities.insert(to.id, { type: 'endpoint', first: 0, count: 0, writable: true, receiver: receiver.id });
  }

  /** The slot in which a dispatcher has an endpoint of the monitor. */
  monitorSlot(dispatcher: Dispatcher): number {
    return this.#monitorSlots.get(dispatcher) as number;
  }

  /** The slot in which the monitor has an endpoint of a dispatcher. */
  endpointOf(dispatcher: Dispatcher): number {
    return this.#replySlots.get(dispatcher) as number;
  }

  /** Invalidates translations of this core, for the monitor. */
  invalidate(addresses: readonly number[]): void {
    if (addresses.length === 0) return;
    const { core } = this;
    this.#enterKernel(this.#current as Dispatcher);
    for (const address of addresses) core.invlpg(address);
    this.#leaveKernel();
  }

  /** What the core executes for ever: dispatchers in turn. */
  *run(): Routine {
    this.#enter(this.monitor);
    for (;;) {
      const current = this.#current as Dispatcher;
      const { done } = (this.#programs.get(current) as Routine).next();
      if (done === true || current.faulted) this.#end(current);
      else if (this.#next === null && this.core.cpu.clock >= this.#sliceEnd) this.rotate();
      if (this.#next !== null) this.#switch(this.#next);
      yield;
    }
  }

  /** An LRPC: hands the core over to the receiver of an endpoint, and the words with it. */
  lrpc(from: Dispatcher, slot: number, words: readonly number[]): Refusal | null {
    const { core } = this;
    this.#enterKernel(from);
    const endpoint = this.capabilities.find(from.id, slot);
    core.read64(this.#page(CAPABILITY_NODES) + (slot % 64) * 64);
    core.cpu.charge(KernelStep.lrpcPath);
    const receiver = endpoint?.type === 'endpoint' ? this.dispatcher(endpoint.receiver) : undefined;
    const refused = endpoint === undefined ? 'NO_CAPABILITY' : receiver === undefined ? 'WRONG_TYPE' : this.#unready(receiver);
    if (refused !== null || receiver === undefined) {
      this.#leaveKernel();
      return refused;
    }
    receiver.inbox = { from: from.id, words };
    receiver.blocked = false;
    this.#next = receiver;
    return null;
  }

  /** The dispatcher waits: somebody else runs, if anybody can. */
  block(dispatcher: Dispatcher): void {
    this.#changed();
    if (this.#next === null) this.#next = this.#runnableAfter(dispatcher);
  }

  /** The next one's turn, if another can run. */
  rotate(): void {
    const current = this.#current as Dispatcher;
    this.#sliceEnd = this.core.cpu.clock + this.#slice;
    if (this.#next === null) this.#next = this.#runnableAfter(current);
    if (this.#next === current) this.#next = null;
  }

  /** Page faults and the like of a program: it has done what it may not. */
  exception(vector: number): 'skip' {
    if (this.#current !== null && vector !== Exception.invalidOpcode) this.#current.faulted = true;
    return 'skip';
  }

  /** Ends a dispatcher, whatever it does: its capabilities go, and nobody reaches it any more. */
  #end(dispatcher: Dispatcher): void {
    this.core.cpu.charge(KernelStep.killDomain);
    dispatcher.dead = true;
    dispatcher.inbox = null;
    this.#programs.get(dispatcher)?.return();
    this.#programs.delete(dispatcher);
    const reply = this.endpointOf(dispatcher);
    this.capabilities.remove([
      ...this.capabilities.of(dispatcher.id),
      ...this.capabilities.of(this.monitor.id).filter(({ number }) => number === reply),
    ]);
    this.#next = this.#runnableAfter(dispatcher);
    this.#changed();
  }

  #unready(receiver: Dispatcher): Refusal | null {
    if (receiver.dead) return 'PEER_DIED';
    return receiver.inbox === null ? null : 'BUSY';
  }

  /** Who runs after a dispatcher, in the order in which they came; itself if nobody else can. */
  #runnableAfter(dispatcher: Dispatcher): Dispatcher {
    const all = this.#dispatchers;
    const at = all.indexOf(dispatcher);
    for (let i = 1; i <= all.length; i++) {
      const candidate = all[(at + i) % all.length] as Dispatcher;
      if (!candidate.dead && !candidate.blocked) return candidate;
    }
    return this.monitor;
  }

  #switch(to: Dispatcher): void {
    const from = this.#current as Dispatcher;
    this.#next = null;
    if (to === from && this.core.user) return;
    this.#enterKernel(from);
    if (to === from) this.#leaveKernel();
    else this.#enter(to);
  }

  /** From user mode into the kernel: the dispatcher's registers go into its control block. */
  #enterKernel({ id }: Dispatcher): void {
    const { core } = this;
    if (!core.user) return;
    core.user = false;
    core.cpu.charge(KernelStep.systemCall);
    core.write64(this.#block(id), id);
  }

  #leaveKernel(): void {
    this.core.cpu.charge(KernelStep.systemReturn);
    this.core.user = true;
  }

  /** Loads a dispatcher's address space and enters it where it takes messages: what the TLB had is gone, and its pages are walked to. */
  #enter(dispatcher: Dispatcher): void {
    const { core } = this;
    this.#current = dispatcher;
    this.#sliceEnd = core.cpu.clock + this.#slice;
    core.load(dispatcher.space.root);
    core.write64(this.#block(dispatcher.id), dispatcher.id);
    this.#leaveKernel();
    for (const base of CODE) core.fetch(this.#page(base));
    core.write64(this.#page(DISPATCHER), dispatcher.id);
    core.write64(this.#page(STACK), dispatcher.id);
    core.cpu.charge(KernelStep.upcall);
  }

  #page(base: number): number {
    return base + this.core.cpu.id * PAGE_SIZE;
  }

  #block(id: number): number {
    return this.#page(CONTROL_BLOCKS) + (id % (PAGE_SIZE / CONTROL_BLOCK)) * CONTROL_BLOCK;
  }
}

/** A program that begins when it first runs: what it is given is complete by then. */
function* startedLate(dispatcher: Dispatcher, program: DomainProgram): Routine {
  yield* program(dispatcher);
}
