import type { Cpu } from '@rpal/hw-x86';
import type { KernelThreads } from '../core/kernel-thread.js';
import { type KernelPath, PathResult, type Task, TaskState, type WaitTarget } from '../core/task.js';
import { SleepTimer, type TimerHost } from '../core/timer.js';
import { SchedStep } from '../steps.js';

/** Work to be done by a kernel thread, once, after a delay (Linux: `delayed_work`). */
export class DelayedWork {
  readonly timer: SleepTimer;
  readonly run: (cpu: Cpu) => void;
  queued = false;
  /** The CPU whose worker runs it. */
  cpu: Cpu | null = null;

  constructor(workqueue: Workqueue, timers: TimerHost, run: (cpu: Cpu) => void) {
    this.run = run;
    this.timer = new SleepTimer(timers, (cpu) => workqueue.queue(cpu, this));
  }
}

/** The kernel's worker threads, one per CPU, made when first needed (Linux: `kworker`). */
export class Workqueue {
  readonly #threads: KernelThreads;
  readonly #workers = new Map<number, Worker>();

  constructor(threads: KernelThreads) {
    this.#threads = threads;
  }

  /** Queues `work` on `cpu` after `ns` nanoseconds; work that is pending already stays as it is. */
  queueDelayed(cpu: Cpu, work: DelayedWork, ns: number): void {
    if (work.queued || work.timer.armed) return;
    work.timer.start(cpu, ns);
  }

  /** Queues `work` for the worker of `cpu` now. */
  queue(cpu: Cpu, work: DelayedWork): void {
    if (work.queued) return;
    work.queued = true;
    work.cpu = cpu;
    const worker = this.#worker(cpu);
    worker.pending.push(work);
    this.#threads.wakeUp(cpu, worker.task, TaskState.UNINTERRUPTIBLE);
  }

  /** Takes work back before it has begun. */
  cancel(work: DelayedWork): void {
    work.timer.stop();
    if (!work.queued || work.cpu === null) return;
    const { pending } = this.#worker(work.cpu);
    const at = pending.indexOf(work);
    if (at >= 0) pending.splice(at, 1);
    work.queued = false;
  }

  #worker(cpu: Cpu): Worker {
    let worker = this.#workers.get(cpu.id);
    if (worker === undefined) {
      worker = new Worker(this.#threads, cpu);
      this.#workers.set(cpu.id, worker);
      this.#threads.wakeUpNew(cpu, worker.task);
    }
    return worker;
  }
}

class Worker implements KernelPath, WaitTarget {
  readonly task: Task;
  readonly pending: DelayedWork[] = [];

  constructor(threads: KernelThreads, cpu: Cpu) {
    this.task = threads.createOn(cpu, `kworker/${cpu.id}`, this);
  }

  describe(): string {
    return 'work';
  }

  run(cpu: Cpu, task: Task): PathResult {
    cpu.interruptsEnabled = true;
    const work = this.pending.shift();
    if (work === undefined) {
      task.prepareToSleep(cpu, TaskState.UNINTERRUPTIBLE, this);
      return PathResult.SCHEDULE;
    }
    cpu.charge(SchedStep.workRun);
    work.queued = false;
    work.run(cpu);
    return PathResult.CONTINUE;
  }
}
