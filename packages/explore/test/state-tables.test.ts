import { receiverRows, senderRows } from '@rpal/rpal-core';
import { Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import {
  Choice,
  nothing,
  PriorityWalk,
  pictureOf,
  RandomWalk,
  Replay,
  type Run,
  type Scenario,
  type Strategy,
  scenarios,
  systemCall,
} from '../src/index.js';
import { calls, moves, posts, scene, signals } from './scenes.js';
import { at, heldAt, inRetSection, now, receiverIn, rows, script, type Traced, trace, usually } from './trace.js';

/** Rows of the state tables that were taken: by the exact time lines below, and by the explorer's random runs. */
const byTests = rows();
const byExplorer = rows();

const line = (scenario: Scenario, strategy: (run: Run) => Strategy, until?: RegExp): Traced => {
  const traced = trace(scenario, strategy, byTests, until);
  expect(traced.failure).toBeNull();
  return traced;
};

/** The callee's code is executed on the caller's behalf, with the callee's own key. */
const serving = (run: Run): boolean => /^caller-0 > callee (ffffffcf|fffffff3) CALL\/CALL/.test(now(run).line);
const done = (run: Run): boolean => run.stage.noted('done') > 0;
const called = (run: Run): boolean => run.stage.noted('calls') > 0;
const never = (): boolean => false;

describe('time lines A to I', () => {
  it('A. pure call: WAIT, CALL, WAIT, and no kernel', () => {
    const { lines, run } = line(scene(1, nothing, calls()), usually);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING USER_PENDING
      r10
      caller-0 fffffff0 CALL/RUNNING USER_PENDING
      s1
      caller-0 fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff3 CALL/CALL USER_PENDING
      caller-0 > callee fffffff3 CALL/CALL
      s2
      caller-0 > callee fffffff3 CALL/RUNNING
      caller-0 > callee fffffff0 CALL/RUNNING
      caller-0 fffffff0 CALL/RUNNING
      r11
      caller-0 fffffff0 WAIT/RUNNING
      caller-0 fffffffc WAIT/RUNNING"
    `);
    expect(run.stage.rpal.instruments.lazySwitches).toBe(0);
  });

  it("B. the callee makes a system call: as the receiver; back by the sender's dummy read", () => {
    expect(line(scene(1, systemCall, calls()), usually).lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING USER_PENDING
      r10
      caller-0 fffffff0 CALL/RUNNING USER_PENDING
      s1
      caller-0 fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff3 CALL/CALL USER_PENDING
      caller-0 > callee fffffff3 CALL/CALL
      r13
      callee fffffff3 LAZY_SWITCH/CALL
      s2
      callee fffffff3 LAZY_SWITCH/RUNNING
      callee fffffff0 LAZY_SWITCH/RUNNING
      callee > caller-0 fffffff0 LAZY_SWITCH/RUNNING
      r15
      r17
      caller-0 fffffff0 WAIT/RUNNING
      caller-0 fffffffc WAIT/RUNNING"
    `);
  });

  it('C. a tick during the callee: as B, and the tick is handled as the receiver', () => {
    expect(line(scene(1, nothing, calls()), at(Choice.tick(2, 0), serving)).lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING USER_PENDING
      r10
      caller-0 fffffff0 CALL/RUNNING USER_PENDING
      s1
      caller-0 fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff3 CALL/CALL USER_PENDING
      r13
      callee fffffff3 LAZY_SWITCH/CALL USER_PENDING
      callee fffffff3 LAZY_SWITCH/CALL
      s2
      callee fffffff3 LAZY_SWITCH/RUNNING
      callee fffffff0 LAZY_SWITCH/RUNNING
      callee > caller-0 fffffff0 LAZY_SWITCH/RUNNING
      r15
      r17
      caller-0 fffffff0 WAIT/RUNNING
      caller-0 fffffffc WAIT/RUNNING"
    `);
  });

  it('D. the callee yields the CPU, and the scheduler picks the sender: it comes back by the kernel, the receiver goes on alone', () => {
    const yields = function* (p: Parameters<typeof systemCall>[0]) {
      yield* p.schedYield();
    };
    const { lines, run } = line(scene(1, yields, calls()), usually, /^idle WAIT/);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING USER_PENDING
      r10
      caller-0 fffffff0 CALL/RUNNING USER_PENDING
      s1
      caller-0 fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff3 CALL/CALL USER_PENDING
      caller-0 > callee fffffff3 CALL/CALL
      r13
      callee in the kernel fffffff3 LAZY_SWITCH/CALL
      caller-0 in the kernel fffffffc LAZY_SWITCH/CALL
      s3
      caller-0 fffffff0 LAZY_SWITCH/KERNEL_RET
      caller-0 fffffffc LAZY_SWITCH/KERNEL_RET
      caller-0 in the kernel fffffffc LAZY_SWITCH/KERNEL_RET
      idle LAZY_SWITCH/KERNEL_RET
      r2
      idle READY/KERNEL_RET
      r3
      idle WAIT/KERNEL_RET"
    `);
    expect(run.stage.rpal.instruments.kernelReturns).toBe(1);
  });

  it("D. ... and so it does when the sender's turn comes because the callee computes for long", () => {
    const computes = function* (p: Parameters<typeof systemCall>[0]) {
      yield* p.compute(3e7);
    };
    expect(line(scene(1, computes, calls()), usually, /^r3/).rows).toBe('r10 s1 r13 s3 r2 r3');
  });

  it('E. an NMI in the ret section, without a lazy switch before: no switch after, either', () => {
    const { lines, run } = line(scene(1, nothing, calls()), at(Choice.nmi(2, 0), inRetSection));
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING USER_PENDING
      r10
      caller-0 fffffff0 CALL/RUNNING USER_PENDING
      s1
      caller-0 fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff3 CALL/CALL USER_PENDING
      caller-0 > callee fffffff3 CALL/CALL
      s2
      caller-0 > callee fffffff3 CALL/RUNNING
      caller-0 fffffff0 CALL/RUNNING
      r11
      caller-0 fffffff0 WAIT/RUNNING
      caller-0 fffffffc WAIT/RUNNING"
    `);
    expect(run.stage.rpal.instruments.lazySwitches).toBe(0);
  });

  it('F. an NMI in the ret section after a lazy switch: straight back to the sender', () => {
    const { lines, run } = line(scene(1, systemCall, calls()), at(Choice.nmi(2, 0), inRetSection));
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING
      caller-0 fffffff0 WAIT/RUNNING USER_PENDING
      r10
      caller-0 fffffff0 CALL/RUNNING USER_PENDING
      s1
      caller-0 fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff0 CALL/CALL USER_PENDING
      caller-0 > callee fffffff3 CALL/CALL USER_PENDING
      caller-0 > callee fffffff3 CALL/CALL
      r13
      callee fffffff3 LAZY_SWITCH/CALL
      s2
      callee fffffff3 LAZY_SWITCH/RUNNING
      r15
      r17
      caller-0 fffffff0 WAIT/RUNNING
      caller-0 fffffffc WAIT/RUNNING"
    `);
    expect(run.stage.rpal.instruments.lazySwitches).toBe(2);
  });

  it('G. a kernel event during the call: the wake-up is refused; the receiver collects the event before it returns', () => {
    const order = script([0, serving], [1, done], [0, never]);
    expect(line(scene(2, nothing, calls(), posts), order).lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING USER_PENDING
      r10
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      s1
      caller-0 ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL WAKE KERNEL_PENDING USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL WAKE KERNEL_PENDING
      caller-0 in the kernel ffffffcf CALL/CALL WAKE KERNEL_PENDING
      callee in the kernel ffffffcf CALL/CALL WAKE KERNEL_PENDING
      r13
      callee in the kernel ffffffcf LAZY_SWITCH/CALL WAKE KERNEL_PENDING
      callee in the kernel ffffffcf LAZY_SWITCH/CALL WAKE
      r9
      callee ffffffcf LAZY_SWITCH/CALL WAKE
      s2
      callee ffffffcf LAZY_SWITCH/RUNNING WAKE
      callee ffffffcc LAZY_SWITCH/RUNNING WAKE
      callee > caller-0 ffffffcc LAZY_SWITCH/RUNNING WAKE
      r15
      callee in the kernel ffffffcc READY_LS/RUNNING WAKE
      caller-0 in the kernel ffffffcc READY_LS/RUNNING WAKE
      r17
      caller-0 ffffffcc WAIT/RUNNING WAKE
      caller-0 fffffffc WAIT/RUNNING WAKE"
    `);
  });

  it('G. ... or, if it has decided to return, the waker wakes it within a tick', () => {
    const order = script([0, inRetSection], [1, done], [0, never]);
    const { lines, run } = line(scene(2, nothing, calls(), posts), order, /^r9/);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING USER_PENDING
      r10
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      s1
      caller-0 ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL
      s2
      caller-0 > callee ffffffcf CALL/RUNNING
      caller-0 > callee ffffffcf CALL/RUNNING WAKE KERNEL_PENDING
      caller-0 > callee ffffffcc CALL/RUNNING WAKE KERNEL_PENDING
      caller-0 ffffffcc CALL/RUNNING WAKE KERNEL_PENDING
      r11
      caller-0 ffffffcc WAIT/RUNNING WAKE KERNEL_PENDING
      caller-0 fffffffc WAIT/RUNNING WAKE KERNEL_PENDING
      caller-0 in the kernel fffffffc WAIT/RUNNING WAKE KERNEL_PENDING
      idle WAIT/RUNNING WAKE KERNEL_PENDING
      kworker/0 in the kernel fffffffc WAIT/RUNNING WAKE KERNEL_PENDING
      idle WAIT/RUNNING WAKE KERNEL_PENDING
      r7
      idle RUNNING/RUNNING KERNEL_PENDING
      r9"
    `);
    expect(run.stage.rpal.instruments.refusedWakeUps).toBe(1);
  });

  it("G. ... or the next call's receiver code collects the event first", () => {
    const order = script([0, inRetSection], [1, done], [0, never]);
    expect(line(scene(2, nothing, calls(2), posts), order).rows).toBe('r10 s1 s2 r11 r10 s1 r13 r9 s2 r15 r17');
  });

  it('H. a second sender during the call: its words are queued, and the callee takes them before it returns', () => {
    const order = script([0, serving], [1, called], [0, never]);
    const { lines, run } = line(scene(2, nothing, calls(), calls()), order);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING USER_PENDING
      r10
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      s1
      caller-0 ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL
      s2
      caller-0 > callee ffffffcf CALL/RUNNING
      caller-0 > callee ffffffcc CALL/RUNNING
      caller-0 ffffffcc CALL/RUNNING
      r11
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 fffffffc WAIT/RUNNING"
    `);
    expect(run.stage.noted('received')).toBe(2);
  });

  it('H. ... or, if the callee has decided to return, the first sender brings them by calling again', () => {
    const order = script([0, inRetSection], [1, called], [0, never]);
    const { lines, run } = line(scene(2, nothing, calls(), calls()), order);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING USER_PENDING
      r10
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      s1
      caller-0 ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL
      s2
      caller-0 > callee ffffffcf CALL/RUNNING
      caller-0 > callee ffffffcf CALL/RUNNING USER_PENDING
      caller-0 > callee ffffffcc CALL/RUNNING USER_PENDING
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      r11
      caller-0 ffffffcc WAIT/RUNNING USER_PENDING
      r10
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      s1
      caller-0 ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL
      s2
      caller-0 > callee ffffffcf CALL/RUNNING
      caller-0 > callee ffffffcc CALL/RUNNING
      caller-0 ffffffcc CALL/RUNNING
      r11
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 fffffffc WAIT/RUNNING"
    `);
    expect(run.stage.noted('received')).toBe(2);
  });

  it('I. the receiver has died before the call: the caller comes back to its recovery point', () => {
    const scenario = scene(2, nothing, calls(), signals('callee', Signal.KILL));
    const order = script([1, done], [2, (run) => pictureOf(run).receivers.length === 0], [0, called]);
    const { lines, run } = trace(scenario, order, byTests);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      r7
      caller-0 fffffffc RUNNING/RUNNING
      caller-0 fffffffc gone
      caller-0 ffffffcc gone
      caller-0 fffffffc gone"
    `);
    expect(run.stage.noted('error -117')).toBe(1);
  });

  it("I. the receiver is killed while its code runs on the caller's CPU: it ends, though it is being called, and the caller lives", () => {
    const scenario = scene(2, nothing, calls(), signals('callee', Signal.KILL));
    const order = script([0, serving], [1, done], [0, called]);
    const { lines, run } = trace(scenario, order, byTests);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING USER_PENDING
      r10
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      s1
      caller-0 ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL
      s2
      caller-0 > callee ffffffcf CALL/RUNNING
      caller-0 > callee ffffffcc CALL/RUNNING
      caller-0 ffffffcc CALL/RUNNING
      r11
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 fffffffc WAIT/RUNNING"
    `);
    expect(run.stage.processes.map(({ exit }) => exit?.signal)).toEqual([Signal.KILL, 0, 0]);
  });

  it('I. ... or, in the series as written, it ends only once it may be woken', () => {
    const scenario = scene(2, nothing, calls(), signals('callee', Signal.KILL));
    const order = script([0, serving], [1, done], [0, called]);
    const { lines, run } = trace(scenario, order, byTests, undefined, {});
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING USER_PENDING
      r10
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      s1
      caller-0 ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL WAKE USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL WAKE
      s2
      caller-0 > callee ffffffcf CALL/RUNNING WAKE
      caller-0 > callee ffffffcc CALL/RUNNING WAKE
      caller-0 ffffffcc CALL/RUNNING WAKE
      r11
      caller-0 ffffffcc WAIT/RUNNING WAKE
      caller-0 fffffffc WAIT/RUNNING WAKE"
    `);
    expect(run.stage.processes.map(({ exit }) => exit?.signal)).toEqual([Signal.KILL, 0, 0]);
  });

  it('I. the receiver is killed in its system call within the call: the caller comes back by the kernel, without it', () => {
    const scenario = scene(2, systemCall, calls(), signals('callee', Signal.KILL));
    const order = script([0, (run) => heldAt(run, 0) === 'S->R: switched'], [1, done], [0, called]);
    const { lines, run } = trace(scenario, order, byTests);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING USER_PENDING
      r10
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      s1
      caller-0 ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL
      caller-0 in the kernel ffffffcf CALL/CALL
      callee in the kernel ffffffcf CALL/CALL
      r13
      callee in the kernel ffffffcf LAZY_SWITCH/CALL
      callee in the kernel ffffffcf gone
      caller-0 in the kernel fffffffc gone
      caller-0 ffffffcc gone
      caller-0 fffffffc gone"
    `);
    expect(run.stage.processes.map(({ exit }) => exit?.signal)).toEqual([Signal.KILL, 0, 0]);
  });
});

