import type { Cpu } from '@rpal/hw-x86';
import type { Stoppers } from '../classes/stop-class.js';
import { dequeue, enqueue } from '../core/enqueue.js';
import { type RunQueue, SwitchPhase, sendReschedule } from '../core/run-queue.js';
import type { Task } from '../core/task.js';
import { checkPreempt } from '../core/wake-up.js';
import type { CpuSet } from '../cpus/cpu-set.js';
import { Dequeue, Enqueue } from '../fair/cfs-queue.js';
import { loadOf, waitingEntities } from '../fair/hierarchy.js';
import type { SchedEntity } from '../fair/sched-entity.js';
import { SchedStep } from '../steps.js';

/** Load balancing (Linux: sched_balance_newidle, sched_balance_rq, nohz balancing; kernel/sched/fair.c). */

/** Busy CPUs balance this much less often (Linux: `busy_factor`). */
const BUSY_FACTOR = 16;
/** Per cent by which the busiest queue must exceed the local one (Linux: `imbalance_pct` of the cache domain). */
const IMBALANCE_PCT = 117;
/** At most so many tasks move at a time (Linux: `sched_nr_migrate_break`). */
const MOST_MOVES = 32;
const MS = 1_000_000;

/** A CPU that runs out of work takes a waiting task from the busiest queue near it, else from the busiest anywhere. */
export function pullTask(rq: RunQueue): Task | null {
  const { domains } = rq.queues;
  if (domains.overloads === 0) return null;
  return pullFrom(rq, domains.cacheOf(rq.cpu)) ?? pullFrom(rq, domains.overloaded);
}

function pullFrom(rq: RunQueue, among: CpuSet): Task | null {
  const { queues } = rq;
  const { overloaded } = queues.domains;
  let most = 1;
  let found: SchedEntity | null = null;
  for (let id = overloaded.after(-1); id >= 0; id = overloaded.after(id)) {
    const other = queues.all[id] as RunQueue;
    if (!among.has(id) || other === rq || other.running <= most) continue;
    const entity = movable(other, rq);
    if (entity === null) continue;
    found = entity;
    most = other.running;
  }
  if (found === null) return null;
  rq.cpu.charge(SchedStep.balance);
  return move(rq.cpu, found, queues.of((found.task as Task).cpu), rq);
}

/** A waiting task of `from` that may run on the CPU of `to`; null if there is none among the first few. */
function movable(from: RunQueue, to: RunQueue): SchedEntity | null {
  // A queue in the middle of a switch is locked by its CPU.
  if (from.phase > SwitchPhase.DEACTIVATE) return null;
  let looked = 0;
  for (const entity of waitingEntities(from.fair)) {
    if (canMove(entity, to)) return entity;
    if (++looked === MOST_MOVES) return null;
  }
  return null;
}

function canMove(entity: SchedEntity, to: RunQueue): boolean {
  const task = entity.task as Task;
  return !entity.delayed && !task.onCpu && task.affinity.has(to.cpu.id);
}

/** `cpu` takes a waiting task of `from` over to `to`. */
function move(cpu: Cpu, entity: SchedEntity, from: RunQueue, to: RunQueue): Task {
  const task = entity.task as Task;
  from.acquire(cpu);
  from.updateClock(cpu);
  dequeue(from, task, Dequeue.MOVE);
  from.lock.release(cpu);
  cpu.charge(SchedStep.migrate);
  entity.movedAt = to.clock;
  enqueue(cpu, to, task, Enqueue.MOVE);
  return task;
}

/** The tick's part in balancing: now and then it evens out the load with other CPUs, and wakes idle CPUs to help. */
export function balanceTick(rq: RunQueue, stoppers: Stoppers): void {
  const { domains, everyCpu } = rq.queues;
  if (domains.overloads === 0) return;
  if (rq.running > 1) kickIdle(rq, stoppers);
  if (rq.clock < rq.nextBalance) return;
  const domain = domains.cacheOf(rq.cpu);
  const outcome = evenOut(rq, domain);
  // While the load is even, a CPU looks half as often (Linux: `balance_interval`).
  rq.balanceInterval = outcome === Balance.EVEN ? Math.min(2 * rq.balanceInterval || domain.size, 2 * domain.size) : domain.size;
  rq.nextBalance = rq.clock + rq.balanceInterval * MS * BUSY_FACTOR;
  if (outcome === Balance.MOVED) return;
  // Between caches, one CPU acts for all that share its own, and less often.
  if (domain.first !== rq.cpu.id || everyCpu.size === domain.size || rq.clock < rq.nextWideBalance) return;
  rq.nextWideBalance = rq.clock + everyCpu.size * MS * BUSY_FACTOR;
  evenOut(rq, everyCpu);
}

