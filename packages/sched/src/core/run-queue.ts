import { type Cpu, SpinLock, TimedEvent, Vector } from '@rpal/hw-x86';
import type { SchedClasses } from '../classes/classes.js';
import type { CpuDomains } from '../cpus/cpu-domains.js';
import type { IdlePath } from '../cpus/idle.js';
import type { CfsQueue } from '../fair/cfs-queue.js';
import { putPreviousFair, setNextFair, updateFair } from '../fair/hierarchy.js';
import type { SleepTimer } from '../sync/timer.js';
import type { Task } from './task.js';

/** Where a CPU is within `__schedule`. */
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
export class RunQueue {
  readonly cpu: Cpu;
  readonly lock: SpinLock = new SpinLock(3);
  readonly fair: CfsQueue;
  readonly idle: Task;
  readonly idlePath: IdlePath;
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
  /** Blocking (`schedule()`) as against preempted. */
  blocking = false;
  previous: Task;
  next: Task;

  /** Tasks that other CPUs have woken for this one to enqueue. */
  wakeList: Task | null = null;
  wakeListTail: Task | null = null;

  readonly tick: TimedEvent;
  tickDue = false;
  /** Timers that have expired and wait for this CPU's interrupt. */
  readonly expired: SleepTimer[] = [];
  /** Timers armed here that may expire earlier than they must. */
  readonly slackTimers: Set<SleepTimer> = new Set();

  switches = 0;

  /** When load balancing is due next, ns of `clock`; how often in a row it found nothing that it could move. */
  nextBalance = 0;
  nextWideBalance = 0;
  balanceFailed = 0;
  /** Milliseconds between looks at the load of others while idle; busy CPUs look less often. */
  balanceInterval = 0;
  /** Another CPU asks this one, which idles, to take work over. */
  balanceRequested = false;
  readonly #domains: CpuDomains;
  readonly classes: SchedClasses;

  constructor(cpu: Cpu, idle: Task, idlePath: IdlePath, fair: CfsQueue, nsPerTsc: number, domains: CpuDomains, classes: SchedClasses) {
    this.#domains = domains;
    this.classes = classes;
    this.cpu = cpu;
    this.idle = idle;
    this.idlePath = idlePath;
    this.fair = fair;
    this.current = idle;
    this.previous = idle;
    this.next = idle;
    this.#nsPerTsc = nsPerTsc;
    this.clock = this.now;
    this.startedAt = this.clock;
    this.tick = new Tick(this);
  }

  /** The CPU's time in nanoseconds. */
  get now(): number {
    return Math.floor(this.cpu.clock * this.#nsPerTsc);
  }

  /** One more task is runnable. */
  gain(): void {
    if (++this.running === 2) {
      this.#domains.overloaded.add(this.cpu.id);
      this.#domains.overloads++;
    }
  }

  /** One runnable task less. */
  lose(): void {
    if (--this.running === 1) {
      this.#domains.overloaded.remove(this.cpu.id);
      this.#domains.overloads--;
    }
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

  /** `task` stops being the one that runs, as far as its class is concerned. */
  putPrevious(task: Task): void {
    const { schedClass, entity } = task;
    if (schedClass !== null) {
      this.account();
      this.classes.queue(schedClass, this).putPrevious(task);
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
      this.classes.queue(schedClass, this).setNext(task);
    }
  }

  /** The idle task takes over, or hands over. */
  idles(yes: boolean): void {
    if (yes) this.#domains.idle.add(this.cpu.id);
    else this.#domains.idle.remove(this.cpu.id);
  }

  /** Nanoseconds at `time` TSC cycles. */
  at(time: number): number {
    return Math.floor(time * this.#nsPerTsc);
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
}
