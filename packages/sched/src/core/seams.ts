import { EventSeam, FirstAnswerHook, NotifyHook, Slot, trueOrFalse, ValueHook, wholeNumber, zeroOrErrno } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import type { Handover } from './handover.js';
import type { IdlePolicy, IdleState } from './idle-state.js';
import type { RunQueue } from './run-queue.js';
import type { SchedClass } from './sched-class.js';
import type { Task } from './task.js';
import type { SleepTimer } from './timer.js';

/** What may become of a wake-up. */
export const WakeAnswer = {
  /** It is refused, and the waker is told that nobody was woken. */
  REFUSE: 0,
  /** It is refused, and the waker believes that the sleeper was woken. */
  REFUSE_UNNOTICED: 1,
  ALLOW: 2,
} as const;

export type WakeAnswer = (typeof WakeAnswer)[keyof typeof WakeAnswer];

/** The seams of the scheduler. */
export class SchedSeams {
  readonly hooks = {
    /**
     * A task object has been made; `parent` is null for kernel threads and the first task. The place to attach state.
     * @cost once per task.
     */
    schedTaskNew: new NotifyHook<[task: Task, parent: Task | null]>('schedTaskNew'),
    /**
     * A wake-up of `task` is attempted by `cpu`. The answer is one of `WakeAnswer`; without one it is allowed.
     * @cost every wake-up: hot, once or twice per message.
     */
    schedWakePermission: new FirstAnswerHook<[cpu: Cpu, task: Task], WakeAnswer>('schedWakePermission', { refuse: wholeNumber(0, 2) }),
    /**
     * Where a woken task is to run, if it may run on more than one CPU; the value is Linux's choice. A tap may choose
     * another CPU of the task's affinity. `cpu` is the waker's.
     * @param sync the waker is about to sleep
     * @cost every wake-up of a task that is not pinned: hot.
     */
    schedSelectCpu: new ValueHook<Cpu, [cpu: Cpu, task: Task, sync: boolean]>('schedSelectCpu', {
      refuse: (chosen, _cpu, task) => (chosen !== undefined && task.affinity.has(chosen.id) ? null : "is no CPU of the task's affinity"),
    }),
    /**
     * `prev` enters the scheduler on `cpu`, before its run time is brought up to date.
     * @cost every entry into the scheduler: hot.
     */
    schedEnter: new NotifyHook<[cpu: Cpu, prev: Task]>('schedEnter'),
    /**
     * The task clock of a run queue is about to advance by `delta` ns on account of `task`; a tap may correct it.
     * @param value nanoseconds of run time
     * @param task who runs on the CPU of that queue
     * @param cpu who brings the clock up to date: any CPU that wakes somebody there, or takes somebody away
     * @cost every update of the clock of a run queue: hot, several per switch.
     */
    schedTaskClock: new ValueHook<number, [rq: RunQueue, task: Task, cpu: Cpu]>('schedTaskClock', {
      refuse: (ns) => (Number.isFinite(ns) ? null : 'is not a number of nanoseconds'),
    }),
    /**
     * `task` wanted to sleep and may not, because a signal is pending; it goes on running.
     * @cost when a signal meets a task about to sleep: rare.
     */
    schedBlockFailed: new NotifyHook<[cpu: Cpu, task: Task]>('schedBlockFailed'),
    /**
     * A sleeping task would stay on the queue until its lag is worked off (DELAY_DEQUEUE). `false` takes it off at once.
     * @cost every time a task goes to sleep: hot.
     */
    schedDelayDequeue: new FirstAnswerHook<[task: Task], boolean>('schedDelayDequeue', { refuse: trueOrFalse }),
    /**
     * `cpu` is about to switch away from `prev`; the value is the task that Linux picks. A tap may choose another one that is runnable on
     * this CPU, or its idle task. Taps are not asked about stopper threads.
     * @cost every entry into the scheduler: hot.
     */
    schedPickNext: new ValueHook<Task, [cpu: Cpu, prev: Task]>('schedPickNext'),
    /**
     * `cpu` has left `prev`'s kernel stack for `next`'s; the run queue is still locked (in `__switch_to`).
     * @cost every context switch: hot.
     */
    schedSwitch: new NotifyHook<[cpu: Cpu, prev: Task, next: Task]>('schedSwitch'),
    /**
     * Affinity of `task` is to change. `false`: not now, try again after yielding.
     * @cost once per sched_setaffinity.
     */
    schedAffinity: new FirstAnswerHook<[task: Task], boolean>('schedAffinity', { refuse: trueOrFalse }),
    /**
     * `task` is to leave a CPU that goes out of use, and its affinity is narrowed. `false`: not now; it is asked again.
     * @cost once per thread that may be on a CPU that goes offline.
     */
    schedVacate: new FirstAnswerHook<[task: Task], boolean>('schedVacate', { refuse: trueOrFalse }),
    /**
     * Policy of `task` is to change, to one that the machine has. A negative errno refuses.
     * @param policy one of `SchedPolicy`
     * @cost once per sched_setscheduler.
     */
    schedPolicy: new FirstAnswerHook<[task: Task, policy: number], number>('schedPolicy', { refuse: zeroOrErrno }),
  };

