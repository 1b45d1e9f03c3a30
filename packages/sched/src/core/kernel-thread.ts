import type { Cpu } from '@rpal/hw-x86';
import type { SchedClass } from './sched-class.js';
import type { KernelPath, Task } from './task.js';
import type { Waker } from './wake-up.js';

/** Makes and starts kernel threads. */
export interface KernelThreads extends Waker {
  /** Makes a kernel thread that runs on `cpu` only (Linux: `kthread_create_on_cpu`). @param schedClass by default the fair one */
  createOn(cpu: Cpu, name: string, path: KernelPath, schedClass?: SchedClass): Task;
  /** Starts a new task (Linux: `wake_up_new_task`). */
  wakeUpNew(cpu: Cpu, task: Task): void;
}
