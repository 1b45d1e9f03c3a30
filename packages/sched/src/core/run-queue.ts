import { type Cpu, HwStep, type Platform, SpinLock, TimedEvent, Vector } from '@rpal/hw-x86';
import { CpuDomains } from '../cpus/cpu-domains.js';
import { CpuSet } from '../cpus/cpu-set.js';
import { CfsQueue } from '../fair/cfs-queue.js';
import { putPreviousFair, setNextFair, unthrottle, updateFair } from '../fair/hierarchy.js';
import type { FairRunQueue, GroupHost, GroupQueue } from '../fair/task-group.js';
import { SchedStep } from '../steps.js';
import { carryIn } from './handover.js';
import type { IdleState } from './idle-state.js';
import type { SchedClasses } from './sched-classes.js';
import type { SchedSeams } from './seams.js';
import { type KernelPath, Task, TaskState } from './task.js';
import { CpuTimers, SleepTimer, type TimerHost } from './timer.js';

/** Where a CPU is within `__schedule`. @public for taps that ask how far a switch is */
export const SwitchPhase = { NONE: 0, DEACTIVATE: 1, PICK: 2, SWITCH: 3, FINISH: 4 } as const;

/** The periodic tick of one CPU. Stopped while the CPU is idle. */
class Tick extends TimedEvent {
  readonly #rq: RunQueue;

  constructor(rq: RunQueue) {
    super();
    this.#rq = rq;
  }

  override fire(): void {
    this.#rq.tickDue = true;
    this.#rq.cpu.raise(Vector.localTimer, this.time);
  }
}

/** One CPU's run queue (Linux: `struct rq`). */
export class RunQueue implements FairRunQueue {
  readonly queues: RunQueues;
  readonly cpu: Cpu;
  readonly lock: SpinLock = new SpinLock(3, 'run queue');
  readonly fair: CfsQueue;
  readonly idle: Task;
  /** The state the idle core is in; null unless it halts. */
  idleState: IdleState | null = null;
  /** The task whose kernel stack the CPU is on. */
  current: Task;
  /** Runnable tasks, the running one included, delayed ones excluded. */
  running = 0;

  /** `clock` when the machine was built. */
  readonly startedAt: number;
  /** Nanoseconds: wall, and what counts as task time. */
  clock = 0;
  taskClock = 0;
  readonly #nsPerTsc: number;

  phase: number = SwitchPhase.NONE;
  /** The current task asked for the switch (`schedule()`), rather than being preempted. */
  blocking = false;
  previous: Task;
  next: Task;
  /** The task that the next switch goes to, if it is runnable here by then; null: the one that is picked. */
  directed: Task | null = null;

  /** Tasks that other CPUs have woken for this one to enqueue. */
  wakeList: Task | null = null;
  wakeListTail: Task | null = null;

  readonly timers: CpuTimers;
  readonly tick: TimedEvent;
  tickDue = false;

  switches = 0;

  /** When load balancing is due next, ns of `clock`; how often in a row it found nothing that it could move. */
  nextBalance = 0;
  nextWideBalance = 0;
  balanceFailed = 0;
  /** Milliseconds between looks at the load of others while idle; busy CPUs look less often. */
  balanceInterval = 0;
  /** Another CPU asks this one, which idles, to take work over. */
  balanceRequested = false;

  constructor(queues: RunQueues, cpu: Cpu, idlePath: (rq: RunQueue) => KernelPath) {
    this.queues = queues;
    this.cpu = cpu;
    const idle = new Task(0, `swapper/${cpu.id}`, cpu, null, queues.everyCpu, idlePath(this));
    idle.state = TaskState.RUNNING;
    idle.onCpu = true;
    this.idle = idle;
    this.fair = new CfsQueue(queues.baseSlice, queues.tickNs);
    this.current = idle;
    this.previous = idle;
    this.next = idle;
    this.#nsPerTsc = 1 / queues.platform.costs.tscPerNs;
    this.clock = this.now;
    this.startedAt = this.clock;
    this.tick = new Tick(this);
    this.timers = new CpuTimers(queues.events.timerExpire);
  }

  /** The CPU's time in nanoseconds. */
  get now(): number {
    return this.at(this.cpu.clock);
  }

