export { type CpuTime, cpuTime, stealTime } from './core/cpu-time.js';
export { Handover, type HandoverEvents, Handovers } from './core/handover.js';
export type { IdlePolicy, IdleState } from './core/idle-state.js';
export type { KernelThreads } from './core/kernel-thread.js';
export { type PriorityLender, RtMutex } from './core/rt-mutex.js';
export { RunQueue, RunQueues, SwitchPhase } from './core/run-queue.js';
export { type ClassQueue, ClassRank, MAX_RT_PRIORITY, type RealTimeClass, RR_SLICE, type SchedClass } from './core/sched-class.js';
export { SchedSeams, WakeAnswer } from './core/seams.js';
export { LatencyHistogram, SchedStatistics, TaskStatistics } from './core/statistics.js';
export {
  isRealTime,
  type KernelPath,
  PathResult,
  RESET_ON_FORK,
  SchedPolicy,
  Task,
  TaskState,
  TIMER_SLACK,
  type WaitTarget,
} from './core/task.js';
export { CpuTimers, SleepTimer, sleepSlack, type TimerHost, timeoutSlack } from './core/timer.js';
export { activateHere, type Waker } from './core/wake-up.js';
export { CpuSet } from './cpus/cpu-set.js';
export { SchedError, type SchedErrorCode } from './errors.js';
export { Bandwidth, type BandwidthHost } from './fair/bandwidth.js';
export { CfsQueue, Dequeue, Enqueue } from './fair/cfs-queue.js';
export { type FairTask, NICE_0_LOAD, niceWeight, SchedEntity } from './fair/sched-entity.js';
export { type FairRunQueue, type GroupHost, GroupQueue, TaskGroup } from './fair/task-group.js';
export { version } from './package-version.js';
export { CoreScheduling } from './placement/core-sched.js';
export { CpuHotplug } from './placement/cpu-hotplug.js';
export { type IdleStateName, Scheduler, type SchedulerOptions } from './scheduler.js';
export { SimulatedTask, type Workload } from './simulation/simulated-task.js';
export { Simulation, type SimulationOptions, type SpawnOptions } from './simulation/simulation.js';
export { SchedStep, SchedStepSources } from './steps.js';
export { DirectedQuota, directedSwitch } from './switch/directed-switch.js';
export { Completion } from './sync/completion.js';
export { FUTEX_MATCH_ANY, FutexTable, FutexWaiter, type OwnedFutexes } from './sync/futex.js';
export { Mutex } from './sync/mutex.js';
export { autoremoveWake, WaitEntry, WaitQueue, Wake, type WakeFunction } from './sync/wait-queue.js';
export { DelayedWork, Workqueue } from './sync/workqueue.js';