describe('rows that need a certain moment', () => {
  /** The wake-up of a signal has passed the state check; the receiver turns round, and is READY again. */
  const overtaken = (home: number) =>
    [
      [0, done],
      [home, (run: Run) => receiverIn(run) === 'READY'],
      [1, (run: Run) => heldAt(run, 1) === 'rpal_check_state: RUNNING'],
      [home, (run: Run) => receiverIn(run) === 'READY'],
    ] as const;

  it('4. a wake-up that was overtaken finds the receiver READY and lets it run, just when it is to be moved to another CPU', () => {
    const order = script(
      ...overtaken(3),
      [1, (run) => heldAt(run, 1) === ''],
      [2, (run) => run.stage.noted('moved') > 0],
      [3, (run) => receiverIn(run) !== 'READY'],
    );
    const { rows: taken, failure } = trace(scene(3, nothing, posts, signals('callee'), moves), order, byTests, /^r4/, {});
    expect(failure).toBeNull();
    expect(taken).toBe('r7 r9 r2 r7 r9 r2 r4');
  });

  it('... but in the series as written such a wake-up may also find it in WAIT, where it can be called while it is being woken', () => {
    const order = script(...overtaken(2), [2, (run) => receiverIn(run) === 'WAIT'], [1, never]);
    const asWritten = trace(scene(2, nothing, posts, signals('callee')), order, byTests, undefined, {});
    expect(asWritten.failure).toMatch(/is in WAIT, but its task is WAKING/);
    const repair = ['wake-up-not-rechecked' as const];
    expect(trace(scene(2, nothing, posts, signals('callee')), order, byTests, undefined, { repair }).failure).toBeNull();
  });

  it('5. a signal is pending, but its wake-up has not come yet, when the receiver is about to sleep', () => {
    const order = script(
      [0, done],
      [2, (run) => receiverIn(run) === 'READY'],
      [1, (run) => heldAt(run, 1) === 'rpal_check_state: state read'],
      [2, (run) => receiverIn(run) !== 'READY'],
    );
    expect(line(scene(2, nothing, posts, signals('callee')), order, /^r5/).rows).toBe('r7 r9 r2 r5');
  });

  it('8. a sender finds the receiver READY, not yet in WAIT: its words wait for the waker', () => {
    const order = script([1, done], [2, (run) => receiverIn(run) === 'READY'], [0, called]);
    const { lines, run } = line(scene(2, nothing, calls(), posts), order, /^r8/);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      r7
      caller-0 fffffffc RUNNING/RUNNING
      r9
      r2
      caller-0 fffffffc READY/RUNNING
      caller-0 ffffffcc READY/RUNNING
      caller-0 ffffffcc READY/RUNNING USER_PENDING
      caller-0 fffffffc READY/RUNNING USER_PENDING
      caller-0 in the kernel fffffffc READY/RUNNING USER_PENDING
      idle READY/RUNNING USER_PENDING
      r3
      idle WAIT/RUNNING USER_PENDING
      r8"
    `);
    expect(run.stage.noted('received')).toBe(1);
  });

  it('12, s4. a sender is killed between its claim and its jump: the receiver can be called again', () => {
    const scenario = scene(2, nothing, calls(), signals('caller-0', Signal.KILL));
    const order = script([0, (run) => now(run).line.endsWith('CALL/CALL USER_PENDING')], [1, done]);
    const { lines } = trace(scenario, order, byTests, /WAIT\/KERNEL_RET/);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING USER_PENDING
      r10
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      s1
      caller-0 ffffffcc CALL/CALL USER_PENDING
      caller-0 in the kernel ffffffcc CALL/CALL USER_PENDING
      s4
      r12
      caller-0 in the kernel ffffffcc WAIT/KERNEL_RET WAKE KERNEL_PENDING USER_PENDING"
    `);
  });

  it('16. an event arrives while the receiver is being parked', () => {
    const order = script([0, (run) => heldAt(run, 0) === 'rpal_fast_ep_poll: READY_LS'], [1, done]);
    expect(line(scene(2, systemCall, calls(), posts), order).lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING USER_PENDING
      r10
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      s1
      caller-0 ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL
      caller-0 in the kernel ffffffcf CALL/CALL
      callee in the kernel ffffffcf CALL/CALL
      r13
      callee ffffffcf LAZY_SWITCH/CALL
      s2
      callee ffffffcf LAZY_SWITCH/RUNNING
      callee ffffffcc LAZY_SWITCH/RUNNING
      callee > caller-0 ffffffcc LAZY_SWITCH/RUNNING
      r15
      callee in the kernel ffffffcc READY_LS/RUNNING
      r16
      caller-0 ffffffcc LAZY_SWITCH/RUNNING
      caller-0 fffffffc LAZY_SWITCH/RUNNING"
    `);
  });

  it('18. a signal arrives for a receiver that is being parked: it goes on running', () => {
    const order = script([0, (run) => heldAt(run, 0) === 'R->S: parked'], [1, done]);
    expect(line(scene(2, systemCall, calls(), signals('callee')), order).lines.join('\n')).toMatchInlineSnapshot(`
      "caller-0 fffffffc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING
      caller-0 ffffffcc WAIT/RUNNING USER_PENDING
      r10
      caller-0 ffffffcc CALL/RUNNING USER_PENDING
      s1
      caller-0 ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcc CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL USER_PENDING
      caller-0 > callee ffffffcf CALL/CALL
      caller-0 in the kernel ffffffcf CALL/CALL
      callee in the kernel ffffffcf CALL/CALL
      r13
      callee ffffffcf LAZY_SWITCH/CALL
      s2
      callee ffffffcf LAZY_SWITCH/RUNNING
      callee ffffffcc LAZY_SWITCH/RUNNING
      callee > caller-0 ffffffcc LAZY_SWITCH/RUNNING
      r15
      callee in the kernel ffffffcc READY_LS/RUNNING
      callee in the kernel ffffffcc READY_LS/RUNNING WAKE
      r18
      caller-0 ffffffcc RUNNING/RUNNING WAKE
      caller-0 fffffffc RUNNING/RUNNING WAKE"
    `);
  });
});

describe('the state tables', () => {
  it.each(scenarios)('$name: random runs', (scenario) => {
    for (let seed = 1; seed <= 6; seed++) {
      const { cpus } = scenario;
      const walk = seed % 3 === 0 ? new Replay([]) : seed % 3 === 1 ? new PriorityWalk(seed, cpus, 120, 3, 2) : new RandomWalk(seed, 75);
      expect(trace(scenario, () => walk, byExplorer).failure).toBeNull();
    }
  });

  it('have had every row taken', () => {
    const report = (title: string, table: object, tests: ReadonlySet<number>, explorer: ReadonlySet<number>): string[] => {
      const numbers = Object.keys(table).map(Number);
      const list = (seen: ReadonlySet<number>) => numbers.filter((row) => seen.has(row)).join(' ') || 'none';
      console.log(
        `${title}: rows ${numbers[0]} to ${numbers.at(-1)}\n  by exact time lines: ${list(tests)}\n  by random runs: ${list(explorer)}`,
      );
      return numbers.filter((row) => !tests.has(row)).map((row) => `${title}, row ${row}`);
    };
    const missing = [
      ...report("the receiver's states (8.2)", receiverRows, byTests.receiver, byExplorer.receiver),
      ...report("the sender's states (8.4)", senderRows, byTests.sender, byExplorer.sender),
    ];
    expect(missing).toEqual([]);
  });
});
