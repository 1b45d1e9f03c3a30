import { type Call, done, exactly, type Process, type Program } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import type { RpalOptions } from '@rpal/rpal-core';
import { Bandwidth, SchedPolicy, type TaskGroup } from '@rpal/sched';
import { OpenFlag } from '@rpal/uapi';
import { whole } from '../report/numbers.js';
import { type Answer, errno, type Question } from './question.js';
import { type Connection, meet } from './services.js';
import { ofClasses, ofMoves, ofQuota } from './verdicts.js';

const MS = 1e6;

function* callOnce(p: Program, { lib, serviceId, far }: Connection, word = 1): Generator<void, number> {
  const words = done('mmap', yield* p.allocate(4096));
  yield* p.store64(words, word);
  return yield* lib.writePtrs(serviceId, far, words, 1);
}

const QUOTA = 5 * MS;
const PERIOD = 100 * MS;
const PERIODS = 6;

interface Throttled {
  /** ns that the group ran, over all CPUs, in all and in the period in which it ran most. */
  readonly total: number;
  readonly most: number;
  /** Calls that were made while the group was stopped, and calls by which it was set going. */
  readonly calls: number;
  readonly released: number;
}

/** The server's group has used its quota up on the caller's CPU; the caller, who is outside, calls it. */
function throttle(options: RpalOptions, calling: boolean): Throttled {
  const samples: number[] = [];
  let calls = 0;
  let released = 0;
  meet(
    options,
    function* (p, connection) {
      const { scheduler } = connection.server.kernel;
      const group = connection.server.leader.group as TaskGroup;
      const until = p.rdtsc() + 2.3 * PERIODS * PERIOD;
      // Another task of the server's group burns the quota on this CPU.
      done(
        'fork',
        yield* p.fork(function* (child) {
          scheduler.setGroup(child.context.cpu, child.context.thread, group);
          while (child.rdtsc() < until) yield* child.compute(1e5);
        }),
      );
      const queue = group.on(scheduler.runQueue(p.context.cpu));
      while (p.rdtsc() < until) {
        exactly('nanosleep', yield* p.sleep(MS), 0);
        samples.push(group.queues.reduce((sum, { entity }) => sum + entity.sumExec, 0));
        if (!queue.throttled || !calling) continue;
        yield* callOnce(p, connection);
        calls++;
        if (!queue.throttled) released++;
      }
      done('wait4', yield* p.wait());
    },
    {
      arrange({ kernel, platform }, server) {
        const { scheduler } = kernel;
        const [cpu] = platform.cpus;
        if (cpu === undefined) return;
        const group = scheduler.createGroup('/server');
        Bandwidth.limit(group, cpu, QUOTA, PERIOD);
        scheduler.setGroup(cpu, server.leader, group);
      },
      *handle(p) {
        // A system call, so that the kernel takes the receiver up; then work.
        yield* p.getpid();
        yield* p.compute(2e6);
      },
    },
  );
  const window = PERIOD / MS;
  const most = Math.max(...samples.slice(window).map((at, index) => at - (samples[index] as number)));
  return { total: (samples.at(-1) ?? 0) - (samples[0] ?? 0), most, calls, released };
}

function throttledGroup(options: RpalOptions): Answer {
  const quiet = throttle(options, false);
  const loud = throttle(options, true);
  const line = ({ total, most }: Throttled): string =>
    `the group ran ${whole(total / 1e3)} us in ${(PERIODS * PERIOD) / MS} ms, and ${whole(most / 1e3)} us in the ${PERIOD / MS} ms in which it ran most`;
  return {
    done: `The server is in a control group with ${QUOTA / MS} ms in every ${PERIOD / MS} ms, which another task of the group uses up on the client's CPU. The client, outside the group, calls the server every millisecond in which the group is stopped; the callee makes a system call, and then works for 2 million cycles.`,
    happened: [
      `without calls: ${line(quiet)}`,
      `with ${loud.calls} calls: ${line(loud)}`,
      `calls that set the stopped group going: ${loud.released}`,
    ],
    verdict: ofQuota(quiet, loud, QUOTA),
  };
}

const WORK = 60e6;

interface Moved {
  readonly result: number;
  readonly waited: number;
  readonly duration: number;
  readonly serverCpu: number;
  readonly pinned: boolean;
}

