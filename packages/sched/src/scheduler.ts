import type { Cpu, CpuProfile, ExecutionContext, Platform } from '@rpal/hw-x86';
import { Errno } from '@rpal/uapi';
import { RtClass } from './classes/rt-class.js';
import { StopClass, Stoppers } from './classes/stop-class.js';
import { applyAffinity } from './core/affinity.js';
import { accountTick } from './core/cpu-time.js';
import { enqueue } from './core/enqueue.js';
import { Handovers } from './core/handover.js';
import type { IdlePolicy, IdleState } from './core/idle-state.js';
import type { KernelThreads } from './core/kernel-thread.js';
import { beginOrdinary, inherit, setGroup, setNice, setScheduler } from './core/policy.js';
import { type PriorityLender, priorityChanged } from './core/rt-mutex.js';
import { type RunQueue, RunQueues, resched } from './core/run-queue.js';
import type { SchedClass } from './core/sched-class.js';
import { SchedClasses } from './core/sched-classes.js';
import { SchedSeams } from './core/seams.js';
import { type KernelPath, Task, TaskState, TIMER_SLACK } from './core/task.js';
import type { CpuTimers, TimerHost } from './core/timer.js';
import { checkPreempt, receiveWakeUps, type Waker, wakeUp } from './core/wake-up.js';
import { CpuSet } from './cpus/cpu-set.js';
import { SchedError } from './errors.js';
import { Enqueue } from './fair/cfs-queue.js';
import { yieldFair } from './fair/hierarchy.js';
import { TaskGroup } from './fair/task-group.js';
import { balanceTick } from './placement/balance.js';
import { CpuHotplug } from './placement/cpu-hotplug.js';
import { SchedStep } from './steps.js';
import { switchTo } from './switch/directed-switch.js';
import { IdlePath } from './switch/idle.js';
import { ContextSwitch, KernelMode } from './switch/schedule.js';

/** How the scheduler is set up. */
export interface SchedulerOptions {
  /** Ticks per second (CONFIG_HZ): 100, 250, 300 or 1000. By default as the profile's kernel. */
  readonly hz?: number;
  /** The idle state that idle CPUs go to, by name in the profile. */
  readonly idle?: IdleStateName;
  /** How late sleeps and timeouts of the first tasks may end, ns; 50 us by default. Others inherit it. */
  readonly timerSlack?: number;
}

export type IdleStateName = CpuProfile['idle'][number]['name'];

/**
 * The scheduler of one machine, as the layers above use it: tasks are made, woken, changed and switched here. What it does is in
 * the folders below, which know the run queues and each other, but not this class.
 */
export class Scheduler implements Waker, TimerHost, PriorityLender, KernelThreads {
  /** The run queues, with what they share. */
  readonly queues: RunQueues;
  readonly seams: SchedSeams;
  readonly hooks: SchedSeams['hooks'];
  readonly events: SchedSeams['events'];
  /** Where tasks pass work to each other. */
  readonly handovers: Handovers;
  readonly platform: Platform;
  /** TSC cycles between two ticks. */
  readonly tickCycles: number;
  readonly tickNs: number;
  /** Slice of a fair task that has not asked for another, ns. */
  readonly baseSlice: number;
  readonly hotplug: CpuHotplug;
  /** Every CPU of the machine; not to be changed. */
  readonly everyCpu: CpuSet;
  readonly #kernelMode: KernelMode;
  readonly #stoppers: Stoppers;
  readonly #timerSlack: number;
  #pids = 0;

  /** @throws SchedError INVALID_ARGUMENT for an idle state that the processor does not have */
  constructor(platform: Platform, options: SchedulerOptions = {}) {
    this.platform = platform;
    this.#timerSlack = options.timerSlack ?? TIMER_SLACK;
    this.seams = new SchedSeams(fixedIdlePolicy(platform, options.idle ?? 'C1E'));
    this.hooks = this.seams.hooks;
    this.events = this.seams.events;
    this.handovers = new Handovers(this.events, (cpu) => this.current(cpu));
    const stop = new StopClass();
    this.#stoppers = new Stoppers(this, stop);
    this.queues = new RunQueues(
      platform,
      this.seams,
      new SchedClasses(stop, new RtClass(), this.seams.slots.schedExt),
      options.hz ?? platform.costs.profile.kernel.hz,
      (rq) => new IdlePath(rq),
      (rq) => switching.complete(rq),
    );
    const switching = new ContextSwitch();
    this.#kernelMode = new KernelMode(this.queues, switching);
    this.hotplug = new CpuHotplug(this.queues);
    this.tickCycles = this.queues.tickCycles;
    this.tickNs = this.queues.tickNs;
    this.baseSlice = this.queues.baseSlice;
    this.everyCpu = this.queues.everyCpu;
    for (const rq of this.queues.all) {
      rq.cpu.context = this.#kernelMode;
      rq.idleState = this.seams.slots.idlePolicy.value.choose(rq.cpu);
    }
  }

