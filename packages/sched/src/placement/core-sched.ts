import type { Cpu } from '@rpal/hw-x86';
import { type CorePicks, type RunQueue, type RunQueues, resched, SwitchPhase } from '../core/run-queue.js';
import type { Task } from '../core/task.js';
import { waitingEntities } from '../fair/hierarchy.js';

/** What the threads of one physical core may run together. */
class Core {
  readonly queues: RunQueue[] = [];
  /** Cookie of what runs on the core, and since when, ns. */
  cookie = 0;
  since = 0;
  /** A task of this cookie was passed over; -1 if none was. */
  passedOver = -1;
  /** The core is being emptied for tasks of this cookie; -1 if it is not. */
  claim = -1;
}

/**
 * Core scheduling (kernel/sched/core_sched.c): tasks with different cookies never run on the threads of one core at the same
 * time; a thread that finds nothing that fits idles, though it has work. Cookies take turns of a base slice, rounded up to a
 * tick. Linux compares virtual times across threads instead; the stopper threads are not subject to it here.
 */
export class CoreScheduling implements CorePicks {
  readonly #byCpu: Core[] = [];
  readonly #queues: RunQueues;
  #cookies = 0;

  /** That of a machine, which is in use from the first time on that it is asked for: then every pick asks it. */
  static of({ queues }: { readonly queues: RunQueues }): CoreScheduling {
    const present = queues.cores;
    if (present instanceof CoreScheduling) return present;
    const cores = new CoreScheduling(queues);
    queues.cores = cores;
    return cores;
  }

  private constructor(queues: RunQueues) {
    this.#queues = queues;
    const cores: Core[] = [];
    for (const { core } of queues.platform.cpus) {
      cores[core] ??= new Core();
      this.#byCpu.push(cores[core] as Core);
    }
    for (const rq of queues.all) this.#core(rq).queues.push(rq);
  }

  /** A cookie that no task has (Linux: PR_SCHED_CORE_CREATE). */
  createCookie(): number {
    return ++this.#cookies;
  }

  /** Gives `task` a cookie; 0 is the one of tasks without. A task that runs is picked anew with it (Linux: `sched_core_update_cookie`). */
  setCookie(cpu: Cpu, task: Task, cookie: number): void {
    if (task.coreCookie === cookie) return;
    task.coreCookie = cookie;
    const rq = this.#queues.of(task.cpu);
    if (rq.current === task) resched(cpu, rq);
  }

  /** `task` was picked to run on `rq`. @returns what may run instead: it, another one, or the idle task */
  admit(rq: RunQueue, task: Task): Task {
    const core = this.#core(rq);
    const busy = core.queues.some((other) => other !== rq && this.#occupied(other));
    const wanted = core.claim >= 0 ? core.claim : busy ? core.cookie : task.coreCookie;
    if (busy && core.claim >= 0 && core.cookie !== core.claim) return rq.idle;
    const fitting = task.coreCookie === wanted ? task : this.#find(rq, wanted);
    if (fitting !== null && fitting !== task) core.passedOver = task.coreCookie;
    if (fitting === null) {
      if (!busy && !this.#waitsElsewhere(core, rq, wanted)) {
        // The task that claimed the core has gone.
        core.claim = -1;
        return this.#begin(core, rq, task);
      }
      core.passedOver = task.coreCookie;
      return rq.idle;
    }
    return this.#begin(core, rq, fitting);
  }

  /** `rq` has gone idle: threads of its core that were held back may try again. */
  released(rq: RunQueue): void {
    const core = this.#core(rq);
    if (core.queues.some((other) => this.#occupied(other))) return;
    let asked = false;
    for (const other of core.queues) {
      if (other === rq || other.running === 0) continue;
      resched(rq.cpu, other);
      asked = true;
    }
    if (!asked && rq.running > 0) rq.idle.needResched = true;
  }

  /** A tick on a busy thread: if a task was passed over and this cookie has had its turn, the core is emptied for it. */
  tick(rq: RunQueue): void {
    const core = this.#core(rq);
    if (core.passedOver < 0 || core.claim >= 0 || rq.clock - core.since < rq.queues.baseSlice) return;
    core.claim = core.passedOver;
    core.passedOver = -1;
    if (core.claim === core.cookie) {
      core.claim = -1;
      return;
    }
    for (const other of core.queues) if (this.#occupied(other)) resched(rq.cpu, other);
  }

  #waitsElsewhere(core: Core, rq: RunQueue, cookie: number): boolean {
    return core.queues.some((other) => other !== rq && other.running > 0 && this.#find(other, cookie) !== null);
  }

  #begin(core: Core, rq: RunQueue, task: Task): Task {
    if (core.cookie !== task.coreCookie || core.claim === task.coreCookie) {
      core.since = rq.clock;
      // The other threads may have work that fits now.
      for (const other of core.queues) {
        if (other !== rq && other.current === other.idle && other.running > 0) resched(rq.cpu, other);
      }
    }
    core.cookie = task.coreCookie;
    if (core.claim === task.coreCookie) core.claim = -1;
    return task;
  }

  #core({ cpu }: RunQueue): Core {
    return this.#byCpu[cpu.id] as Core;
  }

  /** A task runs there, or is about to: stopper threads do not count. */
  #occupied({ phase, next, current, idle, queues }: RunQueue): boolean {
    const task = phase === SwitchPhase.SWITCH ? next : current;
    return task !== idle && task.schedClass !== queues.classes.stop;
  }

  #find(rq: RunQueue, cookie: number): Task | null {
    const { previous } = rq;
    if (previous !== rq.idle && previous.onRq && previous.cpu === rq.cpu && !previous.entity.delayed && previous.coreCookie === cookie)
      return previous;
    for (const { task, delayed } of waitingEntities(rq.fair)) {
      if (!delayed && (task as Task).coreCookie === cookie) return task as Task;
    }
    return null;
  }
}
