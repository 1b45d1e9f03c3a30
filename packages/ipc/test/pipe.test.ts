import { Errno, Fcntl, OpenFlag, Poll, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { Lab } from '../../vfs/test/lab.js';
import { IpcStep, PIPE_BUF, Pipe, type PipeEnd } from '../src/index.js';

const READABLE = Poll.IN | Poll.RDNORM;
const WRITABLE = Poll.OUT | Poll.WRNORM;
const { NONBLOCK, DIRECT } = OpenFlag;

function withPipe(flags = 0, cores = 2) {
  const lab = new Lab(cores);
  const [from, to] = Pipe.create(lab.scheduler, lab.manager.frames, flags);
  const read = (length: number) => lab.call((cpu, caller) => from.get().read(cpu, caller, lab.buffer, length));
  const write = (text: string) => {
    const length = lab.store(lab.buffer, text);
    return lab.call((cpu, caller) => to.write(cpu, caller, lab.buffer, length));
  };
  return { lab, from: from.get(), to: to.get(), read, write };
}

describe('a pipe', () => {
  it('gives back the bytes in their order, whatever the sizes of reads and writes', () => {
    const { lab, read, write, from } = withPipe();
    expect([write('hello '), write('world'), from.unread]).toEqual([6, 5, 11]);
    expect([read(8), lab.text(lab.buffer, 8)]).toEqual([8, 'hello wo']);
    expect([read(100), lab.text(lab.buffer, 3), from.unread]).toEqual([3, 'rld', 0]);
  });

  it('has an end to read from and an end to write to', () => {
    const { lab, from, to } = withPipe(NONBLOCK);
    expect(lab.call((cpu, caller) => to.read(cpu, caller, lab.buffer, 1))).toBe(-Errno.EBADF);
    expect(lab.call((cpu, caller) => from.write(cpu, caller, lab.buffer, 1))).toBe(-Errno.EBADF);
    expect(lab.call((cpu, caller) => from.read(cpu, caller, lab.buffer, 1))).toBe(-Errno.EAGAIN);
    expect(
      lab.call((cpu, caller) => from.read(cpu, caller, lab.buffer, 0)),
      'nothing is asked for',
    ).toBe(0);
  });

  it('holds sixteen pages; what does not fit is refused or cut', () => {
    const { lab, to, from } = withPipe(NONBLOCK);
    const write = (length: number) => lab.call((cpu, caller) => to.write(cpu, caller, lab.buffer, length));
    expect([write(15 * PIPE_BUF), write(2 * PIPE_BUF), write(1)]).toEqual([15 * PIPE_BUF, PIPE_BUF, -Errno.EAGAIN]);
    expect(lab.call((cpu) => to.poll(cpu, null))).toBe(0);
    lab.call((cpu, caller) => from.read(cpu, caller, lab.buffer, PIPE_BUF - 1));
    expect(write(1), 'a page that is not read to its end is not free').toBe(-Errno.EAGAIN);
    lab.call((cpu, caller) => from.read(cpu, caller, lab.buffer, 1));
    expect(lab.call((cpu) => to.poll(cpu, null))).toBe(WRITABLE);
  });

  it('keeps two of the pages that have been read, for the next writes', () => {
    const { lab, to, from } = withPipe(NONBLOCK);
    const { frames } = lab.manager;
    const write = (length: number) => lab.call((cpu, caller) => to.write(cpu, caller, lab.buffer, length));
    lab.store(lab.buffer, 'x'.repeat(5 * PIPE_BUF));
    const before = frames.inUse;
    write(5 * PIPE_BUF);
    expect(frames.inUse - before).toBe(5);
    lab.call((cpu, caller) => from.read(cpu, caller, lab.buffer, 5 * PIPE_BUF));
    expect(frames.inUse - before).toBe(2);
    write(2 * PIPE_BUF);
    expect(frames.inUse - before).toBe(2);
  });

  it('appends a small write to the last page, if all of it fits there', () => {
    const { lab, from, to } = withPipe(NONBLOCK);
    const write = (length: number) => lab.call((cpu, caller) => to.write(cpu, caller, lab.buffer, length));
    write(PIPE_BUF - 10);
    write(10);
    expect(from.pipe.buffers).toHaveLength(1);
    write(PIPE_BUF - 10);
    write(11);
    expect(from.pipe.buffers).toHaveLength(3);
  });

  it('tells by poll what can be done, and that the other side is gone', () => {
    const { lab, from, to, write } = withPipe();
    const polls = () => [lab.call((cpu) => from.poll(cpu, null)), lab.call((cpu) => to.poll(cpu, null))];
    expect(polls()).toEqual([0, WRITABLE]);
    write('x');
    expect(polls()).toEqual([READABLE, WRITABLE]);
    to.put(lab.cpu);
    expect(lab.call((cpu) => from.poll(cpu, null))).toBe(READABLE | Poll.HUP);
  });

  it('is at its end when the writer is gone and nothing is left', () => {
    const { lab, to, read, write } = withPipe();
    write('x');
    to.put(lab.cpu);
    expect([read(4), read(4)]).toEqual([1, 0]);
  });

  it('is broken when the reader is gone: SIGPIPE and EPIPE', () => {
    const { lab, from, to, write } = withPipe();
    from.put(lab.cpu);
    expect([write('x'), lab.signals]).toEqual([-Errno.EPIPE, [Signal.PIPE]]);
    expect(lab.call((cpu) => to.poll(cpu, null))).toBe(WRITABLE | Poll.ERR);
  });

  it('changes its capacity to a power of two pages, not below what it holds, nor above what anybody may have', () => {
    const { lab, from, to } = withPipe();
    const resize = (bytes: number) => lab.call((cpu, caller) => from.fcntl(cpu, caller, Fcntl.SETPIPE_SZ, bytes));
    const capacity = () => lab.call((cpu, caller) => from.fcntl(cpu, caller, Fcntl.GETPIPE_SZ, 0));
    expect([resize(3 * PIPE_BUF), capacity()]).toEqual([4 * PIPE_BUF, 4 * PIPE_BUF]);
    expect([resize(0), resize(1), resize(PIPE_BUF + 1)]).toEqual([PIPE_BUF, PIPE_BUF, 2 * PIPE_BUF]);
    expect([resize(-1), resize(2 ** 31 + 1), resize(1 << 20), resize((1 << 20) + 1)]).toEqual([
      -Errno.EINVAL,
      -Errno.EINVAL,
      1 << 20,
      -Errno.EPERM,
    ]);
    lab.call((cpu, caller) => to.write(cpu, caller, lab.buffer, 2 * PIPE_BUF));
    expect([resize(PIPE_BUF), resize(2 * PIPE_BUF)]).toEqual([-Errno.EBUSY, 2 * PIPE_BUF]);
  });

  it('of packets gives one write per read, and throws the rest of it away', () => {
    const { lab, from, write, read } = withPipe(DIRECT);
    expect([write('first'), write('second'), from.pipe.buffers.length]).toEqual([5, 6, 2]);
    expect([read(3), lab.text(lab.buffer, 3)]).toEqual([3, 'fir']);
    expect([read(100), lab.text(lab.buffer, 6)]).toEqual([6, 'second']);
  });

  it('charges for every byte that it copies, in and out', () => {
    const { lab, from, to } = withPipe();
    const copy = (length: number) => {
      const before = [lab.spentOn(IpcStep.pipeCopyIn), lab.spentOn(IpcStep.pipeCopyOut)] as const;
      lab.call((cpu, caller) => to.write(cpu, caller, lab.buffer, length));
      lab.call((cpu, caller) => from.read(cpu, caller, lab.buffer, length));
      return [lab.spentOn(IpcStep.pipeCopyIn) - before[0], lab.spentOn(IpcStep.pipeCopyOut) - before[1]] as const;
    };
    const { step, perByte } = lab.cpu.costs;
    const price = (of: number, length: number) => (step[of] as number) + Math.round((perByte[of] as number) * length);
    for (const length of [1000, 4000]) {
      expect(copy(length)).toEqual([price(IpcStep.pipeCopyIn, length), price(IpcStep.pipeCopyOut, length)]);
    }
  });

  it('lets go of its pages when both ends are closed', () => {
    const { lab, from, to, write } = withPipe();
    write('x');
    const frame = from.pipe.buffers[0]?.frame as number;
    expect(lab.manager.frames.count(frame)).toBe(1);
    from.put(lab.cpu);
    to.put(lab.cpu);
    expect(lab.manager.frames.count(frame)).toBe(0);
  });
});

describe('a pipe that is waited for', () => {
  const reader = (end: PipeEnd, length: number, got: number[]) =>
    function* ({ caller, buffer }: { caller: Lab['caller']; buffer: number }) {
      got.push(yield (cpu: Lab['cpu']) => end.read(cpu, caller, buffer, length));
    };
  const writer = (end: PipeEnd, length: number, got: number[]) =>
    function* ({ caller, buffer }: { caller: Lab['caller']; buffer: number }) {
      got.push(yield (cpu: Lab['cpu']) => end.write(cpu, caller, buffer, length));
    };

  it('wakes its reader with data', () => {
    const { lab, from, to } = withPipe();
    const got: number[] = [];
    lab.actor(reader(from, 100, got));
    lab.run();
    expect(got).toEqual([]);
    lab.actor(writer(to, 7, got), 1);
    lab.finish();
    expect(got.sort()).toEqual([7, 7]);
  });

  it('wakes its writer when there is room', () => {
    const { lab, from, to } = withPipe();
    const got: number[] = [];
    lab.actor(writer(to, 20 * PIPE_BUF, got));
    lab.run();
    expect([got, from.unread]).toEqual([[], 16 * PIPE_BUF]);
    lab.actor(reader(from, 16 * PIPE_BUF, got), 1);
    lab.finish();
    expect(got.sort((a, b) => a - b)).toEqual([16 * PIPE_BUF, 20 * PIPE_BUF]);
  });

  it('wakes its reader when the last writer is gone, and its writer when the last reader is', () => {
    const { lab, from, to } = withPipe();
    const got: number[] = [];
    lab.actor(reader(from, 1, got));
    lab.run();
    to.put(lab.cpu);
    lab.finish();
    expect(got).toEqual([0]);

    const other = withPipe();
    const full: number[] = [];
    const actor = other.lab.actor(writer(other.to, 17 * PIPE_BUF, full));
    other.lab.run();
    other.from.put(other.lab.cpu);
    other.lab.finish();
    expect([full, actor.raised], 'what is in the pipe has been written').toEqual([[16 * PIPE_BUF], [Signal.PIPE]]);
  });

  it('hands on to the next reader what one that was woken leaves', () => {
    const { lab, from, to } = withPipe(0, 3);
    const got: number[] = [];
    lab.actor(reader(from, 1, got), 0);
    lab.actor(reader(from, 1, got), 1);
    lab.run();
    lab.actor(writer(to, 2, got), 2);
    lab.finish();
    expect(got.sort()).toEqual([1, 1, 2]);
  });

  it('hands on to the next writer the room that one that was woken leaves', () => {
    const { lab, from, to } = withPipe(0, 3);
    const got: number[] = [];
    lab.call((cpu, caller) => to.write(cpu, caller, lab.buffer, 16 * PIPE_BUF));
    lab.actor(writer(to, 1, got), 0);
    lab.actor(writer(to, 2, got), 1);
    lab.run();
    expect(got).toEqual([]);
    lab.actor(reader(from, 16 * PIPE_BUF, got), 2);
    lab.finish();
    expect(got.sort((a, b) => a - b)).toEqual([1, 2, 16 * PIPE_BUF]);
  });

  it('ends with what was written so far when a signal comes', () => {
    const { lab, to } = withPipe();
    const got: number[] = [];
    const actor = lab.actor(writer(to, 17 * PIPE_BUF, got));
    lab.run();
    actor.interrupt(lab.cpu);
    lab.finish();
    expect(got).toEqual([16 * PIPE_BUF]);
  });
});
