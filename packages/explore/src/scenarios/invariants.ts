import type { Cpu, ExecutionContext } from '@rpal/hw-x86';
import { type Thread, UserContext } from '@rpal/kernel';
import {
  callState,
  MAX_REQUEST_SERVICE,
  MapType,
  Rcc,
  ReceiverState,
  RPAL_IGNORE,
  RPAL_RECEIVER_STATE_MASK,
  RpalFlag,
  type RpalService,
  rpalThread,
  Scc,
} from '@rpal/rpal-core';
import { TaskState } from '@rpal/sched';
import type { Stage } from './scenario.js';

/** What is checked, in words: all but the last two between any two steps, those two at the end of each run. */
export const invariants: readonly string[] = [
  'a receiver in WAIT sleeps, off its kernel stack, and nobody executes its code',
  'a receiver in CALL has no kernel context of its own that runs or may run',
  'a lazily switched receiver is not in CALL any more, has a sender, and both are locked to the same CPU with their own masks kept',
  'requests made and requests left are 15 in all',
  'copied top-level entries carry the ignore bit, own ones do not, and links are symmetric',
  'no two CPUs execute on the stacks of one thread, and no saved frame leads into the code of another thread',
  'nobody waits for a lock that is held by somebody who waits, over others or at once, for him',
  'everybody comes to an end: no deadlock, no lost wake-up, nobody killed but the intended victims',
  'every word that was sent is received once; of a victim of a kill, at most once',
];

/** A task state by its name in Linux. */
export function taskState(state: number): string {
  return Object.keys(TaskState).find((name) => TaskState[name as keyof typeof TaskState] === state) ?? `in state ${state}`;
}

/** The thread on whose behalf a context executes user code; null if there is none. */
export function ownerOf(context: ExecutionContext): Thread | null {
  return context instanceof UserContext ? (context.program?.thread ?? null) : null;
}

/** By CPU: the point of a kernel entry at which it is held, or null. */
export type Held = readonly (string | null)[];

/**
 * What must hold between any two atomic steps. A receiver that a held CPU is about to switch to or from is neither the one nor
 * the other, and is left out. @returns what does not hold, or null
 */
export function violation(stage: Stage, held: Held): string | null {
  const { machine, rpal } = stage;
  for (const service of rpal.byKey.values()) {
    const wrong = receiversOf(stage, service, held) ?? quotaOf(service) ?? linksOf(service, rpal.byKey.values());
    if (wrong !== null) return wrong;
  }
  return oneFlowPerThread(machine.platform.cpus, machine.kernel.scheduler.kernelMode, held) ?? deadlock(stage);
}

/** Threads that wait for each other's locks. */
function deadlock({ processes }: Stage): string | null {
  for (const { threads } of processes) {
    for (const thread of threads) {
      let holder = holderFor(thread);
      if (holder === null) continue;
      const chain = [thread];
      for (; holder !== null && !chain.includes(holder); holder = holderFor(holder)) chain.push(holder);
      if (holder !== thread) continue;
      return `deadlock: thread ${thread.pid} ${chain.map((one) => `waits for ${one.waitingOn?.describe()}`).join(', who ')}`;
    }
  }
  return null;
}

/** Who holds the lock that a thread sleeps for; null if it does not, or nobody does. */
function holderFor({ state, waitingOn }: Thread): Thread | null {
  return state === TaskState.UNINTERRUPTIBLE ? ((waitingOn?.owner ?? null) as Thread | null) : null;
}

function receiversOf({ machine, rpal }: Stage, service: RpalService, held: Held): string | null {
  const { scheduler } = machine.kernel;
  for (const thread of service.receivers) {
    // A receiver that is being killed leaves its word as it is, and runs in the kernel only, to its end.
    if (thread.killPending && !rpal.quirk('kill-refused')) continue;
    const { flags, role } = thread.rpal;
    if (held[thread.cpu.id] !== null || (role.partner !== null && held[role.partner.cpu.id] !== null)) continue;
    const word = role.thread.cpu.memory.read32(role.rcc + Rcc.receiverState);
    const state = word & RPAL_RECEIVER_STATE_MASK;
    const name = `receiver ${thread.pid} of ${thread.name}`;
    const lazily = (flags & RpalFlag.LAZY_SWITCHED) !== 0;
    const runs = scheduler.current(thread.cpu) === thread;
    if (state === ReceiverState.WAIT && (thread.state !== TaskState.INTERRUPTIBLE || runs)) {
      return `${name} is in WAIT, but ${runs ? 'a CPU is on its kernel stack' : `its task is ${taskState(thread.state)}`}`;
    }
    if (state === ReceiverState.WAIT) {
      const { cpus } = machine.platform;
      for (const cpu of cpus) {
        if (held[cpu.id] === null && cpu.context !== scheduler.kernelMode && ownerOf(cpu.context) === thread)
          return `${name} is in WAIT, and CPU ${cpu.id} executes its code`;
      }
    }
    if (state === ReceiverState.CALL && !lazily && (runs || thread.onRq)) {
      return `${name} is being called, and its own kernel context runs or may run`;
    }
    if (!lazily) continue;
    if (state === ReceiverState.CALL) return `${name} is lazily switched, and still in CALL, in which nothing wakes it`;
    const sender = role.partner;
    if (sender === null) return `${name} is lazily switched and has no sender`;
    for (const each of [thread, sender]) {
      const locked = (each.rpal.flags & RpalFlag.CPU_LOCKED) !== 0;
      if (!locked || each.affinitySize !== 1 || each.rpal.role.oldAffinity === null)
        return `${name} is lazily switched, and thread ${each.pid} is not locked to a CPU`;
    }
    if (thread.affinity.first !== sender.affinity.first) return `${name} and its sender are locked to different CPUs`;
  }
  return null;
}

