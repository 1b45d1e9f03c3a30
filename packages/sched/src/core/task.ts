import type { AddressSpace, Cpu } from '@rpal/hw-x86';
import type { CpuSet } from '../cpus/cpu-set.js';
import { type FairTask, SchedEntity } from '../fair/sched-entity.js';
import type { TaskGroup } from '../fair/task-group.js';
import type { Inheritance } from './rt-mutex.js';
import type { SchedClass } from './sched-class.js';

/** Task states (include/linux/sched.h). */
export const TaskState = { RUNNING: 0, INTERRUPTIBLE: 1, UNINTERRUPTIBLE: 2, STOPPED: 4, DEAD: 0x80, NEW: 0x800, WAKING: 0x200 } as const;

/** Scheduling policies (include/uapi/linux/sched.h). */
export const SchedPolicy = { NORMAL: 0, FIFO: 1, RR: 2, BATCH: 3, IDLE: 5, EXT: 7 } as const;

/** Tasks of these policies have a priority of 1 .. 99. @param policy of `SchedPolicy` */
export function isRealTime(policy: number): boolean {
  return policy === SchedPolicy.FIFO || policy === SchedPolicy.RR;
}

/** Bit of sched_setscheduler's policy: what the task forks begins as an ordinary one. */
export const RESET_ON_FORK = 0x4000_0000;

/** What a kernel path asks of the scheduler when it returns. */
export const PathResult = {
  /** One step is done: call again. The moment between two calls is a yield point. */
  CONTINUE: 0,
  /** Call `schedule()`; the path goes on when the task runs again. */
  SCHEDULE: 1,
} as const;

export type PathResult = (typeof PathResult)[keyof typeof PathResult];

/**
 * What a task does in the kernel: the equivalent of what is on its kernel stack. A path is a state machine of atomic
 * steps; it ends by setting the CPU's context to something else (user mode), or by never being called again.
 */
export interface KernelPath {
  run(cpu: Cpu, task: Task): PathResult;
}

/** What a sleeping task waits for: a wait queue, a futex word, a lock, a timer, ... */
export interface WaitTarget {
  /** In a few words, for a report: `wait queue "pipe readers"`. */
  describe(): string;
  /** Of a lock: the task that has it. */
  readonly owner?: object | null;
}

/** What a task allows its timers, unless it says otherwise, ns. */
export const TIMER_SLACK = 50_000;

/** A schedulable thread (Linux: `struct task_struct`, the scheduler's part). */
export class Task implements FairTask {
  /** Its id: another one only after exec, when the thread takes over that of its process. */
  pid: number;
  name: string;
  state: number = TaskState.NEW;
  /** While it sleeps: what it waits for, and the clock of its CPU when it went to sleep, TSC cycles. */
  waitingOn: WaitTarget | null = null;
  waitingSince = 0;
  /** On a run queue, or sleeping there until its lag is worked off. */
  onRq = false;
  /** A CPU is on its kernel stack. */
  onCpu = false;
  /** The CPU whose queue it is on, or was on last. */
  cpu: Cpu;
  mm: AddressSpace | null;
  readonly entity: SchedEntity;
  policy: number = SchedPolicy.NORMAL;
  nice = 0;
  /** What it forks begins as an ordinary task (SCHED_RESET_ON_FORK). */
  resetOnFork = false;
  /** The control group it is scheduled in; null is the root. */
  group: TaskGroup | null = null;
  /** Tasks with different cookies do not share a core; 0: no cookie. */
  coreCookie = 0;
  /** The scheduling class; null is the fair one. Follows from the policy. */
  schedClass: SchedClass | null = null;
  /** 1 .. 99 under SCHED_FIFO and SCHED_RR, and as long as a task with one waits for a lock of this one's; else 0. */
  rtPriority = 0;
  /** The priority of its own policy, and the highest one of those who wait for it. */
  ownPriority = 0;
  inheritedPriority = 0;
  /** Locks that pass priorities on; null until it has to do with one. */
  inheritance: Inheritance | null = null;
  /** Rest of a SCHED_RR slice, ns. */
  timeSlice = 0;
  /** How late a sleep or a timeout may end, ns (prctl PR_SET_TIMERSLACK). */
  timerSlack: number = TIMER_SLACK;

  affinity: CpuSet;
  affinitySize: number;

  /** Thread registers that a switch saves and loads. */
  fsBase = 0;
  gsBase = 0;
  pkru = 0;
  /** FPU state is in memory: it must be loaded before the next return to user mode. */
  fpuInMemory = false;
  /** A switch has happened since the last return to user mode: rseq must be fixed up. */
  switched = false;
  needResched = false;

  /** What it does, or goes on to do, in the kernel. */
  path: KernelPath;
  /** A signal that ends an interruptible sleep is pending. Kept by the layer that knows signals. */
  signalPending = false;
  killPending = false;

  /** How many ticks have found it in user and in kernel mode; see `cpuTime`. */
  userTicks = 0;
  systemTicks = 0;

  voluntarySwitches = 0;
  involuntarySwitches = 0;
  /** Links of the wake list of another CPU. */
  nextWake: Task | null = null;
  wakeSync = false;

  constructor(pid: number, name: string, cpu: Cpu, mm: AddressSpace | null, affinity: CpuSet, path: KernelPath) {
    this.pid = pid;
    this.name = name;
    this.cpu = cpu;
    this.mm = mm;
    this.affinity = affinity;
    this.affinitySize = affinity.size;
    this.path = path;
    this.entity = new SchedEntity(this);
  }

  /**
   * The running task is about to sleep until `target` wakes it (Linux: `prepare_to_wait`). It sleeps once its path has called
   * `schedule()`; a wake-up until then keeps it awake.
   * @param state `TaskState.INTERRUPTIBLE` or `TaskState.UNINTERRUPTIBLE`
   */
  prepareToSleep(cpu: Cpu, state: number, target: WaitTarget): void {
    this.state = state;
    this.waitingOn = target;
    this.waitingSince = cpu.clock;
  }
}
