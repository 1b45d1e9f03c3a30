import type { Group } from '../mutant.ts';

export const sched: Group = {
  package: 'packages/sched',
  tests: [
    'wake-up',
    'sync',
    'events',
    'directed-switch',
    'accounting',
    'eligible-tree',
    'scheduler',
    'core-sched',
    'cpu-hotplug',
    'groups',
    'cfs-queue',
    'classes',
    'instruction-counts',
  ],
  mutants: [
    { kind: 'wake-up', text: 'if (result < 0 || (result > 0 && exclusive && how !== Wake.ALL)) break;', mutated: 'if (result < 0) break;' },
    { kind: 'wake-up', text: '    if ((task.state & mask) === 0) return false;', mutated: '', tests: ['wake-up', 'explore/death'] },

    { kind: 'wake-up', text: '    if (answer === WakeAnswer.REFUSE) return false;', mutated: '' },
    { kind: 'wake-up', text: 'if (rq.running > 1) kickIdle(rq, stoppers);', mutated: '' },

    {
      kind: 'wake-up',
      text: 'if (rq.wakeList !== null) receiveWakeUps(rq);',
      mutated: '',
      tests: ['wake-up', 'scheduler', 'kernel/races', 'kernel/futex'],
    },
    {
      kind: 'wake-up',
      text: 'this.#threads.wakeUp(cpu, worker.task, TaskState.UNINTERRUPTIBLE);',
      mutated: '',
      tests: ['classes', 'cpu-hotplug', 'scheduler', 'kernel/unix-in-flight'],
    },
    {
      kind: 'order',
      text: 'if (waiter.space === space && waiter.offset === offset) return true;',
      mutated: 'if (waiter.offset === offset) return true;',
      tests: ['kernel/futex', 'kernel/futex-pi'],
    },

    {
      kind: 'order',
      text: 'if (waiter.next === null) this.last = waiter;',
      mutated: 'if (waiter.previous === null) this.last = waiter;',
      tests: ['scheduler', 'kernel/futex', 'kernel/futex-pi'],
    },
    {
      kind: 'order',
      text: 'if (waiter.previous === null) this.first = waiter.next;',
      mutated: 'if (waiter.previous === null) this.first = null;',
      tests: ['scheduler', 'kernel/futex'],
    },
    { kind: 'bound', text: 'if (done++ < wake) {', mutated: 'if (done++ <= wake) {', tests: ['kernel/futex'] },
    { kind: 'cost', text: 'cpu.charge(SchedStep.futexRequeue);', mutated: '', tests: ['kernel/futex', 'kernel/counted-paths'] },
    { kind: 'cost', text: 'cpu.charge(SchedStep.directedPick);', mutated: '', in: 'switch/schedule.ts' },

    {
      kind: 'cost',
      text: 'cpu.charge(rq.blocking ? SchedStep.switchPressure : SchedStep.preemptPressure);',
      mutated: 'cpu.charge(SchedStep.switchPressure);',
    },
    { kind: 'cost', text: 'cpu.charge(SchedStep.yieldBody);', mutated: '' },
    { kind: 'cost', text: 'cpu.charge(SchedStep.waitWalk);', mutated: '' },
    { kind: 'cost', text: 'rq.cpu.charge(SchedStep.migrate);', mutated: '' },
    {
      kind: 'state',
      text: 'if (prev.onRq && prev.state === TaskState.RUNNING) prev.involuntarySwitches++;',
      mutated: 'if (prev.onRq) prev.involuntarySwitches++;',
    },
    {
      kind: 'state',
      text: 'if (cpu.path.destination === task) cpu.path.arrive(cpu, since);',
      mutated: '',
      tests: ['wake-up', 'accounting', 'scheduler', 'kernel/ledger-closes'],
    },
    {
      kind: 'state',
      text: 'if (path.destination === task && path.holder !== cpu) path.take(cpu);',
      mutated: '',
      tests: ['wake-up', 'accounting', 'kernel/ledger-closes'],
    },
    {
      kind: 'bound',
      text: 'if (affinity.size === 0 || affinity.first >= this.platform.cpus.length) return -Errno.EINVAL;',
      mutated: 'if (affinity.size === 0) return -Errno.EINVAL;',
      tests: ['scheduler', 'kernel/sched-syscalls'],
    },
    {
      kind: 'errno',
      text: 'if (this.hooks.schedAffinity.call(task) === false) return -Errno.EAGAIN;',
      mutated: '',
      tests: ['scheduler', 'kernel/cpu-online'],
    },
    {
      kind: 'bound',
      text: 'realTime ? priority < 1 || priority > MAX_RT_PRIORITY : priority !== 0',
      mutated: 'realTime ? priority < 1 || priority >= MAX_RT_PRIORITY : priority !== 0',
      tests: ['classes', 'kernel/sched-syscalls'],
    },
    { kind: 'bound', text: 'if (task.timeSlice > 0) return false;', mutated: '' },
    { kind: 'order', text: 'return task.rtPriority > current.rtPriority;', mutated: 'return task.rtPriority >= current.rtPriority;' },
    { kind: 'order', text: 'if (affinity.has(rq.cpu.id) && other < least) {', mutated: 'if (other < least) {' },
    { kind: 'order', text: 'if (urgency(queues.of(previous)) < task.rtPriority) return previous;', mutated: '' },
    { kind: 'state', text: 'if (core.claim === core.cookie) {', mutated: 'if (core.claim !== core.cookie) {' },
    { kind: 'bound', text: 'if (from.phase > SwitchPhase.DEACTIVATE) return null;', mutated: '', tests: ['scheduler', 'wake-up', 'laws'] },
    {
      kind: 'bound',
      text: 'if (moved === MOST_MOVES || imbalance <= 0 || busiest.running <= 1) break;',
      mutated: 'if (busiest.running <= 1) break;',
    },
    {
      kind: 'order',
      text: 'if (!among.has(id) || other === rq || other.running <= most) continue;',
      mutated: 'if (!among.has(id) || other === rq) continue;',
    },
    { kind: 'state', text: 'if (this.#wait.first === waiter) this.#handOff = false;', mutated: '' },
    { kind: 'order', text: 'if (task.entity.weight < before) resched(cpu, rq);', mutated: '' },
    {
      kind: 'order',
      text: 'if (entity.relativeDeadline) entity.deadline = Math.trunc((entity.deadline * entity.weight) / weight);',
      mutated: '',
    },
  ],
};
