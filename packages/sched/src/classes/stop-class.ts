import type { Cpu } from '@rpal/hw-x86';
import { type KernelPath, PathResult, Task, TaskState, type WaitTarget } from '../core/task.js';
import { CpuSet } from '../cpus/cpu-set.js';
import type { Scheduler } from '../scheduler.js';
import { SchedStep } from '../steps.js';
import type { ClassQueue, SchedClass } from './sched-class.js';

/** The stop class (kernel/sched/stop_task.c): one kernel thread per CPU, which preempts everything and is preempted by nothing. */
export class StopClass implements SchedClass {
  readonly name = 'stop';

  createQueue(): StopQueue {
    return new StopQueue();
  }

  selectCpu(_scheduler: Scheduler, _cpu: Cpu, task: Task): Cpu {
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

/** The stopper thread of one CPU (kernel/stop_machine.c): runs what others ask for, before anything else on that CPU. */
export class CpuStopper implements KernelPath, WaitTarget {
  readonly task: Task;
  readonly #works: ((cpu: Cpu) => void)[] = [];
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler, cpu: Cpu) {
    this.#scheduler = scheduler;
    const only = new CpuSet(scheduler.runQueues.length, [cpu.id]);
    this.task = new Task(scheduler.nextPid(), `migration/${cpu.id}`, cpu, null, only, this);
    this.task.schedClass = scheduler.classes.stop;
    scheduler.adopt(this.task, null);
  }

  /** Has `work` done on this CPU (Linux: `stop_one_cpu_nowait`). @param from the CPU that asks */
  queue(from: Cpu, work: (cpu: Cpu) => void): void {
    this.#works.push(work);
    if (this.task.state === TaskState.NEW) this.#scheduler.wakeUpNew(from, this.task);
    else this.#scheduler.wakeUp(from, this.task, TaskState.UNINTERRUPTIBLE);
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
