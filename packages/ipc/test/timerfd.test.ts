import { Errno, Poll, TFD_TIMER_ABSTIME } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { Lab } from '../../vfs/test/lab.js';
import { EventfdFlag, TimerFd } from '../src/index.js';

const MS = 1e6;

function withTimer(flags = 0) {
  const lab = new Lab();
  const file = new TimerFd(lab.scheduler, flags).get();
  const set = (value: number, interval = 0, how = 0) => lab.call((cpu) => file.set(cpu, value, interval, how));
  const poll = () => lab.call((cpu) => file.poll(cpu, null));
  const remaining = () => lab.call((cpu) => file.remaining(cpu));
  /** What a read gives: expirations, or an errno. */
  const read = () => {
    const result = lab.call((cpu, caller) => file.read(cpu, caller, lab.buffer, 8));
    return result < 0 ? result : lab.word(lab.buffer);
  };
  return { lab, file, set, poll, remaining, read };
}

describe('a timerfd', () => {
  it('expires once, and is read once', () => {
    const { lab, set, poll, read } = withTimer(EventfdFlag.NONBLOCK);
    expect([set(2 * MS), poll(), read()]).toEqual([0, 0, -Errno.EAGAIN]);
    lab.run(1 * MS);
    expect(poll()).toBe(0);
    lab.run(2 * MS);
    expect([poll(), read(), read(), poll()]).toEqual([Poll.IN, 1, -Errno.EAGAIN, 0]);
  });

  it('counts the periods that pass while nobody looks', () => {
    const { lab, set, read } = withTimer(EventfdFlag.NONBLOCK);
    set(MS, MS);
    lab.run(5.5 * MS);
    expect(read()).toBe(5);
    lab.run(2 * MS);
    expect(read()).toBe(2);
  });

  it('says how long it has to go: to the next period, or for ever', () => {
    const { lab, set, remaining } = withTimer();
    expect(remaining(), 'not armed').toBe(0);
    set(3 * MS);
    lab.run(1 * MS);
    expect(remaining() / MS).toBeCloseTo(2, 1);
    lab.run(3 * MS);
    expect(remaining(), 'it has expired, and has no period').toBe(0);
    set(MS, 4 * MS);
    lab.run(2 * MS);
    expect(remaining() / MS).toBeCloseTo(3, 1);
  });

  it('takes a time of the clock as well as one from now on, also one that has passed', () => {
    const { lab, set, read } = withTimer(EventfdFlag.NONBLOCK);
    const now = Math.floor(lab.cpu.clock / lab.cpu.costs.tscPerNs);
    set(now + 2 * MS, 0, TFD_TIMER_ABSTIME);
    lab.run(1 * MS);
    expect(read()).toBe(-Errno.EAGAIN);
    lab.run(2 * MS);
    expect(read()).toBe(1);
    set(1, 0, TFD_TIMER_ABSTIME);
    lab.run(0.1 * MS);
    expect(read()).toBe(1);
  });

  it('is disarmed by zero, and forgets what it has counted when it is set', () => {
    const { lab, set, read } = withTimer(EventfdFlag.NONBLOCK);
    set(MS, MS);
    lab.run(3.5 * MS);
    set(0);
    expect(read()).toBe(-Errno.EAGAIN);
    lab.run(3 * MS);
    expect(read()).toBe(-Errno.EAGAIN);
  });

  it('refuses times that are none, unknown flags, writes and short reads', () => {
    const { lab, file, set } = withTimer();
    expect([set(-1), set(1, -1), set(Number.NaN), set(1, 0, 4)]).toEqual(Array(4).fill(-Errno.EINVAL));
    expect(lab.call((cpu, caller) => file.read(cpu, caller, lab.buffer, 7))).toBe(-Errno.EINVAL);
    expect([file.canRead, file.canWrite]).toEqual([true, false]);
    expect(lab.call((cpu, caller) => file.write(cpu, caller, lab.buffer, 8))).toBe(-Errno.EINVAL);
  });

  it('wakes who waits for it', () => {
    const { lab, file, set } = withTimer();
    const got: number[] = [];
    lab.actor(function* ({ caller, buffer }) {
      got.push(yield (cpu) => file.read(cpu, caller, buffer, 8));
    }, 1);
    lab.run(MS);
    set(MS);
    lab.run(0.5 * MS);
    expect(got).toEqual([]);
    lab.finish();
    expect(got).toEqual([8]);
  });

  it('does not go off when it is closed', () => {
    const { lab, file, set } = withTimer();
    set(MS);
    file.put(lab.cpu);
    lab.run(3 * MS);
    expect(file.ticks).toBe(0);
  });
});