  /** Nanoseconds at `time` TSC cycles. */
  at(time: number): number {
    return Math.floor(time * this.#nsPerTsc);
  }

  /** `cpu` takes the lock. A CPU that is in the middle of a switch holds its own, so the switch ends first. */
  acquire(cpu: Cpu): void {
    this.endSwitch(cpu);
    this.lock.acquire(cpu);
  }

  /** What `cpu` waits for when it takes the lock. */
  endSwitch(cpu: Cpu): void {
    if (this.phase > SwitchPhase.DEACTIVATE && this.cpu !== cpu) this.queues.completeSwitch(this);
  }

  /** Brings the clocks up to date, as seen from `cpu`, which holds the lock. */
  updateClock(cpu: Cpu): void {
    this.advance(cpu, Math.max(this.now, this.at(cpu.clock)));
  }

  /** `cpu` brings the clocks up to `now`, ns; clocks that are ahead stay as they are. */
  advance(cpu: Cpu, now: number): void {
    let delta = now - this.clock;
    if (delta <= 0) return;
    this.clock = now;
    const hook = this.queues.hooks.schedTaskClock;
    if (hook.tapped) delta = hook.call(delta, this, this.current, cpu);
    this.taskClock += delta;
  }

  gain(): void {
    if (++this.running === 2) this.queues.domains.gainedSecond(this.cpu);
  }

  lose(): void {
    if (--this.running === 1) this.queues.domains.lostSecond(this.cpu);
  }

  /**
   * Brings the run time of the running task up to date.
   * @returns true if it belongs to the fair class, has used up its slice, and somebody else waits
   */
  account(): boolean {
    const { current } = this;
    if (current === this.idle) {
      this.accountIdle();
      return false;
    }
    if (current.schedClass === null) return updateFair(this);
    const { entity } = current;
    entity.sumExec += this.taskClock - entity.execStart;
    entity.execStart = this.taskClock;
    return false;
  }

  /** Tells its class that `task` stops running. */
  putPrevious(task: Task): void {
    const { schedClass, entity } = task;
    if (schedClass !== null) {
      this.account();
      this.queues.classes.queue(schedClass, this).putPrevious(task);
    } else if (entity.parent !== null) {
      putPreviousFair(this, task);
    } else if (this.fair.current === entity) {
      // Another CPU may have moved the clock on since the switch began.
      this.fair.update(this.taskClock);
      this.fair.putPrevious(entity);
    }
  }

  /** `task` becomes the one that runs, as far as its class is concerned. */
  setNext(task: Task): void {
    const { schedClass, entity } = task;
    if (schedClass === null) {
      setNextFair(this, task);
    } else {
      entity.execStart = this.taskClock;
      this.queues.classes.queue(schedClass, this).setNext(task);
    }
  }

  /** The idle task has run until now. Its run time is the CPU's idle time. */
  accountIdle(): void {
    const { entity } = this.idle;
    entity.sumExec += this.taskClock - entity.execStart;
    entity.execStart = this.taskClock;
  }

  /** Nothing runs here and nothing is on its way. */
  get isIdle(): boolean {
    return this.current === this.idle && this.running === 0 && this.wakeList === null;
  }

  /** The core has been woken: the exit latency passes. A path that comes with the wake-up arrives here. */
  leaveHalt(): void {
    const { cpu, idleState } = this;
    if (idleState === null) return;
    this.idleState = null;
    const { idleExit } = this.queues.events;
    if (idleExit.observed) idleExit.emit(cpu.id, cpu.clock, idleState);
    for (let task = this.wakeList; task !== null; task = task.nextWake) {
      carryIn(cpu, task, cpu.haltedAt);
    }
    if (idleState.wake > 0) cpu.chargeCycles(HwStep.idleExit, cpu.latency(idleState.wake));
  }

  startTick(): void {
    const { platform, tickCycles } = this.queues;
    if (!this.tick.armed) platform.arm(this.tick, (Math.floor(this.cpu.clock / tickCycles) + 1) * tickCycles);
  }

  stopTick(): void {
    this.queues.platform.queue.cancel(this.tick);
    this.tickDue = false;
  }
}

/** Ends a switch that a CPU is in the middle of. */
export type CompleteSwitch = (rq: RunQueue) => void;

/** What decides which tasks may run on the threads of one core at the same time (`CoreScheduling`). */
export interface CorePicks {
  /** `task` was picked to run on `rq`. @returns what may run instead: it, another one, or the idle task */
  admit(rq: RunQueue, task: Task): Task;
  /** `rq` has gone idle. */
  released(rq: RunQueue): void;
  /** A tick on a busy thread. */
  tick(rq: RunQueue): void;
}

/** The run queues of a machine, and what all of them share (Linux: `cpu_rq`, `struct root_domain`). */
export class RunQueues implements TimerHost, GroupHost {
  readonly platform: Platform;
  readonly seams: SchedSeams;
  readonly hooks: SchedSeams['hooks'];
  readonly events: SchedSeams['events'];
  readonly classes: SchedClasses;
  readonly domains: CpuDomains;
  /** By number of the CPU. */
  readonly all: readonly RunQueue[];
  /** Every CPU of the machine; not to be changed. */
  readonly everyCpu: CpuSet;
  /** TSC cycles between two ticks. */
  readonly tickCycles: number;
  readonly tickNs: number;
  /** Slice of a fair task that has not asked for another, ns. */
  readonly baseSlice: number;
  /** Stands for spinning on `on_cpu`, or on the lock of a CPU in the middle of a switch. */
  readonly completeSwitch: CompleteSwitch;
  /** Core scheduling; null until some task is to have a cookie. */
  cores: CorePicks | null = null;

