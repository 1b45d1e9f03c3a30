import { Vector } from '@rpal/hw-x86';
import type { CpuSet } from './cpu-set.js';
import { type RunQueue, SwitchPhase } from './run-queue.js';
import type { SchedEntity } from './sched-entity.js';
import type { Scheduler } from './scheduler.js';
import { SchedStep } from './steps.js';
import type { Task } from './task.js';
import { enqueue, resched } from './wake-up.js';

/** Load balancing (Linux: sched_balance_newidle, sched_balance_rq, nohz balancing; kernel/sched/fair.c). */

/** Busy CPUs balance this much less often (Linux: `busy_factor`). */
const BUSY_FACTOR = 16;
/** Per cent by which the busiest queue must exceed the local one (Linux: `imbalance_pct` of the cache domain). */
const IMBALANCE_PCT = 117;
/** At most so many tasks move at a time (Linux: `sched_nr_migrate_break`). */
const MOST_MOVES = 32;
const MS = 1_000_000;

/** A CPU that runs out of work takes a waiting task from the busiest queue near it, else from the busiest anywhere. */
export function pullTask(scheduler: Scheduler, rq: RunQueue): Task | null {
  const { domains } = scheduler;
  if (domains.overloads === 0) return null;
  return pullFrom(scheduler, rq, domains.cacheOf(rq.cpu)) ?? pullFrom(scheduler, rq, domains.overloaded);
}

function pullFrom(scheduler: Scheduler, rq: RunQueue, among: CpuSet): Task | null {
  const { overloaded } = scheduler.domains;
  let busiest: RunQueue | null = null;
  for (let id = overloaded.after(-1); id >= 0; id = overloaded.after(id)) {
    const other = scheduler.runQueues[id] as RunQueue;
    if (!among.has(id) || other === rq || other.running <= (busiest?.running ?? 1)) continue;
    // A queue in the middle of a switch is locked by its CPU.
    if (other.phase <= SwitchPhase.DEACTIVATE) busiest = other;
  }
  if (busiest === null) return null;
  rq.cpu.charge(SchedStep.balance);
  for (const entity of busiest.fair.tree) if (canMove(entity, rq)) return move(scheduler, entity, busiest, rq);
  return null;
}

function canMove(entity: SchedEntity, to: RunQueue): boolean {
  return !entity.delayed && !entity.task.onCpu && entity.task.affinity.has(to.cpu.id);
}

/** Takes a waiting task of `from` over to `to`, whose CPU does it. */
function move(scheduler: Scheduler, entity: SchedEntity, from: RunQueue, to: RunQueue): Task {
  const { task } = entity;
  const { cpu } = to;
  scheduler.lock(from, cpu);
  scheduler.updateClock(from, cpu);
  if (from.fair.update(from.taskClock)) resched(scheduler, cpu, from);
  from.fair.dequeue(entity, false, false);
  from.lose();
  from.lock.release(cpu);
  cpu.charge(SchedStep.migrate);
  enqueue(scheduler, cpu, to, task, false);
  return task;
}

/** What the tick of a CPU does about balance: it evens out with others now and then, and wakes idle CPUs to help it. */
export function balanceTick(scheduler: Scheduler, rq: RunQueue): void {
  const { domains } = scheduler;
  if (domains.overloads === 0) return;
  if (rq.running > 1) kickIdle(scheduler, rq);
  if (rq.clock < rq.nextBalance) return;
  const domain = domains.cacheOf(rq.cpu);
  rq.nextBalance = rq.clock + domain.size * MS * BUSY_FACTOR;
  if (evenOut(scheduler, rq, domain)) return;
  // Between caches, one CPU acts for all that share its own, and less often.
  const { everyCpu } = scheduler;
  if (domain.first !== rq.cpu.id || everyCpu.size === domain.size || rq.clock < rq.nextWideBalance) return;
  rq.nextWideBalance = rq.clock + everyCpu.size * MS * BUSY_FACTOR;
  evenOut(scheduler, rq, everyCpu);
}

/** An idle CPU is told to balance on behalf of those that are overloaded (Linux: `nohz_balancer_kick`). */
function kickIdle(scheduler: Scheduler, rq: RunQueue): void {
  const { domains } = scheduler;
  for (const entity of rq.fair.tree) {
    if (entity.delayed || entity.task.onCpu) continue;
    const { affinity } = entity.task;
    let id = domains.idleNear(rq.cpu, affinity);
    if (id < 0) id = domains.idleAnywhere(rq.cpu, affinity);
    if (id < 0) continue;
    const idle = scheduler.runQueues[id] as RunQueue;
    if (idle.balanceRequested) return;
    idle.balanceRequested = true;
    rq.cpu.charge(SchedStep.kickByIpi);
    rq.cpu.sendInterrupt(idle.cpu, Vector.reschedule);
    return;
  }
}

/** Takes load from the busiest queue of `domain` if it has clearly more. @returns true if something was moved */
function evenOut(scheduler: Scheduler, rq: RunQueue, domain: CpuSet): boolean {
  const { cpu } = rq;
  let busiest: RunQueue | null = null;
  let total = 0;
  let members = 0;
  cpu.charge(SchedStep.balance);
  for (const other of scheduler.runQueues) {
    if (!domain.has(other.cpu.id)) continue;
    cpu.charge(SchedStep.balanceCpu);
    const { load } = other.fair;
    total += load;
    members++;
    if (other !== rq && other.running > 1 && other.phase <= SwitchPhase.DEACTIVATE && load > (busiest?.fair.load ?? 0)) busiest = other;
  }
  const own = rq.fair.load;
  if (busiest === null || busiest.fair.load * 100 <= own * IMBALANCE_PCT) {
    rq.balanceFailed = 0;
    return false;
  }
  const average = total / members;
  let imbalance = Math.min(busiest.fair.load - average, average - own);
  if (imbalance <= 0) return false;
  const candidates: SchedEntity[] = [];
  for (const entity of busiest.fair.tree) if (canMove(entity, rq)) candidates.push(entity);
  let moved = 0;
  for (const entity of candidates) {
    if (moved === MOST_MOVES || imbalance <= 0 || busiest.running <= 1) break;
    // A task that is too heavy moves after repeated failure, so that an odd number of equal tasks takes turns.
    if (entity.weight / 2 ** rq.balanceFailed > imbalance) continue;
    imbalance -= entity.weight;
    const task = move(scheduler, entity, busiest, rq);
    moved++;
    if (rq.current === rq.idle || rq.fair.pick() === task.entity) resched(scheduler, cpu, rq);
  }
  rq.balanceFailed = moved > 0 ? 0 : rq.balanceFailed + 1;
  return moved > 0;
}