  /** Executes kernel paths: a CPU whose context this is is in kernel mode. */
  get kernelMode(): ExecutionContext {
    return this.#kernelMode;
  }

  runQueue(cpu: Cpu): RunQueue {
    return this.queues.of(cpu);
  }

  get runQueues(): readonly RunQueue[] {
    return this.queues.all;
  }

  cpuOf(id: number): Cpu {
    return this.queues.cpuOf(id);
  }

  timers(cpu: Cpu): CpuTimers {
    return this.queues.timers(cpu);
  }

  /** The task whose kernel stack `cpu` is on. */
  current(cpu: Cpu): Task {
    return this.queues.of(cpu).current;
  }

  /** The next thread id. */
  nextPid(): number {
    return ++this.#pids;
  }

  /** Takes over a new task: it inherits scheduling parameters from `parent`. `wakeUpNew` starts it. */
  adopt(task: Task, parent: Task | null): void {
    task.timerSlack = parent?.timerSlack ?? this.#timerSlack;
    if (parent !== null) {
      task.affinity = parent.affinity;
      task.affinitySize = parent.affinitySize;
      task.nice = parent.nice;
      task.policy = parent.policy;
      task.group = parent.group;
      task.coreCookie = parent.coreCookie;
      // What the parent itself inherited is not passed on.
      task.schedClass = parent.inheritedPriority > 0 ? null : parent.schedClass;
      task.rtPriority = parent.ownPriority;
      task.ownPriority = parent.ownPriority;
      task.entity.weight = parent.entity.weight;
      if (parent.resetOnFork) beginOrdinary(task);
    }
    task.schedClass ??= this.queues.classes.of(task.policy) ?? null;
    this.hooks.schedTaskNew.call(task, parent);
  }

  createOn(cpu: Cpu, name: string, path: KernelPath, schedClass: SchedClass | null = null): Task {
    const task = new Task(this.nextPid(), name, cpu, null, new CpuSet(this.platform.cpus.length, [cpu.id]), path);
    task.schedClass = schedClass;
    this.adopt(task, null);
    return task;
  }

  /** Starts a new task on the CPU it was made for, or the nearest it may run on (Linux: `wake_up_new_task`). */
  wakeUpNew(cpu: Cpu, task: Task): void {
    const { queues } = this;
    const wanted = task.affinity.has(task.cpu.id) ? task.cpu : this.cpuOf(task.affinity.first);
    const target = task.affinitySize > 1 && !queues.of(wanted).isIdle ? queues.leastLoaded(wanted, task.affinity) : wanted;
    const rq = queues.of(target);
    cpu.charge(SchedStep.wakeEnqueue);
    rq.acquire(cpu);
    rq.updateClock(cpu);
    const { taskNew } = this.events;
    if (taskNew.observed) taskNew.emit(cpu.id, cpu.clock, task, target.id);
    enqueue(cpu, rq, task, Enqueue.NEW);
    task.state = TaskState.RUNNING;
    checkPreempt(cpu, rq, task);
    rq.lock.release(cpu);
  }

  wakeUp(cpu: Cpu, task: Task, mask: number = TaskState.INTERRUPTIBLE | TaskState.UNINTERRUPTIBLE, sync = false): boolean {
    return wakeUp(this.queues, cpu, task, mask, sync);
  }

  /**
   * The next switch of `cpu`, which is in kernel mode, goes to `task`, whatever the order of deadlines and priorities says, and costs
   * what any switch costs. It comes when the running task sleeps or is on its way to user mode. `task` is woken if it sleeps, and
   * brought here if it waits for another CPU.
   * @returns 0; -EINVAL if `task` may not run on `cpu`, is its running task, or has ended; -EBUSY if it runs on another CPU;
   *   -EAGAIN if a tap refuses to have it woken
   */
  switchTo(cpu: Cpu, task: Task): number {
    return switchTo(this.queues.of(cpu), task);
  }

  /**
   * Accounts for everything up to `time` (TSC cycles) on `cpu`: for whoever wants to read run times between two switches.
   * A CPU that has gone further already is accounted for up to its own clock.
   */
  settle(cpu: Cpu, time: number): void {
    const rq = this.queues.of(cpu);
    rq.advance(cpu, Math.max(rq.now, rq.at(time)));
    if (rq.account()) resched(cpu, rq);
  }

