import { type Cpu, type ExecutionContext, HwStep } from '@rpal/hw-x86';
import { type KernelPath, PathResult, Task, TaskState } from '../core/task.js';
import { SleepTimer } from '../core/timer.js';
import type { CpuSet } from '../cpus/cpu-set.js';
import { SchedStep } from '../steps.js';
import { autoremoveWake, WaitEntry, type WaitQueue } from '../sync/wait-queue.js';
import type { Simulation } from './simulation.js';

/**
 * The program of a simulated task. It calls one of the task's methods and yields, again and again:
 *
 * ```
 * function* worker(task) { for (;;) { yield task.work(3e6); yield task.sleep(1e6); } }
 * ```
 */
export type Workload = (task: SimulatedTask) => Generator<void, void, void>;

const Act = { NEXT: 0, WORK: 1, SLEEP: 2, YIELD: 3, WAIT: 4, KERNEL: 5, TRY: 6, EXIT: 7 } as const;

/** A placeholder until the task can name itself. */
const unset: KernelPath = { run: () => PathResult.SCHEDULE };

/** A task of a `Simulation`: its own user mode, and its own way through the kernel. */
export class SimulatedTask extends Task implements KernelPath, ExecutionContext {
  readonly #simulation: Simulation;
  readonly #program: Generator<void, void, void>;
  readonly #timer: SleepTimer;
  readonly #entry: WaitEntry;
  #act: number = Act.NEXT;
  /** Cycles of work left; those of a sleep, until it has begun. */
  #left = 0;
  /** When the present stretch of work began, TSC cycles; -1 outside. */
  #since = -1;
  #waiting = false;
  #queue: WaitQueue | null = null;
  #attempt: ((cpu: Cpu) => boolean) | null = null;
  #inKernel: ((cpu: Cpu) => void) | null = null;
  /** The last `sleep` or `wait` ended because of its timer. */
  timedOut = false;
  ended = false;

  constructor(simulation: Simulation, pid: number, name: string, cpu: Cpu, affinity: CpuSet, workload: Workload) {
    super(pid, name, cpu, null, affinity, unset);
    this.path = this;
    this.#simulation = simulation;
    this.#program = workload(this);
    this.#entry = new WaitEntry(autoremoveWake(simulation.scheduler), this);
    this.#timer = new SleepTimer(simulation.scheduler, (on) => {
      this.timedOut = true;
      simulation.scheduler.wakeUp(on, this);
    });
  }

  /** Works for `ns` nanoseconds of CPU time. */
  work(ns: number): void {
    this.#act = Act.WORK;
    this.#left = Math.max(1, Math.round(ns * this.#simulation.platform.costs.tscPerNs));
  }

  /** Sleeps for `ns` nanoseconds, interruptibly. */
  sleep(ns: number): void {
    this.#act = Act.SLEEP;
    this.#left = ns;
  }

  /** sched_yield. */
  yield(): void {
    this.#act = Act.YIELD;
  }

  /** Waits in `queue` until woken. @param exclusive one of many: `wake` counts it */
  wait(queue: WaitQueue, exclusive = false): void {
    this.#act = Act.WAIT;
    this.#queue = queue;
    this.#entry.exclusive = exclusive;
  }

  /**
   * Sleeps until `attempt` succeeds: `task.waitFor((cpu) => mutex.lock(cpu, task))`. An attempt that fails must have prepared
   * the task to sleep.
   */
  waitFor(attempt: (cpu: Cpu) => boolean): void {
    this.#act = Act.TRY;
    this.#attempt = attempt;
  }

  /** Does something in the kernel, on the CPU that the task runs on: wakes others, say. */
  inKernel(action: (cpu: Cpu) => void): void {
    this.#act = Act.KERNEL;
    this.#inKernel = action;
  }

  /** User mode: the program goes on until it works or enters the kernel. */
  resume(cpu: Cpu): void {
    this.pauseWork(cpu);
    if (this.#act === Act.WORK && this.#left === 0) this.#act = Act.NEXT;
    if (this.#act === Act.NEXT && this.#program.next().done === true) this.#act = Act.EXIT;
    if (this.#act === Act.WORK) {
      this.#since = cpu.clock;
      this.#simulation.beginWork(cpu, this.#left);
      return;
    }
    cpu.interruptsEnabled = false;
    cpu.context = this.#simulation.scheduler.kernelMode;
  }

  /** The core has stopped computing: its time is booked as work. */
  pauseWork(cpu: Cpu): void {
    if (this.#since < 0) return;
    const done = cpu.clock - this.#since;
    this.#since = -1;
    this.#left = Math.max(0, this.#left - done);
    this.#simulation.endWork(cpu);
    cpu.ownLedger.book(HwStep.idle, -done);
    cpu.ownLedger.book(SchedStep.simulatedWork, done);
  }

  /** The end of an interrupt that came while the task worked. */
  returnToWork(cpu: Cpu): void {
    if (this.needResched) cpu.context = this.#simulation.scheduler.kernelMode;
    else cpu.interruptsEnabled = true;
  }

  /** Kernel mode: what the program asked for, then back. */
  run(cpu: Cpu): PathResult {
    const { scheduler } = this.#simulation;
    switch (this.#act) {
      case Act.SLEEP:
        if (this.#sleeps(cpu)) return PathResult.SCHEDULE;
        break;
      case Act.WAIT:
        if (this.#waits(cpu)) return PathResult.SCHEDULE;
        break;
      case Act.TRY:
        if (this.#attempt?.(cpu) === false) return PathResult.SCHEDULE;
        break;
      case Act.YIELD:
        this.#act = Act.NEXT;
        scheduler.yieldTask(cpu);
        return PathResult.CONTINUE;
      case Act.KERNEL:
        this.#act = Act.NEXT;
        this.#inKernel?.(cpu);
        return PathResult.CONTINUE;
      case Act.EXIT:
        this.state = TaskState.DEAD;
        this.ended = true;
        if (--this.#simulation.alive === 0) this.#simulation.platform.stop();
        return PathResult.SCHEDULE;
      default:
        break;
    }
    if (this.#act !== Act.WORK) this.#act = Act.NEXT;
    if (this.needResched) {
      scheduler.preempt(cpu);
      return PathResult.CONTINUE;
    }
    cpu.interruptsEnabled = true;
    cpu.context = this;
    if (cpu.interruptible) cpu.endTurnBy(0);
    return PathResult.CONTINUE;
  }

  #sleeps(cpu: Cpu): boolean {
    if (!this.#waiting) {
      this.#waiting = true;
      this.timedOut = false;
      this.#timer.start(cpu, this.#left);
    }
    if (!this.timedOut) {
      this.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, this.#timer);
      return true;
    }
    this.#waiting = false;
    return false;
  }

  #waits(cpu: Cpu): boolean {
    if (this.#waiting) {
      this.#waiting = false;
      return false;
    }
    this.#waiting = true;
    const queue = this.#queue as WaitQueue;
    queue.add(cpu, this.#entry);
    this.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, queue);
    return true;
  }
}
