import type { Cpu } from '@rpal/hw-x86';
import { applyAffinity } from '../core/affinity.js';
import type { RunQueues } from '../core/run-queue.js';
import type { Task } from '../core/task.js';
import { CpuSet } from '../cpus/cpu-set.js';

/**
 * Taking CPUs out of use and back (Linux: `sched_cpu_deactivate`, `sched_cpu_activate`). A CPU that is not active gets no
 * task: it is taken out of every task's affinity, and a task that could run nowhere else may then run on all that are left.
 */
export class CpuHotplug {
  /** CPUs that tasks may be put on (Linux: `cpu_active_mask`). Not to be changed from outside. */
  active: CpuSet;
  readonly #queues: RunQueues;
  /** Affinities that were narrowed, and what they were before: what a CPU that comes back is given again. */
  readonly #before: Map<CpuSet, CpuSet> = new Map();

  constructor(queues: RunQueues) {
    this.#queues = queues;
    this.active = queues.everyCpu;
  }

  isActive(cpu: Cpu): boolean {
    return this.active.has(cpu.id);
  }

  /** What is left of `affinity`; empty if none of its CPUs is active. */
  narrow(affinity: CpuSet): CpuSet {
    const { platform } = this.#queues;
    return new CpuSet(
      platform.cpus.length,
      platform.cpus.map(({ id }) => id).filter((id) => affinity.has(id) && this.active.has(id)),
    );
  }

  /** `target` gets no more tasks. Those it has must still be moved: see `vacate`. */
  deactivate(target: Cpu): void {
    const all = this.#queues.platform.cpus.map(({ id }) => id);
    this.active = new CpuSet(
      all.length,
      all.filter((id) => this.active.has(id) && id !== target.id),
    );
  }

  /**
   * Moves one task away from a CPU that is no longer active, if it may be there.
   * @returns false if a plugin wants to be asked again later (hook `schedVacate`)
   */
  vacate(cpu: Cpu, target: Cpu, task: Task): boolean {
    const { affinity } = task;
    if (!affinity.has(target.id)) return true;
    if (this.#queues.hooks.schedVacate.call(task) === false) return false;
    const rest = this.narrow(affinity);
    const now = rest.size === 0 ? this.active : rest;
    if (rest.size > 0) this.#before.set(now, this.#before.get(affinity) ?? affinity);
    applyAffinity(this.#queues, cpu, task, now);
    return true;
  }

  /** `target` is in use again; `tasks` that were moved away only because it was not may go back. */
  activate(cpu: Cpu, target: Cpu, tasks: Iterable<Task>): void {
    const all = this.#queues.platform.cpus.map(({ id }) => id);
    this.active = new CpuSet(
      all.length,
      all.filter((id) => this.active.has(id) || id === target.id),
    );
    for (const task of tasks) {
      const before = this.#before.get(task.affinity);
      if (before === undefined) continue;
      const now = this.narrow(before);
      if (!now.equals(before)) this.#before.set(now, before);
      applyAffinity(this.#queues, cpu, task, now.equals(before) ? before : now);
    }
  }
}
