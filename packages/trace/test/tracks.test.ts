import { describe, expect, it } from 'vitest';
import { ftraceText, type Recording, type TraceEvent, tracksOf, type Who } from '../src/index.js';

const idle: Who = { tid: 0, pid: 0, name: 'idle' };
const client: Who = { tid: 1, pid: 1, name: 'client' };
const server: Who = { tid: 2, pid: 2, name: 'the echo server of tests' };

/** Events by hand, times in cycles of a clock of 1 GHz, on two CPUs: the client runs on the first, nobody on the second. */
function recording(events: readonly TraceEvent[], end = 100): Recording {
  return { events, running: [client, idle], tscGHz: 1, begin: 0, end };
}

const switched = (cpu: number, time: number, from: Who, to: Who, waits = false): TraceEvent => ({
  kind: 'switch',
  cpu,
  time,
  from,
  to,
  waits,
});

/** The slices of a track: what, from when, to when. */
function slicesOf(events: readonly TraceEvent[], track: string) {
  const { tracks } = tracksOf(recording(events));
  return tracks.find(({ name }) => name === track)?.slices.map(({ name, begin, end }) => [name, begin, end]);
}

describe("a CPU's track", () => {
  it('shows who runs, from switch to switch, and to the end', () => {
    const events = [switched(0, 30, client, server), switched(1, 35, idle, client), switched(0, 60, server, idle)];
    expect(slicesOf(events, 'CPU 0')).toEqual([
      ['client', 0, 30],
      [server.name, 30, 60],
      ['idle', 60, 100],
    ]);
    expect(slicesOf(events, 'CPU 1')).toEqual([
      ['idle', 0, 35],
      ['client', 35, 100],
    ]);
  });

  it('is there for CPUs on which something happens, or somebody runs', () => {
    const names = (events: readonly TraceEvent[]) => tracksOf(recording(events)).tracks.map(({ name }) => name);
    expect(names([])).toEqual(['CPU 0']);
    expect(names([{ kind: 'interrupt', cpu: 1, time: 5, vector: 2 }])).toEqual(['CPU 0', 'CPU 1']);
  });
});

describe("a thread's track", () => {
  const call = (time: number, name: string): TraceEvent => ({ kind: 'call begin', cpu: 0, time, who: client, call: name });
  const result = (time: number): TraceEvent => ({ kind: 'call end', cpu: 0, time, who: client, result: 0 });
  const woken = (time: number): TraceEvent => ({ kind: 'wake-up', cpu: 1, time, who: client, target: 0 });

  it('shows a call, in it the sleep up to the wake-up, and then the wait for a CPU', () => {
    const events = [call(10, 'read'), switched(0, 20, client, idle, true), woken(50), switched(0, 70, idle, client), result(80)];
    expect(slicesOf(events, 'client 1')).toEqual([
      ['read', 10, 80],
      ['sleeps', 20, 50],
      ['waits for a CPU', 50, 70],
    ]);
  });

  it('shows no sleep of who was preempted', () => {
    expect(slicesOf([switched(0, 20, client, server), switched(0, 70, server, client)], 'client 1')).toEqual([['waits for a CPU', 20, 70]]);
  });

  it('shows what has not ended up to the end, and what had begun before from the beginning', () => {
    expect(slicesOf([call(10, 'futex'), switched(0, 20, client, idle, true)], 'client 1')).toEqual([
      ['futex', 10, 100],
      ['sleeps', 20, 100],
    ]);
    expect(slicesOf([result(30)], 'client 1')).toEqual([['system call', 0, 30]]);
  });

  it('cuts what outlives the slice that it lies in', () => {
    const events = [call(10, 'read'), switched(0, 20, client, idle, true), woken(50), result(60), switched(0, 70, idle, client)];
    expect(slicesOf(events, 'client 1')).toEqual([
      ['read', 10, 60],
      ['sleeps', 20, 50],
      ['waits for a CPU', 50, 60],
    ]);
  });
});