/**
 * An idle CPU is told to balance on behalf of those that are overloaded (Linux: `nohz_balancer_kick`). If only the running
 * task could go there, it is pushed (Linux: `active_load_balance_cpu_stop`).
 */
function kickIdle(rq: RunQueue, stoppers: Stoppers): void {
  if (rq.queues.domains.idle.first < 0) return;
  let looked = 0;
  for (const entity of waitingEntities(rq.fair)) {
    if (++looked > MOST_MOVES) return;
    const task = entity.task as Task;
    if (entity.delayed || task.onCpu) continue;
    const idle = idleFor(rq, task);
    if (idle === null) continue;
    if (idle.balanceRequested) return;
    idle.balanceRequested = true;
    sendReschedule(rq.cpu, idle);
    return;
  }
  const { current } = rq;
  if (current.schedClass !== null) return;
  const idle = idleFor(rq, current);
  if (idle !== null) stoppers.run(rq.cpu, rq.cpu, () => pushTo(rq, idle));
}

function idleFor({ cpu, queues }: RunQueue, { affinity, affinitySize }: Task): RunQueue | null {
  const { domains } = queues;
  if (affinitySize === 1) return null;
  let id = domains.idleNear(cpu, affinity);
  if (id < 0) id = domains.idleAnywhere(cpu, affinity);
  return id < 0 ? null : (queues.all[id] as RunQueue);
}

/** Runs in the stopper thread of `from`, so that none of its other tasks runs: moves one of them to `to`, if that is still idle. */
function pushTo(from: RunQueue, to: RunQueue): void {
  if (!to.isIdle) return;
  const { cpu } = from;
  const entity = movable(from, to);
  if (entity === null) return;
  to.acquire(cpu);
  to.updateClock(cpu);
  checkPreempt(cpu, to, move(cpu, entity, from, to));
  to.lock.release(cpu);
}

function lastActive({ execStart, movedAt }: SchedEntity): number {
  return Math.max(execStart, movedAt);
}

/** How an attempt to balance went: nothing to do, nothing that could be moved, something moved. */
const Balance = { EVEN: 0, FAILED: 1, MOVED: 2 } as const;

/** Takes load from the busiest queue of `domain` if it has clearly more. @returns `Balance` */
function evenOut(rq: RunQueue, domain: CpuSet): number {
  const { cpu } = rq;
  let busiest: RunQueue | null = null;
  let total = 0;
  let members = 0;
  cpu.charge(SchedStep.balance);
  const runQueues = rq.queues.all;
  // The list of groups begins with the local one: of equally busy queues the next one counts.
  for (let i = 0; i < runQueues.length; i++) {
    const other = runQueues[(cpu.id + i) % runQueues.length] as RunQueue;
    if (!domain.has(other.cpu.id)) continue;
    cpu.charge(SchedStep.balanceCpu);
    const { load } = other.fair;
    total += load;
    members++;
    if (other !== rq && other.running > 1 && other.phase <= SwitchPhase.DEACTIVATE && load > (busiest?.fair.load ?? 0)) busiest = other;
  }
  const own = rq.fair.load;
  const even = busiest === null || (rq.running > 1 ? busiest.fair.load * 100 <= own * IMBALANCE_PCT : busiest.fair.load <= own);
  if (busiest === null || even) {
    rq.balanceFailed = 0;
    return Balance.EVEN;
  }
  const average = total / members;
  let imbalance = Math.min(busiest.fair.load - average, average - own);
  if (imbalance <= 0) return Balance.EVEN;
  const candidates: SchedEntity[] = [];
  for (const entity of waitingEntities(busiest.fair)) if (canMove(entity, rq)) candidates.push(entity);
  // The task that has neither run nor moved for longest comes first (Linux: the end of `cfs_tasks`), so that all take turns.
  candidates.sort((a, b) => lastActive(a) - lastActive(b));
  let moved = 0;
  for (const entity of candidates) {
    if (moved === MOST_MOVES || imbalance <= 0 || busiest.running <= 1) break;
    // A task that is too heavy moves after repeated failure, so that an odd number of equal tasks takes turns.
    const load = loadOf(entity);
    if (load / 2 ** rq.balanceFailed > imbalance) continue;
    imbalance -= load;
    const task = move(cpu, entity, busiest, rq);
    moved++;
    checkPreempt(cpu, rq, task);
  }
  rq.balanceFailed = moved > 0 ? 0 : rq.balanceFailed + 1;
  return moved > 0 ? Balance.MOVED : Balance.FAILED;
}
