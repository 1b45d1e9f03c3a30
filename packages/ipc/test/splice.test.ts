import { Errno, OpenFlag, Signal, SPLICE_F_NONBLOCK } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { PIPE_BUF, Pipe, type PipeEnd, splice, spliceFromSocket, spliceToSocket, tee, vmsplice } from '../src/index.js';
import { SocketLab } from './lab.js';

function withPipes(flags: number = OpenFlag.NONBLOCK) {
  const lab = new SocketLab();
  const make = () => {
    const [from, to] = Pipe.create(lab.scheduler, lab.manager.frames, flags);
    return [from.get(), to.get()] as [PipeEnd, PipeEnd];
  };
  const [a, aIn] = make();
  const [b, bIn] = make();
  const write = (to: PipeEnd, text: string) => {
    const length = lab.store(lab.buffer, text);
    return lab.call((cpu, caller) => to.write(cpu, caller, lab.buffer, length));
  };
  const read = (from: PipeEnd, length = 1000) => {
    const n = lab.call((cpu, caller) => from.read(cpu, caller, lab.buffer, length));
    return n < 0 ? n : lab.text(lab.buffer, n);
  };
  return { lab, a, aIn, b, bIn, write, read };
}

describe('splice and tee', () => {
  it('move pages, whole or in part, or link them', () => {
    const { lab, a, aIn, b, bIn, write, read } = withPipes();
    write(aIn, 'hello world');
    expect(lab.call((cpu, caller) => tee(cpu, caller, a, bIn, 5, SPLICE_F_NONBLOCK))).toBe(5);
    expect([read(b), a.unread]).toEqual(['hello', 11]);
    expect(lab.call((cpu, caller) => splice(cpu, caller, a, bIn, 6, SPLICE_F_NONBLOCK))).toBe(6);
    expect([read(b), read(a)]).toEqual(['hello ', 'world']);
    const { frames } = lab.manager;
    write(aIn, 'x');
    const frame = a.pipe.buffers[0]?.frame as number;
    lab.call((cpu, caller) => tee(cpu, caller, a, bIn, 9, SPLICE_F_NONBLOCK));
    expect([b.pipe.buffers[0]?.frame, frames.count(frame)]).toEqual([frame, 2]);
  });

  it('do not append to pages that were spliced', () => {
    const { lab, a, aIn, b, bIn, write, read } = withPipes();
    write(aIn, 'ab');
    lab.call((cpu, caller) => tee(cpu, caller, a, bIn, 2, SPLICE_F_NONBLOCK));
    write(bIn, 'c');
    expect([b.pipe.buffers.length, read(b), read(a)]).toEqual([2, 'abc', 'ab']);
  });

  it.each([
    ['splice', splice],
    ['tee', tee],
  ] as const)('%s: wants an end to read from, one to write to, and two pipes', (_name, call) => {
    const { lab, a, aIn, b, bIn, write } = withPipes();
    write(aIn, 'x');
    const from = (x: PipeEnd, y: PipeEnd) => lab.call((cpu, caller) => call(cpu, caller, x, y, 1, SPLICE_F_NONBLOCK));
    expect(from(aIn, bIn), 'the source is not open for reading').toBe(-Errno.EBADF);
    expect(from(a, b), 'the target is not open for writing').toBe(-Errno.EBADF);
    expect(from(a, aIn)).toBe(-Errno.EINVAL);
    expect(from(b, aIn), 'nothing to move').toBe(-Errno.EAGAIN);
    bIn.put(lab.cpu);
    expect(from(b, aIn), 'the end').toBe(0);
    a.put(lab.cpu);
    expect([lab.signals]).toEqual([[]]);
  });

  it('raise SIGPIPE where nobody reads', () => {
    const { lab, a, aIn, b, bIn, write } = withPipes();
    write(aIn, 'x');
    b.put(lab.cpu);
    expect(lab.call((cpu, caller) => splice(cpu, caller, a, bIn, 1, SPLICE_F_NONBLOCK))).toBe(-Errno.EPIPE);
    expect(lab.signals).toEqual([Signal.PIPE]);
  });

  it('wait for data and for room, and wake whoever waits for these', () => {
    const { lab, a, aIn, b, bIn, write } = withPipes(0);
    const events: string[] = [];
    lab.actor(function* ({ caller }) {
      events.push(`moved ${yield (cpu) => splice(cpu, caller, a, bIn, 100, 0)}`);
    });
    lab.actor(function* ({ caller, buffer }) {
      const n = yield (cpu) => b.read(cpu, caller, buffer, 100);
      events.push(`read ${lab.text(buffer, n)}`);
    }, 1);
    lab.run();
    expect(events).toEqual([]);
    write(aIn, 'data');
    lab.finish();
    expect(events.sort()).toEqual(['moved 4', 'read data']);
  });

  it('wake a writer whose pipe they have emptied', () => {
    const { lab, a, aIn, bIn } = withPipes(0);
    let written = 0;
    lab.actor(function* ({ caller, buffer }) {
      written = yield (cpu) => aIn.write(cpu, caller, buffer, 17 * PIPE_BUF);
    }, 1);
    lab.run();
    lab.call((cpu, caller) => splice(cpu, caller, a, bIn, 2 * PIPE_BUF, 0));
    lab.finish();
    expect(written).toBe(17 * PIPE_BUF);
  });

  it('let a pipe refer to the caller’s own pages (vmsplice)', () => {
    const { lab, a, aIn, read } = withPipes();
    lab.store(lab.buffer + 100, 'before');
    expect(lab.call((cpu, caller) => vmsplice(cpu, caller, aIn, [{ address: lab.buffer + 100, length: 6 }], SPLICE_F_NONBLOCK))).toBe(6);
    lab.store(lab.buffer + 100, 'behind');
    expect(read(a)).toBe('behind');
    expect(lab.call((cpu, caller) => vmsplice(cpu, caller, aIn, [{ address: 0x1000, length: 6 }], SPLICE_F_NONBLOCK))).toBe(-Errno.EFAULT);
  });

  it('go between pipes and stream sockets: pages by reference, short messages as copies', () => {
    const { lab, a, aIn, b, bIn, write, read } = withPipes();
    const [near, far] = lab.streams(OpenFlag.NONBLOCK);
    write(aIn, 'by reference');
    expect(lab.call((cpu, caller) => spliceToSocket(cpu, caller, a, near, 100, SPLICE_F_NONBLOCK))).toBe(12);
    expect(far.first?.frames).toHaveLength(1);
    expect(lab.call((cpu, caller) => spliceFromSocket(cpu, caller, far, bIn, 5, SPLICE_F_NONBLOCK))).toBe(5);
    expect([read(b), lab.receive(far)]).toEqual(['by re', 'ference']);
    lab.send(near, 'copied');
    expect(lab.call((cpu, caller) => spliceFromSocket(cpu, caller, far, bIn, 100, SPLICE_F_NONBLOCK))).toBe(6);
    expect([read(b), far.unread]).toEqual(['copied', 0]);
    expect(lab.call((cpu, caller) => spliceFromSocket(cpu, caller, far, bIn, 100, SPLICE_F_NONBLOCK))).toBe(-Errno.EAGAIN);
    expect(lab.call((cpu, caller) => spliceToSocket(cpu, caller, aIn, near, 1, SPLICE_F_NONBLOCK))).toBe(-Errno.EBADF);
    expect(lab.call((cpu, caller) => spliceFromSocket(cpu, caller, far, b, 1, SPLICE_F_NONBLOCK))).toBe(-Errno.EBADF);
  });
});
