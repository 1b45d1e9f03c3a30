import {
  type Cpu,
  type CpuProfile,
  defaultProfile,
  HardwareError,
  Platform,
  type RunEnd,
  TimedEvent,
  type TrapHandler,
  Vector,
} from '@rpal/hw-x86';
import { setWeight } from '../core/policy.js';
import { SchedPolicy } from '../core/task.js';
import { CpuSet } from '../cpus/cpu-set.js';
import { SchedError } from '../errors.js';
import type { TaskGroup } from '../fair/task-group.js';
import { Scheduler, type SchedulerOptions } from '../scheduler.js';
import { SchedStep } from '../steps.js';
import { SimulatedTask, type Workload } from './simulated-task.js';

/** How to build a simulation. */
export interface SimulationOptions extends SchedulerOptions {
  /** Cores; at least 1. All under one last-level cache unless `coresPerCache` says otherwise. 1 by default. */
  readonly cores?: number;
  /** Hardware threads per core, 1 by default. CPU `i + cores` is the second thread of core `i`. */
  readonly threadsPerCore?: number;
  /** Cores that share a last-level cache; by default all. Must divide `cores`. */
  readonly coresPerCache?: number;
  /** Prices and features; by default the Xeon Platinum 8336C's. Its topology is replaced. */
  readonly profile?: CpuProfile;
  /** Seed of the machine's random generator; 1 by default. */
  readonly seed?: number;
}

/** How a task starts. */
export interface SpawnOptions {
  /** CPU on which it is created; 0 by default. The scheduler may place it elsewhere. */
  readonly cpu?: number;
  /** -20 .. 19; 0 by default. */
  readonly nice?: number;
  /** Scheduling policy (`SchedPolicy`); NORMAL by default. */
  readonly policy?: number;
  /** 1 .. 99 for the policies FIFO and RR; else 0, the default. */
  readonly priority?: number;
  /** Control group, made by `scheduler.createGroup`; by default the root. */
  readonly group?: TaskGroup;
  /** CPUs it may use; by default all. */
  readonly affinity?: readonly number[];
}

/** Ends a stretch of work: wakes the core that computes. */
class WorkDone extends TimedEvent {
  readonly #cpu: Cpu;

  constructor(cpu: Cpu) {
    super();
    this.#cpu = cpu;
  }

  override fire(): void {
    this.#cpu.wake(this.time);
  }
}

/**
 * The scheduler on its own: modelled cores, and tasks whose programs say when they run, sleep, wait and wake. What costs
 * time besides their work is what the scheduler itself does. There is no user memory and there are no system calls: a task
 * enters the kernel for free.
 */
export class Simulation implements TrapHandler {
  readonly platform: Platform;
  readonly scheduler: Scheduler;
  /** Every task started so far, in order. */
  readonly tasks: SimulatedTask[] = [];
  /** Tasks that have not ended. */
  alive = 0;
  readonly #workDone: readonly WorkDone[];
  readonly #startedAt: number;
  /** Where the last run ended, TSC cycles. While all CPUs sleep, nothing else tells the time. */
  #reached: number;

  constructor(options: SimulationOptions = {}) {
    const { cores = 1, seed = 1 } = options;
    if (!Number.isInteger(cores) || cores < 1)
      throw new SchedError('INVALID_ARGUMENT', `cores: ${cores} must be a whole number, at least 1`);
    const coresPerCache = options.coresPerCache ?? cores;
    if (cores % coresPerCache !== 0)
      throw new SchedError('INVALID_ARGUMENT', `coresPerCache: ${coresPerCache} does not divide the ${cores} cores`);
    const profile = options.profile ?? defaultProfile;
    const topology = { sockets: 1, coresPerSocket: cores, threadsPerCore: options.threadsPerCore ?? 1, coresPerCache, memoryPerSocket: 1 };
    this.platform = new Platform({ profile: { ...profile, topology }, seed });
    this.scheduler = new Scheduler(this.platform, options);
    this.#workDone = this.platform.cpus.map((cpu) => new WorkDone(cpu));
    for (const cpu of this.platform.cpus) cpu.trap = this;
    this.#startedAt = (this.platform.cpus[0] as Cpu).clock;
    this.#reached = this.#startedAt;
  }

