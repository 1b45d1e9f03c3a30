import { type Cpu, Platform, profiles } from '@rpal/hw-x86';
import { CpuSet, niceWeight, PathResult, SchedEntity, Task } from '@rpal/sched';

/** Milliseconds and microseconds, in nanoseconds. */
export const MS = 1e6;
export const US = 1e3;

const [profile] = profiles;
if (profile === undefined) throw new Error('no profile');

/** A CPU that only serves as a place for tasks. */
export const somewhere: Cpu = new Platform({ profile }).cpus[0] as Cpu;

let pids = 0;

/** A task that is never run. */
export function someTask(nice = 0): Task {
  const task = new Task(++pids, `task ${pids}`, somewhere, null, new CpuSet(1, [0]), { run: () => PathResult.SCHEDULE });
  task.entity.weight = niceWeight(nice);
  return task;
}

/** An entity at a point of virtual time. */
export function entityAt(vruntime: number, deadline: number, nice = 0): SchedEntity {
  const entity = new SchedEntity(someTask(nice));
  entity.weight = niceWeight(nice);
  entity.vruntime = vruntime;
  entity.deadline = deadline;
  return entity;
}
