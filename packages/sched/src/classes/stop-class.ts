import type { Cpu } from '@rpal/hw-x86';
import type { KernelThreads } from '../core/kernel-thread.js';
import type { RunQueues } from '../core/run-queue.js';
import type { ClassQueue, SchedClass } from '../core/sched-class.js';
import { type KernelPath, PathResult, type Task, TaskState, type WaitTarget } from '../core/task.js';
import { SchedStep } from '../steps.js';

/** The stop class (kernel/sched/stop_task.c): one kernel thread per CPU, which preempts everything and is preempted by nothing. */
export class StopClass implements SchedClass {
  readonly name = 'stop';

  createQueue(): StopQueue {
    return new StopQueue();
  }

  selectCpu(_queues: RunQueues, _cpu: Cpu, task: Task): Cpu {
    return task.cpu;
  }
}

class StopQueue implements ClassQueue {
  #task: Task | null = null;

  enqueue(task: Task): void {
    this.#task = task;
  }

  dequeue(): void {
    this.#task = null;
  }

  pick(): Task | null {
    return this.#task;
  }

  setNext(): void {}

  putPrevious(): void {}

  tick(): boolean {
    return false;
  }

  preempts(): boolean {
    return false;
  }

  yield(): void {}
}

/** The stopper threads of a machine, made when first needed. */
export class Stoppers {
  readonly #threads: KernelThreads;
  readonly #class: StopClass;
  readonly #stoppers: (CpuStopper | undefined)[] = [];

  constructor(threads: KernelThreads, stop: StopClass) {
    this.#threads = threads;
    this.#class = stop;
  }

  /** Makes the stopper thread of `target` do `work` before anything else runs there (Linux: `stop_one_cpu_nowait`). */
  run(cpu: Cpu, target: Cpu, work: (cpu: Cpu) => void): void {
    this.#stoppers[target.id] ??= new CpuStopper(this.#threads, target, this.#class);
    (this.#stoppers[target.id] as CpuStopper).queue(cpu, work);
  }
}

/** The stopper thread of one CPU (kernel/stop_machine.c): runs what others ask for, before anything else on that CPU. */
class CpuStopper implements KernelPath, WaitTarget {
  readonly task: Task;
  readonly #works: ((cpu: Cpu) => void)[] = [];
  readonly #threads: KernelThreads;

  constructor(threads: KernelThreads, cpu: Cpu, stop: StopClass) {
    this.#threads = threads;
    this.task = threads.createOn(cpu, `migration/${cpu.id}`, this, stop);
  }

  /** @param from the CPU that asks */
  queue(from: Cpu, work: (cpu: Cpu) => void): void {
    this.#works.push(work);
    if (this.task.state === TaskState.NEW) this.#threads.wakeUpNew(from, this.task);
    else this.#threads.wakeUp(from, this.task, TaskState.UNINTERRUPTIBLE);
  }

  describe(): string {
    return 'work';
  }

  run(cpu: Cpu, task: Task): PathResult {
    const work = this.#works.shift();
    if (work === undefined) {
      task.prepareToSleep(cpu, TaskState.UNINTERRUPTIBLE, this);
      return PathResult.SCHEDULE;
    }
    cpu.charge(SchedStep.workRun);
    work(cpu);
    return PathResult.CONTINUE;
  }
}