  readonly slots: { readonly idlePolicy: Slot<IdlePolicy>; readonly schedExt: Slot<SchedClass> };

  constructor(idlePolicy: IdlePolicy) {
    this.slots = {
      /**
       * Chooses the state that a CPU goes idle in. By default always the one that the machine was built with.
       * @cost asked every time a CPU goes idle.
       */
      idlePolicy: new Slot<IdlePolicy>('idlePolicy', { fallback: idlePolicy, methods: ['choose'] }),
      /**
       * A scheduling class that ranks below the fair one: tasks with policy SCHED_EXT belong to it, and those of the fair class
       * if it says so. Empty by default.
       * @cost asked on every pick, wake-up and tick of its tasks; nothing while it has none.
       */
      schedExt: new Slot<SchedClass>('schedExt', { methods: ['createQueue', 'selectCpu'] }),
    };
  }

  readonly events = {
    /**
     * A CPU goes from one task to another. Times in TSC cycles.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @cost every context switch.
     */
    contextSwitch: new EventSeam<[cpu: number, time: number, prev: Task, next: Task]>('contextSwitch'),
    /**
     * A task that slept was made runnable, or kept from going to sleep (Linux: `sched_waking`).
     * @param cpu number of the waking CPU
     * @param time TSC cycles since boot
     * @param target number of the CPU the task will run on
     * @cost every wake-up.
     */
    wakeUp: new EventSeam<[cpu: number, time: number, task: Task, target: number]>('wakeUp'),
    /**
     * A new task was made runnable (Linux: `sched_wakeup_new`).
     * @param cpu number of the CPU that starts it
     * @param time TSC cycles since boot
     * @param target number of the CPU the task will run on
     * @cost once per task.
     */
    taskNew: new EventSeam<[cpu: number, time: number, task: Task, target: number]>('taskNew'),
    /**
     * A task stops being runnable: it sleeps, stops or has ended, as `task.state` says. What a sleeper waits for is in
     * `task.waitingOn`. The switch to another task follows.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param state one of `TaskState`
     * @cost every time a task goes to sleep.
     */
    taskBlock: new EventSeam<[cpu: number, time: number, task: Task, state: number]>('taskBlock'),
    /**
     * A task goes to another CPU: on its wake-up, by load balancing, or for its affinity (Linux: `sched_migrate_task`).
     * @param cpu number of the CPU that moves it
     * @param time TSC cycles since boot
     * @param from number of the CPU it was on
     * @param to number of the CPU it will run on
     * @cost every migration.
     */
    taskMigrate: new EventSeam<[cpu: number, time: number, task: Task, from: number, to: number]>('taskMigrate'),
    /**
     * An idle CPU halts, or waits for a store.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param state the idle state it enters
     * @cost every time a CPU goes idle.
     */
    idleEnter: new EventSeam<[cpu: number, time: number, state: IdleState]>('idleEnter'),
    /**
     * An idle CPU has been woken, and is about to pay the exit latency.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param state the idle state it leaves
     * @cost every time a CPU leaves an idle state.
     */
    idleExit: new EventSeam<[cpu: number, time: number, state: IdleState]>('idleExit'),
    /**
     * A timer has expired, and its function is about to run.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param timer the timer; `timer.soft` is when it was due
     * @cost every timer that expires.
     */
    timerExpire: new EventSeam<[cpu: number, time: number, timer: SleepTimer]>('timerExpire'),
    /**
     * Something was put where another task may take it: a message into a socket, bytes into a pipe, a signal, an item on an epoll
     * instance's ready list. Comes before the wake-up.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param queue where: its `name` is unique in the machine
     * @param bytes of payload; 0 for a mere notice
     * @param task who put it: the running task, which in an interrupt is whoever was interrupted
     * @cost every message, once per queue that it goes through.
     */
    messagePut: new EventSeam<[cpu: number, time: number, queue: Handover, bytes: number, task: Task]>('messagePut'),
    /**
     * Something was taken that had been put; of a stream perhaps a part of it, or what was put in several pieces.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param queue where: its `name` is unique in the machine
     * @param bytes of payload; 0 for a mere notice
     * @param task who took it
     * @cost every message, once per queue that it goes through.
     */
    messageTaken: new EventSeam<[cpu: number, time: number, queue: Handover, bytes: number, task: Task]>('messageTaken'),
  };
}

declare module '@rpal/bus' {
  interface Hooks extends SchedHooks {}
  interface Slots extends SchedSlots {}
  interface Events extends SchedEvents {}
}

type SchedHooks = SchedSeams['hooks'];
type SchedSlots = SchedSeams['slots'];
type SchedEvents = SchedSeams['events'];
