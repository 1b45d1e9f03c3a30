import type { Cpu, CpuProfile, ExecutionContext, Platform } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import { SchedClasses } from './classes/classes.js';
import { accountTick } from './core/cpu-time.js';
import { dequeue, enqueue } from './core/enqueue.js';
import { setGroup, setNice, setScheduler } from './core/policy.js';
import { RunQueue, SwitchPhase } from './core/run-queue.js';
import { switchStep } from './core/schedule.js';
import { PathResult, Task, TaskState, TIMER_SLACK } from './core/task.js';
import { activate, checkPreempt, receiveWakeUps, resched, wakeUp } from './core/wake-up.js';
import { balanceTick } from './cpus/balance.js';
import { CoreScheduling } from './cpus/core-sched.js';
import { CpuDomains } from './cpus/cpu-domains.js';
import { CpuHotplug } from './cpus/cpu-hotplug.js';
import { CpuSet } from './cpus/cpu-set.js';
import { IdlePath, type IdlePolicy, type IdleState } from './cpus/idle.js';
import { CfsQueue } from './fair/cfs-queue.js';
import { finishDelayed, yieldFair } from './fair/hierarchy.js';
import { TaskGroup } from './fair/task-group.js';
import { SchedSeams } from './seams.js';
import { SchedStep } from './steps.js';
import { priorityChanged } from './sync/rt-mutex.js';

/** How the scheduler is set up. */
export interface SchedulerOptions {
  /** Ticks per second (CONFIG_HZ): 100, 250, 300 or 1000. */
  readonly hz?: number;
  /** The idle state that idle CPUs go to, by name in the profile. */
  readonly idle?: IdleStateName;
  /** How late sleeps and timeouts of the first tasks may end, ns; 50 us by default. Others inherit it. */
  readonly timerSlack?: number;
}

export type IdleStateName = CpuProfile['idle'][number]['name'];

/** The scheduler of one machine: a run queue per CPU, and the kernel-mode context in which tasks' kernel paths run. */
export class Scheduler {
  readonly seams: SchedSeams;
  readonly hooks: SchedSeams['hooks'];
  readonly events: SchedSeams['events'];
  readonly platform: Platform;
  /** TSC cycles between two ticks. */
  readonly tickCycles: number;
  readonly tickNs: number;
  /** Slice of a fair task that has not asked for another, ns. */
  readonly baseSlice: number;
  /** Executes kernel paths: a CPU whose context this is is in kernel mode. */
  readonly kernelMode: ExecutionContext;
  readonly domains: CpuDomains;
  readonly classes: SchedClasses;
  readonly cores: CoreScheduling;
  readonly hotplug: CpuHotplug;
  /** Every CPU of the machine; not to be changed. */
  readonly everyCpu: CpuSet;
  readonly #runQueues: RunQueue[];
  readonly #timerSlack: number;
  #pids = 0;

