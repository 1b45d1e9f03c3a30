import type { Cpu } from '@rpal/hw-x86';
import { type RunQueue, type RunQueues, SwitchPhase } from '../core/run-queue.js';
import { type ClassQueue, MAX_RT_PRIORITY, type RealTimeClass, RR_SLICE } from '../core/sched-class.js';
import { SchedPolicy, type Task } from '../core/task.js';

/** SCHED_FIFO and SCHED_RR (kernel/sched/rt.c): the highest priority runs; tasks of one priority in the order of arrival. */
export class RtClass implements RealTimeClass {
  readonly name = 'rt';
  readonly queues: RtQueue[] = [];
  /** Run queues with a real-time task that waits. */
  overloads = 0;

  createQueue(rq: RunQueue): RtQueue {
    const queue = new RtQueue(this, rq);
    this.queues.push(queue);
    return queue;
  }

  /** A queued task goes ahead of the others of its priority. */
  toFront(rq: RunQueue, task: Task): void {
    this.#queueOf(rq).toFront(task);
  }

  /** A task that could run on this CPU is more urgent than one that does. */
  outranked(rq: RunQueue, { rtPriority }: Task): boolean {
    return this.queues.some((queue) => queue.waiting(rq.cpu, rtPriority) !== null);
  }

  #queueOf(rq: RunQueue): RtQueue {
    return this.queues[rq.cpu.id] as RtQueue;
  }

  /** Where it was, unless a real-time task of the same or higher priority runs there: then where the least urgent task runs. */
  selectCpu(queues: RunQueues, _cpu: Cpu, task: Task): Cpu {
    const { affinity } = task;
    const previous = affinity.has(task.cpu.id) ? task.cpu : queues.cpuOf(affinity.first);
    if (urgency(queues.of(previous)) < task.rtPriority) return previous;
    const idle = queues.idleNear(previous, affinity);
    if (idle !== null) return idle;
    let best = previous;
    let least = task.rtPriority;
    for (const rq of queues.all) {
      const other = urgency(rq);
      if (affinity.has(rq.cpu.id) && other < least) {
        least = other;
        best = rq.cpu;
      }
    }
    return best;
  }
}

/** Priority of what runs: 0 for anything below real time. */
function urgency({ current }: RunQueue): number {
  return current.rtPriority;
}

/** The real-time tasks of one CPU, the running one included: one list per priority. */
export class RtQueue implements ClassQueue {
  readonly #lists: Task[][] = Array.from({ length: MAX_RT_PRIORITY + 1 }, () => []);
  readonly #class: RtClass;
  readonly #rq: RunQueue;
  #count = 0;

  constructor(schedClass: RtClass, rq: RunQueue) {
    this.#class = schedClass;
    this.#rq = rq;
  }

  enqueue(task: Task): void {
    if (task.policy === SchedPolicy.RR && task.timeSlice <= 0) task.timeSlice = RR_SLICE;
    this.#list(task.rtPriority).push(task);
    if (++this.#count === 2) this.#class.overloads++;
  }

  dequeue(task: Task): void {
    const list = this.#list(task.rtPriority);
    list.splice(list.indexOf(task), 1);
    if (--this.#count === 1) this.#class.overloads--;
  }

  pick(): Task | null {
    const own = this.#count > 0 ? this.#first() : null;
    return this.#class.overloads > 0 ? (this.#pull(own === null ? 0 : own.rtPriority) ?? own) : own;
  }

  setNext(): void {}

  putPrevious(): void {}

  tick(task: Task): boolean {
    if (task.policy !== SchedPolicy.RR) return false;
    task.timeSlice -= this.#rq.queues.tickNs;
    if (task.timeSlice > 0) return false;
    task.timeSlice = RR_SLICE;
    if (this.#list(task.rtPriority).length < 2) return false;
    this.yield(task);
    return true;
  }

  preempts(task: Task, current: Task): boolean {
    return task.rtPriority > current.rtPriority;
  }

  yield(task: Task): void {
    const list = this.#list(task.rtPriority);
    list.splice(list.indexOf(task), 1);
    list.push(task);
  }

  toFront(task: Task): void {
    const list = this.#list(task.rtPriority);
    list.splice(list.indexOf(task), 1);
    list.unshift(task);
  }

  /** The most urgent task that does not run and may run on `cpu`; null if none is above `priority`. */
  waiting(cpu: Cpu, priority: number): Task | null {
    for (let at = MAX_RT_PRIORITY; at > priority; at--) {
      for (const task of this.#list(at)) if (!task.onCpu && task.affinity.has(cpu.id)) return task;
    }
    return null;
  }

  #list(priority: number): Task[] {
    return this.#lists[priority] as Task[];
  }

  #first(): Task | null {
    for (let at = MAX_RT_PRIORITY; at > 0; at--) {
      const [task] = this.#list(at);
      if (task !== undefined) return task;
    }
    return null;
  }

  /** Takes over a task that waits on another CPU and is more urgent than `priority` (Linux: `pull_rt_task`). */
  #pull(priority: number): Task | null {
    let found: Task | null = null;
    let from: RtQueue | null = null;
    for (const queue of this.#class.queues) {
      if (queue === this || queue.#count < 2 || queue.#rq.phase > SwitchPhase.DEACTIVATE) continue;
      const task = queue.waiting(this.#rq.cpu, found === null ? priority : found.rtPriority);
      if (task !== null) {
        found = task;
        from = queue;
      }
    }
    if (found === null || from === null) return null;
    from.dequeue(found);
    this.enqueue(found);
    return found;
  }
}
