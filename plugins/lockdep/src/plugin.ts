import { BusError, definePlugin, type Plugin } from '@rpal/bus';
import { type KernelLock, LockKind } from '@rpal/hw-x86';
import type {} from '@rpal/kernel';
import type { Task } from '@rpal/sched';
import manifest from '../package.json' with { type: 'json' };
import { LockOrder, type Taken } from './lock-order.js';

const installed = new WeakMap<object, LockOrder>();

/** What is known of the locks of a machine. @throws BusError MISSING_REQUIREMENT without the plugin */
export function lockOrderOf(machine: object): LockOrder {
  const order = installed.get(machine);
  if (order === undefined)
    throw new BusError('MISSING_REQUIREMENT', 'this machine was built without @rpal/lockdep; add lockdep() to its plugins');
  return order;
}

/** Stands for going to sleep where a lock is expected: what is waited for need not be one. */
const SLEEP: KernelLock = { name: 'sleep', kind: LockKind.SLEEPING };

/** Watches in which order locks are taken, and reports what can go wrong. Takes no part in the run. */
export const lockdep: () => Plugin = definePlugin({
  name: '@rpal/lockdep',
  version: manifest.version,
  requires: { '@rpal/kernel': '^0.3.0' },
  setup({ plugin, events, hooks, machine }) {
    const { scheduler, syscalls } = machine.kernel;
    const { cpus } = machine.platform;
    const order = new LockOrder();
    installed.set(machine, order);
    /** Spin locks by CPU, sleeping ones by task; oldest first. */
    const spinning: Taken[][] = cpus.map(() => []);
    const sleeping = new WeakMap<Task, Taken[]>();
    /** The system call that each task is in, or was in last. */
    const calls = new WeakMap<Task, string>();

    const heldBy = (task: Task): Taken[] => {
      const held = sleeping.get(task) ?? [];
      sleeping.set(task, held);
      return held;
    };
    const currentOn = (cpu: number): Task => scheduler.current(cpus[cpu] as (typeof cpus)[number]);
    const nameOf = ({ name, pid }: Task): string => `task ${pid} (${name})`;

    events.syscallEnter.on(plugin, (_cpu, _time, thread, nr) => {
      calls.set(thread, syscalls.get(nr)?.name ?? `system call ${nr}`);
    });
    events.lockTaken.on(plugin, (cpu, time, lock, site) => {
      const task = currentOn(cpu);
      const call = calls.get(task) ?? 'no system call';
      const taken = { lock, where: site === '' ? call : `${call}, at ${site}` };
      const onCpu = spinning[cpu] as Taken[];
      const byTask = heldBy(task);
      order.add([...byTask, ...onCpu], taken, nameOf(task), time);
      (lock.kind === LockKind.SPIN ? onCpu : byTask).push(taken);
    });
    events.lockReleased.on(plugin, (cpu, _time, lock) => {
      const held = lock.kind === LockKind.SPIN ? (spinning[cpu] as Taken[]) : heldBy(currentOn(cpu));
      const at = held.map((one) => one.lock).lastIndexOf(lock);
      if (at >= 0) held.splice(at, 1);
    });
    hooks.schedEnter.tap(plugin, (cpu, prev) => {
      // The scheduler has not taken its queue yet: who holds it has not given it back.
      const held = spinning[cpu.id] as Taken[];
      if (held.length === 0) return;
      order.sleeps(held, { lock: SLEEP, where: calls.get(prev) ?? 'no system call' }, nameOf(prev), cpu.clock);
    });
  },
});