  /** Nanoseconds since the machine was built. */
  get now(): number {
    const { running, costs } = this.platform;
    return ((running?.clock ?? this.#reached) - this.#startedAt) / costs.tscPerNs;
  }

  /** Starts a task. @throws SchedError INVALID_ARGUMENT for a CPU, nice value or affinity that the machine does not have */
  spawn(name: string, workload: Workload, options: SpawnOptions = {}): SimulatedTask {
    const { scheduler, platform } = this;
    const { cpu: on = 0, nice = 0, policy = SchedPolicy.NORMAL, priority = 0, affinity } = options;
    const cpus = platform.cpus.length;
    for (const id of [on, ...(affinity ?? [])]) {
      if (platform.cpus[id] === undefined) throw new SchedError('INVALID_ARGUMENT', `cpu: ${id} is not one of the CPUs 0 to ${cpus - 1}`);
    }
    if (affinity?.length === 0) throw new SchedError('INVALID_ARGUMENT', 'affinity: a task must be allowed on at least one CPU');
    if (!Number.isInteger(nice) || nice < -20 || nice > 19)
      throw new SchedError('INVALID_ARGUMENT', `nice: ${nice} must be a whole number from -20 to 19`);
    const schedClass = scheduler.queues.classes.of(policy);
    if (schedClass === undefined) throw new SchedError('INVALID_ARGUMENT', `policy: ${policy} has no scheduling class on this machine`);
    const cpu = platform.running ?? scheduler.cpuOf(on);
    const allowed = affinity === undefined ? scheduler.everyCpu : new CpuSet(cpus, affinity);
    const task = new SimulatedTask(this, scheduler.nextPid(), name, scheduler.cpuOf(on), allowed, workload);
    task.nice = nice;
    task.policy = policy;
    task.schedClass = schedClass;
    task.group = options.group ?? null;
    task.rtPriority = priority;
    task.ownPriority = priority;
    setWeight(task);
    this.tasks.push(task);
    this.alive++;
    if (cpu.halted) cpu.wake(Math.max(cpu.clock, this.#reached));
    scheduler.adopt(task, null);
    scheduler.wakeUpNew(cpu, task);
    return task;
  }

  /**
   * Lets `ns` nanoseconds pass, or less if all tasks end or nothing can happen any more. Accounting is brought up to date:
   * `task.entity.sumExec` holds what each task has run.
   */
  run(ns: number): RunEnd {
    const { platform, scheduler } = this;
    const until = this.#reached + Math.round(ns * platform.costs.tscPerNs);
    const end = platform.run(until);
    const now = end === 'until' ? until : Math.max(this.#reached, Math.min(platform.now, until));
    this.#reached = now;
    for (const cpu of platform.cpus) {
      if (cpu.halted && cpu.context !== scheduler.kernelMode) cpu.wake(Math.max(cpu.clock, now));
      scheduler.settle(cpu, now);
    }
    return end;
  }

  /** The task that `cpu` runs begins `cycles` of work. */
  beginWork(cpu: Cpu, cycles: number): void {
    cpu.halt();
    this.platform.arm(this.#workDone[cpu.id] as WorkDone, cpu.clock + cycles);
  }

  /** Work on `cpu` ends, or is interrupted. */
  endWork(cpu: Cpu): void {
    this.platform.queue.cancel(this.#workDone[cpu.id] as WorkDone);
  }

  syscall(cpu: Cpu): never {
    throw new HardwareError(
      'INVALID_OPCODE',
      `core ${cpu.id} executed SYSCALL in a simulation of the scheduler, which has no system calls`,
    );
  }

  exception(cpu: Cpu, vector: number): never {
    throw new HardwareError('UNHANDLED_EXCEPTION', `core ${cpu.id} raised exception ${vector} in a simulation of the scheduler`);
  }

  interrupt(cpu: Cpu, vector: number): void {
    const { scheduler } = this;
    const rq = scheduler.runQueue(cpu);
    const { context } = cpu;
    const idle = rq.current === rq.idle;
    if (context instanceof SimulatedTask) {
      context.pauseWork(cpu);
      cpu.interruptsEnabled = false;
    }
    if (idle) rq.leaveHalt();
    cpu.charge(idle ? SchedStep.interruptFromIdle : SchedStep.interruptEntry);
    if (vector === Vector.localTimer) scheduler.timerInterrupt(cpu);
    else if (vector === Vector.callFunctionSingle) scheduler.callFunctionInterrupt(cpu);
    if (!idle) cpu.charge(SchedStep.interruptExit);
    if (context instanceof SimulatedTask) context.returnToWork(cpu);
  }

  nmi(cpu: Cpu): void {
    cpu.charge(SchedStep.interruptEntry);
    cpu.unblockNmi();
  }
}
