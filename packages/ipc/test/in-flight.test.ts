import { OpenFlag } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { EventFd, type UnixStreamSocket } from '../src/index.js';
import { SocketLab } from './lab.js';

function withSockets() {
  const lab = new SocketLab();
  const { inFlight } = lab.sockets;
  const close = (...sockets: UnixStreamSocket[]) => {
    for (const socket of sockets) socket.put(lab.cpu);
  };
  /** Long enough for the collector, and a tick later for what it frees. */
  const settle = () => lab.run(3e7);
  return { lab, inFlight, close, settle, pair: () => lab.streams(OpenFlag.NONBLOCK) };
}

describe('sockets in flight', () => {
  it('are counted while they are in messages', () => {
    const { lab, inFlight, pair } = withSockets();
    const [a, b] = pair();
    const [c] = pair();
    lab.sendMessage(a, 'x', { files: [c, c] });
    expect([inFlight.total, c.receivers]).toEqual([2, [b, b]]);
    lab.receiveMessage(b);
    expect([inFlight.total, c.receivers]).toEqual([0, []]);
  });

  it('do not count other files', () => {
    const { lab, inFlight, pair } = withSockets();
    const [a] = pair();
    lab.sendMessage(a, 'x', { files: [new EventFd(lab.scheduler, 0, 0).get()] });
    expect(inFlight.total).toBe(0);
  });

  it('that hold each other and that nobody can receive are collected, and what they hold with them', () => {
    const { lab, inFlight, close, settle, pair } = withSockets();
    const [a, b] = pair();
    const event = new EventFd(lab.scheduler, 0, 0).get();
    lab.sendMessage(a, 'x', { files: [a] });
    lab.sendMessage(b, 'x', { files: [b] });
    lab.sendMessage(a, 'x', { files: [event] });
    close(a, b);
    expect([a.dead, b.dead, inFlight.total, event.count, inFlight.holdsGarbage]).toEqual([false, false, 2, 2, true]);
    settle();
    expect([a.dead, inFlight.collections], 'the collector looks when a socket is released').toEqual([false, 0]);
    close(pair()[0]);
    settle();
    expect([a.dead, b.dead, inFlight.total, event.count, inFlight.collections]).toEqual([true, true, 0, 1, 1]);
  });

  it('that somebody can still receive stay', () => {
    const { lab, inFlight, close, settle, pair } = withSockets();
    const [a, b] = pair();
    const [c, d] = pair();
    lab.sendMessage(a, 'x', { files: [a] });
    lab.sendMessage(b, 'x', { files: [b] });
    // A way in from outside: the circle can be received by d.
    lab.sendMessage(c, 'x', { files: [a] });
    close(a, b);
    pair()[0].put(lab.cpu);
    settle();
    expect([a.dead, b.dead, inFlight.collections]).toEqual([false, false, 0]);
    close(d);
    settle();
    expect([a.dead, b.dead, inFlight.total]).toEqual([true, true, 0]);
  });

  it('may be a single one that is in its own queue', () => {
    const { lab, close, settle, inFlight, pair } = withSockets();
    const [a, b] = pair();
    lab.sendMessage(a, 'x', { files: [b] });
    close(a, b);
    settle();
    expect([a.dead, b.dead, inFlight.total]).toEqual([true, true, 0]);
  });
});