  /** sched_yield of the task that `cpu` runs: the rest of its slice is given up, so its deadline moves behind the others'. */
  yieldTask(cpu: Cpu): void {
    const rq = this.queues.of(cpu);
    // Alone there is nobody to stand behind.
    cpu.charge(rq.running === 1 ? SchedStep.yieldAlone : SchedStep.yieldBody);
    rq.updateClock(cpu);
    const { current } = rq;
    if (current.schedClass === null) yieldFair(rq, current);
    else this.queues.classes.queue(current.schedClass, rq).yield(current);
    current.needResched = true;
  }

  /** `schedule()` of the task that `cpu` runs: it sleeps if it has prepared to. The next turns of the kernel mode go through it. */
  schedule(cpu: Cpu): void {
    this.#kernelMode.schedule(this.queues.of(cpu));
  }

  /** As `schedule`, but the task is preempted: it stays runnable whatever it has prepared (Linux: SM_PREEMPT). */
  preempt(cpu: Cpu): void {
    this.#kernelMode.preempt(this.queues.of(cpu));
  }

  /** What the local timer interrupt does: expired timers, then the tick. */
  timerInterrupt(cpu: Cpu): void {
    const rq = this.queues.of(cpu);
    const entered = cpu.clock;
    rq.timers.run(cpu);
    if (rq.tickDue) this.#tick(rq, entered);
  }

  /** @param entered when the interrupt was taken, TSC cycles */
  #tick(rq: RunQueue, entered: number): void {
    const { cpu, current } = rq;
    const { schedClass } = current;
    rq.tickDue = false;
    cpu.charge(SchedStep.tickOther);
    cpu.charge(SchedStep.tickScheduler);
    rq.lock.acquire(cpu);
    rq.updateClock(cpu);
    // A step of the kernel is atomic here: a tick that came in the middle of one is taken late, after it.
    const late = entered - rq.tick.time > (this.platform.costs.step[SchedStep.interruptEntry] as number);
    accountTick(current, late || cpu.context === this.#kernelMode);
    if (rq.account() || (schedClass !== null && this.queues.classes.queue(schedClass, rq).tick(current))) resched(cpu, rq);
    balanceTick(rq, this.#stoppers);
    this.queues.cores?.tick(rq);
    rq.lock.release(cpu);
    rq.startTick();
  }

  /** What the call-function interrupt does: enqueues what other CPUs have woken for this one. */
  callFunctionInterrupt(cpu: Cpu): void {
    receiveWakeUps(this.queues.of(cpu));
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

  /** The working part of `setAffinity`: no permission is asked. */
  applyAffinity(cpu: Cpu, task: Task, affinity: CpuSet): void {
    applyAffinity(this.queues, cpu, task, affinity);
  }

  /**
   * sched_setscheduler: gives `task` another policy and, for SCHED_FIFO and SCHED_RR, a priority of 1 .. 99.
   * @returns 0, or -EINVAL for an unknown policy, a class that the machine does not have, or a priority out of range; what
   *   a tap of `schedPolicy` answers if one refuses
   */
  setScheduler(cpu: Cpu, task: Task, policy: number, priority = 0): number {
    const { rtPriority } = task;
    const result = setScheduler(this.queues, cpu, task, policy, priority);
    if (task.rtPriority !== rtPriority) priorityChanged(cpu, task);
    return result;
  }

  lendPriority(cpu: Cpu, task: Task, priority: number): void {
    inherit(this.queues, cpu, task, priority);
  }

  /** setpriority, nice. @param nice clamped to -20 .. 19 */
  setNice(cpu: Cpu, task: Task, nice: number): void {
    setNice(this.queues, cpu, task, nice);
  }

  /** A control group with the CPU controller. @param parent null for a group right below the root */
  createGroup(name: string, parent: TaskGroup | null = null): TaskGroup {
    return new TaskGroup(this.queues, name, parent);
  }

  /** Moves a task to another control group; null is the root. */
  setGroup(cpu: Cpu, task: Task, group: TaskGroup | null): void {
    setGroup(this.queues, cpu, task, group);
  }

  /** Makes the stopper thread of `target` do `work` before anything else runs there (Linux: `stop_one_cpu_nowait`). */
  stopCpu(cpu: Cpu, target: Cpu, work: (cpu: Cpu) => void): void {
    this.#stoppers.run(cpu, target, work);
  }
}

/** Always the idle state of that name. */
function fixedIdlePolicy({ profile, costs }: Platform, name: IdleStateName): IdlePolicy {
  const found = profile.idle.find((candidate) => candidate.name === name);
  if (found === undefined) {
    const names = profile.idle.map((state) => state.name).join(', ');
    throw new SchedError('INVALID_ARGUMENT', `idle: ${profile.name} has no idle state "${name}"; it has ${names}`);
  }
  const monitored = name === 'poll' || (profile.features.mwait && found.mwaitHint !== undefined);
  const state: IdleState = { name, monitored, wake: costs.ns(found.wake), ...(found.kick && { kick: costs.ns(found.kick) }) };
  return { choose: () => state };
}