describe("a receiver's track", () => {
  it('shows each state until the next, those that take no time left out', () => {
    const state = (time: number, name: string): TraceEvent => ({ kind: 'receiver state', cpu: 0, time, receiver: 0x1000, state: name });
    expect(slicesOf([state(10, 'WAIT'), state(40, 'CALL'), state(40, 'LAZY_SWITCH')], 'receiver 1')).toEqual([
      ['WAIT', 10, 40],
      ['LAZY_SWITCH', 40, 100],
    ]);
  });
});

describe('an arrow', () => {
  const put = (time: number, bytes: number, queue = 'pipe 1'): TraceEvent => ({ kind: 'put', cpu: 0, time, queue, bytes, who: client });
  const taken = (time: number, bytes: number, queue = 'pipe 1'): TraceEvent => ({ kind: 'taken', cpu: 1, time, queue, bytes, who: server });
  const flows = (...events: readonly TraceEvent[]) =>
    tracksOf(recording(events)).flows.map(({ name, from, to }) => [name, from.track, from.time, to.track, to.time]);
  const receiver = `${server.name} 2`;

  it('leads from each message to its receipt, first in first out', () => {
    expect(flows(put(10, 8), put(20, 8), taken(30, 8), taken(40, 8))).toEqual([
      ['message', 'client 1', 10, receiver, 30],
      ['message', 'client 1', 20, receiver, 40],
    ]);
  });

  it('leads to one receipt from as many messages as it takes', () => {
    expect(flows(put(10, 8), put(20, 8), put(30, 8), taken(40, 16), taken(50, 8)).map(([, , from, , to]) => [from, to])).toEqual([
      [10, 40],
      [20, 40],
      [30, 50],
    ]);
  });

  it('stays within one queue, and comes from nowhere where nothing was put', () => {
    expect(flows(put(10, 8, 'pipe 1'), taken(20, 8, 'pipe 2'))).toEqual([]);
  });

  it('leads from a wake-up to the CPU that goes on with the task, once', () => {
    const woken: TraceEvent = { kind: 'wake-up', cpu: 0, time: 10, who: server, target: 1 };
    const goesOn = switched(1, 25, idle, server);
    expect(flows(woken, goesOn, switched(1, 40, server, idle, true), switched(1, 60, idle, server))).toEqual([
      ['wake-up', 'CPU 0', 10, 'CPU 1', 25],
    ]);
  });
});

describe('a line of ftrace', () => {
  const lines = (...events: readonly TraceEvent[]) => ftraceText(recording(events)).trimEnd().split('\n').slice(4);

  it('begins with the task that runs on the CPU, also where the event does not name it', () => {
    const halts: TraceEvent = { kind: 'idle begin', cpu: 0, time: 40 };
    const faults: TraceEvent = { kind: 'page fault', cpu: 0, time: 30, address: 0x1000 };
    const text = lines(switched(0, 20, client, server), faults, switched(0, 35, server, idle, true), halts);
    expect(text.map((line) => line.trim().split(' ')[0])).toEqual(['client-1', 'the_echo_server-2', 'the_echo_server-2', '<idle>-0']);
  });

  it('has the seconds since the beginning, to the nanosecond, and the name cut to fifteen characters', () => {
    const [line] = lines(switched(1, 35, server, client, true)) as [string];
    expect(line).toMatch(
      / \[001\] \.{5} 0\.000000035: sched_switch: prev_comm=the_echo_server prev_pid=2 .* prev_state=S ==> next_comm=client /,
    );
  });

  it('of a wake-up names the waker first, and then who is woken', () => {
    const text = lines(switched(0, 5, idle, client), { kind: 'wake-up', cpu: 0, time: 10, who: server, target: 1 });
    expect(text[1]).toMatch(/^ *client-1 .* sched_wakeup: comm=the_echo_server pid=2 prio=120 target_cpu=001$/);
  });
});
