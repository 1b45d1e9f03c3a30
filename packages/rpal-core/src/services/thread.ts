import { BusError } from '@rpal/bus';
import type { Thread } from '@rpal/kernel';
import { type Task, TaskState } from '@rpal/sched';
import type { RoleData } from './role.js';
import type { RpalService } from './service.js';

/** A task's RPAL members (patch 04: what the series adds to `task_struct`). */
export class RpalThread {
  service: RpalService | null = null;
  /** `RpalFlag` bits. */
  flags = 0;
  /** One place for either role: registering twice overwrites it. It is not cleared when the role ends. */
  data: RoleData | null = null;
  /** TSC cycles at which the thread's claim of run time was last looked at. */
  claimedAt = 0;
  /** Correction of the run time, ns (patch 33). */
  stealTime = 0;

  /** The record of a thread that has a role. */
  get role(): RoleData {
    return this.data as RoleData;
  }
}

declare module '@rpal/sched' {
  interface Task {
    /** Set on every task of a machine with RPAL, absent on others. */
    rpal?: RpalThread;
  }
}

/** A thread of a machine with RPAL. */
export type RpalTask = Thread & { rpal: RpalThread };

/** A task of a machine with the plugin, which gives every task its RPAL members when the task is made. */
export function rpalTask(task: Task): RpalTask {
  return task as RpalTask;
}

/** The thread has ended, and nothing keeps its task: of a process's first thread, which stays as a zombie, its parent does. */
export function isFreed({ state, pid, process }: RpalTask): boolean {
  return state === TaskState.DEAD && pid !== process.pid;
}

/** The RPAL members of a task, for tools and other plugins. @throws BusError MISSING_REQUIREMENT on a machine without the plugin */
export function rpalThread({ rpal, name }: Task): RpalThread {
  if (rpal === undefined) {
    throw new BusError('MISSING_REQUIREMENT', `the machine of task "${name}" was built without @rpal/rpal-core; add rpal() to its plugins`);
  }
  return rpal;
}