  constructor(platform: Platform, options: SchedulerOptions = {}) {
    const { costs, cpus, profile } = platform;
    this.platform = platform;
    this.#timerSlack = options.timerSlack ?? TIMER_SLACK;
    this.tickNs = 1e9 / (options.hz ?? 250);
    this.tickCycles = Math.round(this.tickNs * costs.tscPerNs);
    this.kernelMode = new KernelMode(this);
    const name = options.idle ?? 'C1E';
    const state = profile.idle.find((candidate) => candidate.name === name);
    if (state === undefined) {
      throw new RangeError(`idle: ${profile.name} has no idle state "${name}"; it has ${profile.idle.map((s) => s.name).join(', ')}`);
    }
    this.seams = new SchedSeams(
      new FixedIdlePolicy({
        name,
        monitored: name === 'poll' || (profile.features.mwait && state.mwaitHint !== undefined),
        wake: costs.ns(state.wake),
      }),
    );
    this.hooks = this.seams.hooks;
    this.events = this.seams.events;
    // sysctl_sched_base_slice: 0.70 ms x (1 + log2(CPUs, at most 8)).
    this.baseSlice = 700_000 * (1 + Math.floor(Math.log2(Math.min(8, cpus.length))));
    const all = CpuSet.all(cpus.length);
    this.everyCpu = all;
    this.hotplug = new CpuHotplug(this, all);
    const domains = new CpuDomains(platform);
    this.domains = domains;
    const classes = new SchedClasses(this);
    this.classes = classes;
    this.cores = new CoreScheduling(this, platform);
    this.#runQueues = cpus.map((cpu) => {
      const path = new IdlePath(this);
      const idle = new Task(0, `swapper/${cpu.id}`, cpu, null, all, path);
      idle.state = TaskState.RUNNING;
      idle.onCpu = true;
      return new RunQueue(cpu, idle, path, new CfsQueue(this.baseSlice, this.tickNs), 1 / costs.tscPerNs, domains, classes);
    });
    domains.attach(this.#runQueues);
    for (const cpu of cpus) {
      cpu.context = this.kernelMode;
      (this.#runQueues[cpu.id] as RunQueue).idlePath.state = this.seams.slots.idlePolicy.value.choose(cpu);
    }
  }

  runQueue(cpu: Cpu): RunQueue {
    return this.#runQueues[cpu.id] as RunQueue;
  }

  get runQueues(): readonly RunQueue[] {
    return this.#runQueues;
  }

  cpuOf(id: number): Cpu {
    return this.platform.cpus[id] as Cpu;
  }

  sharesCache(a: Cpu, b: Cpu): boolean {
    return this.domains.sharesCache(a, b);
  }

  /** The task whose kernel stack `cpu` is on. */
  current(cpu: Cpu): Task {
    return this.runQueue(cpu).current;
  }

  /** The next thread id. */
  nextPid(): number {
    return ++this.#pids;
  }

  /** Every CPU of the machine. */
  allCpus(): CpuSet {
    return CpuSet.all(this.platform.cpus.length);
  }

  /** Takes a new task over: it inherits scheduling parameters from `parent`. `wakeUpNew` starts it. */
  adopt(task: Task, parent: Task | null): void {
    task.timerSlack = parent?.timerSlack ?? this.#timerSlack;
    if (parent !== null) {
      task.affinity = parent.affinity;
      task.affinitySize = parent.affinitySize;
      task.nice = parent.nice;
      task.policy = parent.policy;
      task.group = parent.group;
      task.coreCookie = parent.coreCookie;
      // What the parent has inherited itself is not passed on.
      task.schedClass = parent.inheritedPriority > 0 ? null : parent.schedClass;
      task.rtPriority = parent.ownPriority;
      task.ownPriority = parent.ownPriority;
      task.entity.weight = parent.entity.weight;
    }
    task.schedClass ??= this.classes.of(task.policy) ?? null;
    this.hooks.schedTaskNew.call(task, parent);
  }

  /** Starts a new task on the CPU it was made for, or the nearest it may run on (Linux: `wake_up_new_task`). */
  wakeUpNew(cpu: Cpu, task: Task): void {
    const wanted = task.affinity.has(task.cpu.id) ? task.cpu : this.cpuOf(task.affinity.first);
    const target = task.affinitySize > 1 && !this.runQueue(wanted).isIdle ? this.leastLoaded(wanted, task.affinity) : wanted;
    const rq = this.runQueue(target);
    cpu.charge(SchedStep.wakeEnqueue);
    this.lock(rq, cpu);
    this.updateClock(rq, cpu);
    enqueue(this, cpu, rq, task, true);
    task.state = TaskState.RUNNING;
    checkPreempt(this, cpu, rq, task);
    rq.lock.release(cpu);
  }

  /** See `wakeUp` in wake-up.ts; by default wakes from both kinds of sleep. */
  wakeUp(cpu: Cpu, task: Task, mask: number = TaskState.INTERRUPTIBLE | TaskState.UNINTERRUPTIBLE, sync = false): boolean {
    return wakeUp(this, cpu, task, mask, sync);
  }

  /** Brings a run queue's clocks up to date, as seen from `cpu`, which holds its lock. */
  updateClock(rq: RunQueue, cpu: Cpu): void {
    this.#advance(rq, cpu === rq.cpu ? rq.now : Math.max(rq.now, this.runQueue(cpu).now));
  }

  #advance(rq: RunQueue, now: number): void {
    let delta = now - rq.clock;
    if (delta <= 0) return;
    rq.clock = now;
    const hook = this.hooks.schedTaskClock;
    if (hook.tapped) delta = hook.call(delta, rq, rq.current);
    rq.taskClock += delta;
  }

  /**
   * Accounts for everything up to `time` (TSC cycles) on `cpu`: for whoever wants to read run times between two switches.
   * A CPU that has gone further already is accounted for up to its own clock.
   */
  settle(cpu: Cpu, time: number): void {
    const rq = this.runQueue(cpu);
    this.#advance(rq, Math.max(rq.now, rq.at(time)));
    if (rq.account()) resched(this, cpu, rq);
  }

  /** sched_yield of the task that `cpu` runs: the rest of its slice is given up, so its deadline moves behind the others'. */
  yieldTask(cpu: Cpu): void {
    const rq = this.runQueue(cpu);
    cpu.charge(SchedStep.yieldBody);
    this.updateClock(rq, cpu);
    const { current } = rq;
    if (current.schedClass === null) yieldFair(rq, current);
    else this.classes.queue(current.schedClass, rq).yield(current);
    current.needResched = true;
  }

  /** An idle CPU that shares a cache with `near`, a wholly idle core first; null if there is none. */
  idleCpuNear(near: Cpu, allowed: CpuSet): Cpu | null {
    const id = this.domains.idleNear(near, allowed);
    return id < 0 ? null : this.cpuOf(id);
  }

  /** The CPU with the fewest runnable tasks, `near` if it is one of them, else the lowest number. */
  leastLoaded(near: Cpu, allowed: CpuSet): Cpu {
    const idle = this.idleCpuNear(near, allowed);
    if (idle !== null) return idle;
    let best = allowed.has(near.id) ? near : this.cpuOf(allowed.first);
    for (const { cpu, running } of this.#runQueues) {
      if (allowed.has(cpu.id) && running < this.runQueue(best).running) best = cpu;
    }
    return best;
  }

  /** Starts `schedule()` on `cpu`: the next turns of its kernel mode go through it. */
  schedule(cpu: Cpu, blocking: boolean): void {
    const rq = this.runQueue(cpu);
    // As in __schedule: a wake-up by an interrupt would find the task that is leaving still current, and be lost.
    cpu.interruptsEnabled = false;
    rq.phase = SwitchPhase.DEACTIVATE;
    rq.blocking = blocking;
    cpu.context = this.kernelMode;
  }

  /** Takes the lock of a run queue. A CPU that is in the middle of a switch holds its own, so the switch ends first. */
  lock(rq: RunQueue, cpu: Cpu): void {
    if (rq.phase > SwitchPhase.DEACTIVATE && rq.cpu !== cpu) this.completeSwitch(rq.cpu);
    rq.lock.acquire(cpu);
  }

  /** Lets a switch that another CPU is in the middle of run to its end: what spinning on `on_cpu` amounts to. */
  completeSwitch(cpu: Cpu): void {
    const rq = this.runQueue(cpu);
    while (rq.phase !== SwitchPhase.NONE) switchStep(this, rq);
  }

  startTick(rq: RunQueue): void {
    if (rq.tick.armed) return;
    const due = (Math.floor(rq.cpu.clock / this.tickCycles) + 1) * this.tickCycles;
    this.platform.arm(rq.tick, due);
  }

  stopTick(rq: RunQueue): void {
    this.platform.queue.cancel(rq.tick);
    rq.tickDue = false;
  }

  /** What the local timer interrupt does: expired timers, then the tick. */
  timerInterrupt(cpu: Cpu): void {
    const rq = this.runQueue(cpu);
    const entered = cpu.clock;
    while (rq.expired.length > 0) rq.expired.shift()?.run(cpu);
    for (const timer of rq.slackTimers) {
      if (timer.soft > cpu.clock) continue;
      timer.stop();
      timer.run(cpu);
    }
    if (!rq.tickDue) return;
    rq.tickDue = false;
    cpu.charge(SchedStep.tickOther);
    cpu.charge(SchedStep.tickScheduler);
    rq.lock.acquire(cpu);
    this.updateClock(rq, cpu);
    const { schedClass } = rq.current;
    // A step of the kernel is atomic here: a tick that came in the middle of one is taken late, after it.
    const late = entered - rq.tick.time > (this.platform.costs.step[SchedStep.interruptEntry] as number);
    accountTick(rq.current, late || cpu.context === this.kernelMode);
    if (rq.account() || (schedClass !== null && this.classes.queue(schedClass, rq).tick(rq.current))) resched(this, cpu, rq);
    balanceTick(this, rq);
    if (this.cores.inUse) this.cores.tick(rq);
    rq.lock.release(cpu);
    this.startTick(rq);
  }

  /** What the call-function interrupt does: enqueues remote wake-ups. */
  callFunctionInterrupt(cpu: Cpu): void {
    receiveWakeUps(this, this.runQueue(cpu));
  }

  /**
   * sched_setaffinity. A task that runs where it no longer may is moved when it next passes the scheduler.
   * @returns 0, -EINVAL for a mask without an active CPU of the machine, or -EAGAIN if a plugin wants the caller to yield
   *   and retry
   */
  setAffinity(cpu: Cpu, task: Task, affinity: CpuSet): number {
    cpu.charge(SchedStep.affinityBody);
    if (affinity.size === 0 || affinity.first >= this.platform.cpus.length) return -Errno.EINVAL;
    const { active } = this.hotplug;
    const usable = active === this.everyCpu ? affinity : this.hotplug.narrow(affinity);
    if (usable.size === 0) return -Errno.EINVAL;
    if (this.hooks.schedAffinity.call(task) === false) return -Errno.EAGAIN;
    this.applyAffinity(cpu, task, usable);
    return 0;
  }

  /** See `setScheduler` in policy.ts. */
  setScheduler(cpu: Cpu, task: Task, policy: number, priority = 0): number {
    const { rtPriority } = task;
    const result = setScheduler(this, cpu, task, policy, priority);
    if (task.rtPriority !== rtPriority) priorityChanged(cpu, task);
    return result;
  }

  /** See `setNice` in policy.ts. */
  setNice(cpu: Cpu, task: Task, nice: number): void {
    setNice(this, cpu, task, nice);
  }

  /** A control group with the CPU controller. @param parent null for a group right below the root */
  createGroup(name: string, parent: TaskGroup | null = null): TaskGroup {
    return new TaskGroup(this, name, parent);
  }

  /** Moves a task to another control group; null is the root. */
  setGroup(cpu: Cpu, task: Task, group: TaskGroup | null): void {
    setGroup(this, cpu, task, group);
  }

  /** Has the stopper thread of `target` do `work`, before anything else runs there (Linux: `stop_one_cpu_nowait`). */
  stopCpu(cpu: Cpu, target: Cpu, work: (cpu: Cpu) => void): void {
    this.classes.stopper(target).queue(cpu, work);
  }

  /** The working part of `setAffinity`: no permission is asked. */
  applyAffinity(cpu: Cpu, task: Task, affinity: CpuSet): void {
    task.affinity = affinity;
    task.affinitySize = affinity.size;
    if (affinity.has(task.cpu.id) || !task.onRq) return;
    const rq = this.runQueue(task.cpu);
    if (rq.current === task) resched(this, cpu, rq);
    else this.migrate(cpu, task);
  }

  /** Moves the task that `cpu` is about to leave to a CPU it may use. */
  migrateRunning(cpu: Cpu, task: Task): void {
    this.runQueue(cpu).putPrevious(task);
    this.migrate(cpu, task);
  }

  /** Moves a queued task that does not run to a CPU it may use. */
  migrate(cpu: Cpu, task: Task): void {
    const from = this.runQueue(task.cpu);
    const to = this.runQueue(this.leastLoaded(task.cpu, task.affinity));
    cpu.charge(SchedStep.migrate);
    this.updateClock(from, cpu);
    const delayed = task.entity.delayed;
    if (delayed) {
      finishDelayed(from, task);
    } else {
      dequeue(this, from, task, false);
    }
    task.cpu = to.cpu;
    if (cpu.path.destination === task && to.cpu !== cpu) cpu.path.depart(cpu);
    if (delayed) return;
    this.lock(to, cpu);
    this.updateClock(to, cpu);
    activate(this, cpu, to, task);
    to.lock.release(cpu);
  }
}

/** Kernel mode: goes through `schedule()` if the CPU is in it, else on with the current task's path. */
class KernelMode implements ExecutionContext {
  readonly #scheduler: Scheduler;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  resume(cpu: Cpu): void {
    const scheduler = this.#scheduler;
    const rq = scheduler.runQueue(cpu);
    do {
      if (rq.phase !== SwitchPhase.NONE) {
        switchStep(scheduler, rq);
      } else {
        const task = rq.current;
        if (task.path.run(cpu, task) === PathResult.SCHEDULE) scheduler.schedule(cpu, true);
      }
    } while (cpu.hasTime && cpu.context === this && !cpu.halted && !cpu.interruptible);
  }
}

/** Always the same state. */
class FixedIdlePolicy implements IdlePolicy {
  readonly #state: IdleState;

  constructor(state: IdleState) {
    this.#state = state;
  }

  choose(): IdleState {
    return this.#state;
  }
}
