import { Access, type Cpu, type Platform, Touch } from '@rpal/hw-x86';
import { MemoryManager, type MmStruct, mmap, userPage } from '@rpal/mm';
import { type Scheduler, type SimulatedTask, Simulation, Task } from '@rpal/sched';
import { MapFlag, Prot } from '@rpal/uapi';
import { type Caller, FdTable, OperationSet, Pending } from '../src/index.js';

/** A call on a file: what a system call would make of it, with its result or what `Pending` says. */
export type FileCall = (cpu: Cpu, caller: Caller) => number;

/** What an actor does: it yields calls, and gets their results back. */
export type Role = (actor: Actor) => Generator<FileCall, void, number>;

/** Bytes that each actor has to itself in the memory that all share. */
const ROOM = 0x2_0000;
const MOST = 32;

/** A task that makes calls on files, sleeps in them, and is woken. */
export class Actor {
  readonly lab: Lab;
  readonly caller: Caller;
  readonly task: SimulatedTask;
  /** Its memory: 128 KiB. */
  readonly buffer: number;
  /** Signals that its calls have raised. */
  readonly raised: number[] = [];
  ended = false;

  constructor(lab: Lab, task: SimulatedTask, buffer: number) {
    this.lab = lab;
    this.task = task;
    this.buffer = buffer;
    this.caller = lab.callerFor(task, this.raised);
  }

  /** A signal comes: an interruptible sleep ends. */
  interrupt(cpu: Cpu): void {
    this.task.signalPending = true;
    this.lab.scheduler.wakeUp(cpu, this.task);
  }
}

/**
 * Files without a kernel: CPUs, a scheduler, one address space, and tasks that call files directly. `call` is for what does not sleep;
 * actors are for what does.
 */
export class Lab {
  readonly simulation: Simulation;
  readonly platform: Platform;
  readonly scheduler: Scheduler;
  readonly manager: MemoryManager;
  readonly memory: MmStruct;
  readonly cpu: Cpu;
  /** Memory of whoever uses `caller`. */
  readonly buffer: number;
  readonly files: FdTable = new FdTable();
  /** Signals that calls of `caller` have raised. */
  readonly signals: number[] = [];
  /** On whose behalf calls are made that do not sleep: a task that is never scheduled. */
  readonly caller: Caller;
  readonly #actors: Actor[] = [];
  #rooms = 1;

  constructor(cores = 2) {
    this.simulation = new Simulation({ cores: cores + 1 });
    ({ platform: this.platform, scheduler: this.scheduler } = this.simulation);
    this.cpu = this.platform.cpus[0] as Cpu;
    this.manager = new MemoryManager(this.platform);
    this.memory = this.manager.create(this.cpu);
    for (const cpu of this.platform.cpus) {
      cpu.beginTurn(Number.POSITIVE_INFINITY);
      this.memory.activate(cpu);
    }
    this.buffer = mmap(this.cpu, this.memory, 0, ROOM * MOST, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
    // A CPU that is not for actors keeps time going.
    this.simulation.spawn('clock', worksForEver, { cpu: cores, affinity: [cores] });
    this.caller = this.callerFor(new Task(1, 'lab', this.cpu, this.memory, this.scheduler.everyCpu, { run: () => 0 }), this.signals);
  }

  callerFor(task: Task, signals: number[]): Caller {
    const raise = (_cpu: Cpu, signal: number) => signals.push(signal);
    const credentials = { pid: task.pid, uid: 0, gid: 0 };
    return {
      task,
      memory: this.memory,
      operation: null,
      operations: new OperationSet(),
      iov: null,
      credentials,
      fileSizeLimit: Number.POSITIVE_INFINITY,
      raise,
    };
  }

  /** Makes a call that must not sleep. */
  call(call: FileCall): number {
    const { cpu } = this;
    // An idle CPU's clock stands still.
    if (cpu.halted) cpu.advanceTo(Math.max(cpu.clock, this.platform.now));
    const result = call(cpu, this.caller);
    if (result <= Pending.AGAIN) throw new Error('the call sleeps: it takes an actor to make it');
    return result;
  }

  /** Starts a task on a CPU, pinned to it. It runs when the lab does. */
  actor(role: Role, cpu = 0): Actor {
    const buffer = this.buffer + ROOM * this.#rooms++;
    const actor: Actor = new Actor(
      this,
      this.simulation.spawn(`actor ${this.#rooms}`, (task) => play(() => actor, task, role), { cpu, affinity: [cpu] }),
      buffer,
    );
    this.#actors.push(actor);
    return actor;
  }

  /** Lets time pass, whether or not anything happens. */
  run(ns = 1e7): void {
    // What was called outside may have woken somebody on a CPU that is idle.
    for (const cpu of this.platform.cpus) {
      if (cpu.halted && this.scheduler.current(cpu).needResched) cpu.wake(Math.max(cpu.clock, this.platform.now));
    }
    this.simulation.run(ns);
  }

  /** Runs, and wants all actors to have come to their ends. */
  finish(ns = 1e7): void {
    this.run(ns);
    const stuck = this.#actors.filter(({ ended }) => !ended).map(({ task }) => `${task.name} in state ${task.state}`);
    if (stuck.length > 0) throw new Error(`these have not ended: ${stuck.join(', ')}`);
  }

  /** Cycles spent so far on a step, on all CPUs. */
  spentOn(step: number): number {
    return this.platform.cpus.reduce((sum, { ownLedger }) => sum + ownLedger.booked(step), 0);
  }

  /** Stores a text in memory. @returns its length */
  store(address: number, text: string): number {
    for (let i = 0; i < text.length; i++) this.cpu.memory.write8(this.#at(address + i, Access.user | Access.write), text.charCodeAt(i));
    return text.length;
  }

  /** The text of `length` bytes in memory. */
  text(address: number, length: number): string {
    return String.fromCharCode(...Array.from({ length }, (_, i) => this.cpu.memory.read8(this.#at(address + i, Access.user))));
  }

  word(address: number): number {
    return this.cpu.memory.read32(this.#at(address, Access.user)) >>> 0;
  }

  storeWord(address: number, value: number): void {
    this.cpu.memory.write32(this.#at(address, Access.user | Access.write), value | 0);
  }

  #at(address: number, access: number): number {
    let at = this.cpu.data(address, access);
    if (at < 0) {
      // Touched for the first time.
      this.touch(address);
      at = this.cpu.data(address, access);
    }
    return at;
  }

  /** Makes the page at `address` present and writable. */
  touch(address: number): void {
    userPage(this.cpu, this.memory, address, Touch.STORE);
  }
}

function* worksForEver(task: SimulatedTask): Generator<void, void, void> {
  for (;;) yield task.work(1e9);
}

function* play(self: () => Actor, task: SimulatedTask, role: Role): Generator<void, void, void> {
  const actor = self();
  const calls = role(actor);
  let result = 0;
  for (let step = calls.next(); step.done !== true; step = calls.next(result)) {
    const call = step.value;
    let begun = false;
    yield task.waitFor((cpu) => {
      for (;;) {
        result = begun ? (actor.caller.operation?.step(cpu) as number) : call(cpu, actor.caller);
        begun = true;
        if (result === Pending.SLEEP) return false;
        if (result > Pending.AGAIN) return true;
      }
    });
  }
  actor.ended = true;
}
