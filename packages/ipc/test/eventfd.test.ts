import { Errno, Poll } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { Lab } from '../../vfs/test/lab.js';
import { EventFd, EventfdFlag } from '../src/index.js';

const MAX = 0xffff_ffff;

function withEventfd(initial = 0, flags = 0) {
  const lab = new Lab();
  const file = new EventFd(lab.scheduler, initial, flags).get();
  const write = (high: number, low: number) => {
    lab.storeWord(lab.buffer, low);
    lab.storeWord(lab.buffer + 4, high);
    return lab.call((cpu, caller) => file.write(cpu, caller, lab.buffer, 8));
  };
  const read = () => {
    const result = lab.call((cpu, caller) => file.read(cpu, caller, lab.buffer, 8));
    return result < 0 ? result : [lab.word(lab.buffer + 4), lab.word(lab.buffer)];
  };
  const poll = () => lab.call((cpu) => file.poll(cpu, null));
  return { lab, file, write, read, poll };
}

describe('an eventfd', () => {
  it('adds up what is written, and gives it all to one read', () => {
    const { write, read } = withEventfd(5, EventfdFlag.NONBLOCK);
    expect([write(0, 3), write(1, 0)]).toEqual([8, 8]);
    expect([read(), read()]).toEqual([[1, 8], -Errno.EAGAIN]);
  });

  it('as a semaphore gives one at a time, and borrows from the upper word', () => {
    const { file, write, read } = withEventfd(0, EventfdFlag.NONBLOCK | EventfdFlag.SEMAPHORE);
    write(1, 0);
    expect([read(), file.high, file.low]).toEqual([[0, 1], 0, MAX]);
    expect([read(), file.high, file.low]).toEqual([[0, 1], 0, MAX - 1]);
  });

  it('carries from the lower word to the upper', () => {
    const { write, read } = withEventfd(MAX);
    write(0, 1);
    expect(read()).toEqual([1, 0]);
  });

  it('never gets to the largest value: what would lead there has no room', () => {
    const { file, write, poll } = withEventfd(0, EventfdFlag.NONBLOCK);
    expect(write(MAX, MAX), 'no such value can be written').toBe(-Errno.EINVAL);
    expect(write(MAX, MAX - 1)).toBe(8);
    expect([write(0, 1), write(0, 0)]).toEqual([-Errno.EAGAIN, 8]);
    expect([file.high, file.low, poll()]).toEqual([MAX, MAX - 1, Poll.IN]);
  });

  it('can be written as long as one more has room, and read as long as there is anything', () => {
    const { file, poll } = withEventfd();
    const at = (high: number, low: number) => {
      file.high = high;
      file.low = low;
      return poll();
    };
    expect(at(0, 0)).toBe(Poll.OUT);
    expect(at(0, 1)).toBe(Poll.IN | Poll.OUT);
    expect(at(1, 0)).toBe(Poll.IN | Poll.OUT);
    expect(at(MAX, MAX - 3)).toBe(Poll.IN | Poll.OUT);
    expect(at(MAX, MAX - 2)).toBe(Poll.IN | Poll.OUT);
    expect(at(MAX, MAX - 1)).toBe(Poll.IN);
    expect(at(MAX, MAX)).toBe(Poll.IN | Poll.ERR);
  });

  it('takes eight bytes: a shorter read is refused, and any other write', () => {
    const { lab, file } = withEventfd(1);
    const read = (length: number) => lab.call((cpu, caller) => file.read(cpu, caller, lab.buffer, length));
    const write = (length: number) => lab.call((cpu, caller) => file.write(cpu, caller, lab.buffer, length));
    expect([read(7), read(9), write(7), write(9)]).toEqual([-Errno.EINVAL, 8, -Errno.EINVAL, -Errno.EINVAL]);
    expect(lab.call((cpu, caller) => file.write(cpu, caller, 0x1000, 8))).toBe(-Errno.EFAULT);
  });

  it('wakes who waits for a value, and who waits for room', () => {
    const { lab, file, write } = withEventfd();
    const got: number[] = [];
    lab.actor(function* ({ caller, buffer }) {
      got.push(yield (cpu) => file.read(cpu, caller, buffer, 8));
      got.push(lab.word(buffer));
    });
    lab.run();
    expect(got).toEqual([]);
    write(0, 42);
    lab.finish();
    expect(got).toEqual([8, 42]);

    file.high = MAX;
    file.low = MAX - 1;
    lab.actor(function* ({ caller, buffer }) {
      lab.storeWord(buffer, 7);
      lab.storeWord(buffer + 4, 0);
      got.push(yield (cpu) => file.write(cpu, caller, buffer, 8));
    });
    lab.run();
    expect(got, 'there is no room').toEqual([8, 42]);
    lab.call((cpu, caller) => file.read(cpu, caller, lab.buffer, 8));
    lab.finish();
    expect([got, file.low]).toEqual([[8, 42, 8], 7]);
  });

  it('says in /proc what it holds', () => {
    expect(withEventfd(0xabc).file.description).toBe('eventfd-count:              abc\neventfd-semaphore: 0\n');
    expect(withEventfd(0, EventfdFlag.SEMAPHORE).file.description).toContain('eventfd-semaphore: 1');
  });
});