/** A bystander does something to CPU or thread while the callee works. */
function during(
  options: RpalOptions,
  act: (p: Program, server: Process, client: Process) => Call | Generator<void, number>,
  home = 0,
): Moved {
  let inCall = false;
  let result = 0;
  let waited = 0;
  let duration = 0;
  let serverCpu = -1;
  let pinned = false;
  meet(
    options,
    function* (p, connection) {
      const start = p.rdtsc();
      yield* callOnce(p, connection);
      duration = p.rdtsc() - start;
      exactly('nanosleep', yield* p.sleep(60 * MS), 0);
      serverCpu = connection.server.leader.cpu.id;
      pinned = connection.server.leader.affinitySize === 1;
    },
    {
      plugins: [posix()],
      *prepare(p) {
        exactly('sched_setaffinity', yield* p.setAffinity([home]), 0);
      },
      *handle(p) {
        inCall = true;
        yield* p.getpid();
        yield* p.compute(WORK);
      },
      *bystander(p, theServer, theClient) {
        exactly('sched_setaffinity', yield* p.setAffinity([2]), 0);
        while (!inCall) exactly('nanosleep', yield* p.sleep(50_000), 0);
        exactly('nanosleep', yield* p.sleep(MS), 0);
        const start = p.rdtsc();
        result = yield* act(p, theServer, theClient);
        waited = p.rdtsc() - start;
      },
    },
  );
  return { result, waited, duration, serverCpu, pinned };
}

/** Writes "0" to the file that takes a CPU offline. */
function* offline(p: Program, cpu: number): Generator<void, number> {
  const buffer = done('mmap', yield* p.allocate(4096));
  yield* p.storeBytes(buffer, new TextEncoder().encode('0'));
  const fd = yield* p.open(`/sys/devices/system/cpu/cpu${cpu}/online`, OpenFlag.WRONLY);
  return yield* p.write(fd, buffer, 1);
}

function moved(options: RpalOptions): Answer {
  const affinity = during(options, (p, server) => p.setAffinity([2], server.leader.pid));
  const callers = during(options, (p) => offline(p, 1));
  const receivers = during(options, (p) => offline(p, 3), 3);
  const line = ({ result, waited, duration }: Moved): string =>
    `${result < 0 ? errno(result) : 'done'} after ${whole(waited)} cycles; the call took ${whole(duration)}`;
  return {
    done: `The callee makes a system call, then works for ${whole(WORK / 1e6)} million cycles: both threads are locked to the caller's CPU, 1. Meanwhile a third process moves the receiver to CPU 2; or takes CPU 1 offline; or CPU 3, the only one on which a receiver had wanted to run.`,
    happened: [
      `sched_setaffinity of the receiver: ${line(affinity)}; it ends up on CPU ${affinity.serverCpu}`,
      `CPU 1 offline: ${line(callers)}`,
      `CPU 3 offline: ${line(receivers)}; the receiver ends up on CPU ${receivers.serverCpu}${receivers.pinned ? ', tied to it' : ''}`,
    ],
    verdict: ofMoves([affinity.waited, callers.waited], WORK, receivers.pinned && receivers.serverCpu !== 0),
  };
}

/** A thread of a real-time class takes part in a call. */
function realTime(options: RpalOptions, who: 'sender' | 'receiver', when: 'before' | 'after'): string {
  const said: string[] = [];
  const { bug, client } = meet(
    options,
    function* (p, connection) {
      if (who === 'sender' && when === 'after') said.push(`sched_setscheduler: ${errno(yield* p.setScheduler(0, SchedPolicy.FIFO, 10))}`);
      if (who === 'sender' && when === 'before') {
        exactly('rpal_sender_exit', yield* connection.lib.senderExit(), 0);
        said.push(`sched_setscheduler: ${errno(yield* p.setScheduler(0, SchedPolicy.FIFO, 10))}`);
        said.push(`registration: ${(yield* connection.lib.senderInit()) === 0 ? 'accepted' : 'refused'}`);
      }
      if (who === 'receiver') {
        const pid = connection.server.pid;
        said.push(`sched_setscheduler: ${errno(yield* p.setScheduler(pid, SchedPolicy.FIFO, 10))}`);
      }
      said.push(`call: ${yield* callOnce(p, connection)}`);
    },
    {
      *handle(p) {
        yield* p.getpid();
      },
    },
  );
  if (bug !== null) said.push(`the kernel stopped: ${bug}`);
  else said.push(client.exit?.signal === 0 ? 'both live' : `the client died of signal ${client.exit?.signal}`);
  return said.join('; ');
}

function notFair(options: RpalOptions): Answer {
  const lines = [
    `sender made FIFO, then registered: ${realTime(options, 'sender', 'before')}`,
    `sender registered, then made FIFO: ${realTime(options, 'sender', 'after')}`,
    `receiver registered, then made FIFO: ${realTime(options, 'receiver', 'after')}`,
  ];
  const stopped = lines.filter((line) => line.includes('the kernel stopped')).length;
  return {
    done: 'A thread of the class FIFO registers as sender; a registered sender, and a registered receiver, become FIFO. Each time the client calls, and the callee makes a system call.',
    happened: lines,
    verdict: ofClasses(stopped, lines.length),
  };
}

export const throttledCallee: Question = {
  who: 'derived',
  question: 'A call into a throttled cgroup: does the quota hold?',
  ask: throttledGroup,
};

export const movedDuringCall: Question = {
  who: 'derived',
  question: 'Affinity changed, or the CPU taken offline, during a long callee?',
  ask: moved,
};

export const otherClasses: Question = {
  who: 'derived',
  question: 'Registered threads that are not of the fair class?',
  ask: notFair,
};