function quotaOf(service: RpalService): string | null {
  let requests = 0;
  for (const { type } of service.map) if ((type & MapType.REQUEST) !== 0) requests++;
  return requests + service.requestsLeft === MAX_REQUEST_SERVICE
    ? null
    : `service ${service.id} has ${requests} requests and ${service.requestsLeft} left`;
}

/** Copied entries carry the ignore bit, own entries do not, and links are symmetric. */
function linksOf(service: RpalService, all: Iterable<RpalService>): string | null {
  const { memory } = service.mm.manager;
  if (service.mm.dead) return null;
  for (const peer of all) {
    if (peer.mm.dead) continue;
    const entry = memory.read32(service.mm.tables.topEntry(peer.base));
    const ignored = (entry & RPAL_IGNORE) !== 0;
    if (peer === service) {
      if (ignored) return `service ${service.id}: its own top-level entry has the ignore bit`;
    } else {
      const back = memory.read32(peer.mm.tables.topEntry(service.base));
      if (entry !== 0 && !ignored) return `service ${service.id}: the entry copied from ${peer.id} lacks the ignore bit`;
      if ((entry === 0) !== (back === 0)) return `services ${service.id} and ${peer.id} are linked one way`;
    }
  }
  return null;
}

/** Nobody's user stack is used by two flows: two CPUs in it, or one in it and another to come back to it. */
function oneFlowPerThread(cpus: readonly Cpu[], kernelMode: unknown, held: Held): string | null {
  for (let i = 0; i < cpus.length; i++) {
    if (held[i] !== null) continue;
    const context = (cpus[i] as Cpu).context;
    const owner = context === kernelMode ? null : ownerOf(context);
    if (owner === null) continue;
    for (let j = i + 1; j < cpus.length; j++) {
      if (held[j] !== null) continue;
      const other = (cpus[j] as Cpu).context;
      if (other !== kernelMode && ownerOf(other) === owner)
        return `CPUs ${i} and ${j} both execute on the stacks of thread ${owner.pid} of ${owner.name}`;
    }
  }
  return null;
}

/**
 * Is the receiver being called by this sender, as its state word says? Then nobody else may use its stacks, and a sender that
 * loses the CPU between the end of the ret section and the jump goes on there later.
 */
function belongsTo(receiver: Thread, sender: Thread): boolean {
  const [called, calling] = [rpalThread(receiver), rpalThread(sender)];
  if ((called.flags & RpalFlag.RECEIVER) === 0 || (calling.flags & RpalFlag.SENDER) === 0) return false;
  const { memory } = sender.cpu;
  const { scc, serviceId } = calling.role;
  return memory.read32(called.role.rcc + Rcc.receiverState) === callState(serviceId, memory.read32(scc + Scc.senderId));
}

/** A saved frame that leads into somebody else's code: whoever has it will execute on a stack that is not its own. */
export function strayFrame(stage: Stage): string | null {
  const { scheduler } = stage.machine.kernel;
  for (const process of stage.processes) {
    for (const thread of process.threads) {
      if (scheduler.current(thread.cpu) === thread || thread.frame.user === null || !thread.entryWatched) continue;
      const owner = ownerOf(thread.frame.user as UserContext);
      // Nobody executes on the stacks of a thread that has ended: what goes on there faults on unmapped memory, and is recovered.
      if (owner !== null && owner !== thread && owner.state !== TaskState.DEAD && !belongsTo(owner, thread))
        return `thread ${thread.pid} of ${thread.name} will go on in the code of thread ${owner.pid} of ${owner.name}`;
    }
  }
  return null;
}