  /** @param hz ticks per second @param idlePath what the idle task of a CPU does */
  constructor(
    platform: Platform,
    seams: SchedSeams,
    classes: SchedClasses,
    hz: number,
    idlePath: (rq: RunQueue) => KernelPath,
    completeSwitch: CompleteSwitch,
  ) {
    const { costs, cpus } = platform;
    this.platform = platform;
    this.seams = seams;
    this.hooks = seams.hooks;
    this.events = seams.events;
    this.classes = classes;
    this.tickNs = 1e9 / hz;
    this.tickCycles = Math.round(this.tickNs * costs.tscPerNs);
    // sysctl_sched_base_slice: 0.70 ms x (1 + log2(CPUs, at most 8)).
    this.baseSlice = 700_000 * (1 + Math.floor(Math.log2(Math.min(8, cpus.length))));
    this.completeSwitch = completeSwitch;
    this.everyCpu = CpuSet.all(cpus.length);
    this.all = cpus.map((cpu) => new RunQueue(this, cpu, idlePath));
    this.domains = new CpuDomains(platform, this.all);
  }

  of(cpu: Cpu): RunQueue {
    return this.all[cpu.id] as RunQueue;
  }

  cpuOf(id: number): Cpu {
    return this.platform.cpus[id] as Cpu;
  }

  timers(cpu: Cpu): CpuTimers {
    return this.of(cpu).timers;
  }

  periodTimer(expired: (cpu: Cpu) => void): SleepTimer {
    return new SleepTimer(this, expired);
  }

  resume(cpu: Cpu, queue: GroupQueue): void {
    const rq = this.of(queue.rq.cpu);
    rq.acquire(cpu);
    rq.updateClock(cpu);
    if (rq.account()) resched(cpu, rq);
    unthrottle(rq, queue);
    if (rq.current === rq.idle && queue.queued > 0) resched(cpu, rq);
    rq.lock.release(cpu);
  }

  /** An idle CPU that shares a cache with `near`, a wholly idle core first; null if there is none. */
  idleNear(near: Cpu, allowed: CpuSet): Cpu | null {
    const id = this.domains.idleNear(near, allowed);
    return id < 0 ? null : this.cpuOf(id);
  }

  /** The CPU with the fewest runnable tasks, `near` if it is one of them, else the lowest number. */
  leastLoaded(near: Cpu, allowed: CpuSet): Cpu {
    const idle = this.idleNear(near, allowed);
    if (idle !== null) return idle;
    let best = allowed.has(near.id) ? near : this.cpuOf(allowed.first);
    for (const { cpu, running } of this.all) {
      if (allowed.has(cpu.id) && running < this.of(best).running) best = cpu;
    }
    return best;
  }
}

/** The running task of `rq` is to be rescheduled; its CPU is told if it would not notice (Linux: `resched_curr`). */
export function resched(cpu: Cpu, rq: RunQueue): void {
  const { current } = rq;
  if (current.needResched) return;
  current.needResched = true;
  if (rq.cpu === cpu) return;
  if (!kickPolling(cpu, rq)) sendReschedule(cpu, rq);
}

/** Interrupts the CPU of `rq` (Linux: `smp_send_reschedule`). */
export function sendReschedule(cpu: Cpu, rq: RunQueue): void {
  cpu.charge(SchedStep.kickByIpi);
  leaveForHypervisor(cpu, rq);
  cpu.sendInterrupt(rq.cpu, Vector.reschedule);
}

/** In a guest, who interrupts a halted CPU is away until the hypervisor has woken it. */
export function leaveForHypervisor(cpu: Cpu, { idleState }: RunQueue): void {
  const kick = idleState?.kick ?? 0;
  if (kick > 0) cpu.chargeCycles(HwStep.vmExit, kick);
}

/** True if the CPU of `rq` idles and watches its need-resched word: a store suffices, no interrupt is sent. */
export function kickPolling(cpu: Cpu, rq: RunQueue): boolean {
  if (rq.current !== rq.idle) return false;
  const { idleState } = rq;
  if (idleState !== null && !idleState.monitored) return false;
  cpu.triggerMonitor(rq.cpu);
  return true;
}
