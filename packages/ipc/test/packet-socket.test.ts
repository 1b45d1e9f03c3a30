import { Errno, MessageFlag, OpenFlag, Poll, SocketType } from '@rpal/uapi';
import { begin, PollItem, PollOperation } from '@rpal/vfs';
import { describe, expect, it } from 'vitest';
import { IpcStep, UnixPacketSocket } from '../src/index.js';
import { SocketLab } from './lab.js';

const WRITABLE = Poll.OUT | Poll.WRNORM | Poll.WRBAND;
const { NONBLOCK } = OpenFlag;

describe.each([
  ['datagram', SocketType.DGRAM],
  ['seqpacket', SocketType.SEQPACKET],
])('a %s socket', (_kind, type) => {
  it('keeps the borders of messages: what does not fit is lost, and said', () => {
    const lab = new SocketLab();
    const [a, b] = lab.packets(type, NONBLOCK);
    expect([lab.send(a, 'first'), lab.send(a, ''), lab.send(a, 'third')]).toEqual([5, 0, 5]);
    const cut = lab.receiveMessage(b, 3);
    expect([cut.text, cut.message.flags]).toEqual(['fir', MessageFlag.TRUNC]);
    expect([lab.receive(b), lab.receive(b), lab.receive(b)]).toEqual(['', 'third', -Errno.EAGAIN]);
  });

  it('tells the length of a message that is longer than asked for (MSG_TRUNC), and shows it (MSG_PEEK)', () => {
    const lab = new SocketLab();
    const [a, b] = lab.packets(type, NONBLOCK);
    lab.send(a, 'message');
    const look = (flags: number) => lab.call((cpu, caller) => b.receive(cpu, caller, lab.buffer, 2, flags));
    expect([look(MessageFlag.PEEK), look(MessageFlag.PEEK | MessageFlag.TRUNC), look(MessageFlag.TRUNC), look(0)]).toEqual([
      2,
      7,
      7,
      -Errno.EAGAIN,
    ]);
  });

  it('refuses a message that is larger than its buffer, and has no room when that is full', () => {
    const lab = new SocketLab();
    const [a] = lab.packets(type, NONBLOCK);
    lab.call((cpu) => {
      a.setSendBuffer(cpu, 4000);
      return 0;
    });
    const send = (length: number) => lab.call((cpu, caller) => a.send(cpu, caller, lab.buffer, length, 0));
    expect([send(8000 - 31), send(8000 - 32), send(1)]).toEqual([-Errno.EMSGSIZE, 7968, -Errno.EAGAIN]);
    expect(lab.call((cpu) => a.poll(cpu, null)) & WRITABLE).toBe(0);
  });

  it('charges for each message that it makes, and for none that it cannot', () => {
    const lab = new SocketLab();
    const [a] = lab.packets(type, NONBLOCK);
    let sent = 0;
    for (; lab.send(a, 'x') === 1; sent++);
    expect(sent).toBeGreaterThan(1);
    expect(lab.spentOn(IpcStep.packetSend)).toBe(sent * (lab.cpu.costs.step[IpcStep.packetSend] as number));
  });

  it('wakes a reader with a message, and a writer with room', () => {
    const lab = new SocketLab();
    const [a, b] = lab.packets(type);
    let got = 0;
    let sent = 0;
    lab.actor(function* ({ caller, buffer }) {
      for (; sent < 400; sent++) yield (cpu) => a.send(cpu, caller, buffer, 1000, 0);
    }, 1);
    lab.run();
    expect(sent).toBeLessThan(400);
    lab.actor(function* ({ caller, buffer }) {
      for (; got < 400; got++) yield (cpu) => b.receive(cpu, caller, buffer, 1000, 0);
    });
    lab.finish();
    expect([sent, got]).toEqual([400, 400]);
  });
});

describe('a datagram socket', () => {
  const named = (lab: SocketLab, path: string) => {
    const socket = new UnixPacketSocket(lab.sockets, SocketType.DGRAM, NONBLOCK).get();
    lab.call((cpu) => socket.bind(cpu, path));
    return socket;
  };

  it('sends to whomever it names, and the receiver learns from whom it was', () => {
    const lab = new SocketLab();
    const server = named(lab, '/server');
    const client = named(lab, '/client');
    expect(lab.sendMessage(client, 'hello', { name: '/server' })).toBe(5);
    expect(lab.receiveMessage(server)).toMatchObject({ text: 'hello', message: { name: '/client' } });
    expect([lab.send(client, 'x'), lab.sendMessage(client, 'x', { name: '/nobody' })]).toEqual([-Errno.ENOTCONN, -Errno.ENOENT]);
  });

  it('that is connected takes messages from its peer only', () => {
    const lab = new SocketLab();
    const [a, b, c] = ['/a', '/b', '/c'].map((path) => named(lab, path)) as [UnixPacketSocket, UnixPacketSocket, UnixPacketSocket];
    const connect = (socket: UnixPacketSocket, path: string) => lab.call((cpu, caller) => socket.connect(cpu, caller, path));
    expect(connect(a, '/b')).toBe(0);
    expect([lab.sendMessage(b, 'x', { name: '/a' }), lab.sendMessage(c, 'x', { name: '/a' }), connect(c, '/a')]).toEqual([
      1,
      -Errno.EPERM,
      -Errno.EPERM,
    ]);
  });

  it('holds eleven messages of senders that it is not connected to; its peer may send more', () => {
    const lab = new SocketLab();
    const server = named(lab, '/server');
    const stranger = named(lab, '/stranger');
    let sent = 0;
    while (lab.sendMessage(stranger, 'x', { name: '/server' }) === 1) sent++;
    expect([sent, server.queued]).toEqual([11, 11]);
    const peer = named(lab, '/peer');
    lab.call((cpu, caller) => server.connect(cpu, caller, '/peer'));
    expect(lab.sendMessage(peer, 'x', { name: '/server' })).toBe(1);
  });

  it('that has connected to a full one is told when that has room', () => {
    const lab = new SocketLab();
    const server = named(lab, '/server');
    const client = named(lab, '/client');
    lab.call((cpu, caller) => client.connect(cpu, caller, '/server'));
    while (lab.send(client, 'x') === 1);
    expect(lab.call((cpu) => client.poll(cpu, null)) & WRITABLE).toBe(0);
    expect(client.relay.queue).toBe(server.peerWait);
    lab.receive(server);
    expect(client.relay.queue).toBeNull();
    expect(lab.call((cpu) => client.poll(cpu, null)) & WRITABLE).toBe(WRITABLE);
  });

  it('that polls for room in a queue that others have filled is woken when there is some', () => {
    const lab = new SocketLab();
    const server = named(lab, '/server');
    const client = named(lab, '/client');
    lab.call((cpu, caller) => client.connect(cpu, caller, '/server'));
    const stranger = named(lab, '/stranger');
    while (lab.sendMessage(stranger, 'x', { name: '/server' }) === 1);
    const got: number[] = [];
    lab.actor(function* ({ caller }) {
      const fd = lab.files.install(lab.cpu, client);
      const items = [new PollItem(fd, client, Poll.OUT)];
      got.push(yield (cpu) => begin(cpu, caller, new PollOperation(caller, lab.scheduler, lab.files, items, 0, -1, (_cpu, n) => n)));
    }, 1);
    lab.run();
    expect(got).toEqual([]);
    lab.receive(server);
    lab.finish();
    expect(got).toEqual([1]);
  });

  it('loses its peer with the first message that finds it closed', () => {
    const lab = new SocketLab();
    const [a, b] = lab.packets(SocketType.DGRAM, NONBLOCK);
    b.put(lab.cpu);
    expect([lab.send(a, 'x'), lab.send(a, 'x')]).toEqual([-Errno.ECONNREFUSED, -Errno.ENOTCONN]);
  });

  it('cannot listen or accept', () => {
    const lab = new SocketLab();
    const socket = named(lab, '/a');
    expect(lab.call((cpu) => socket.listen(cpu, 1))).toBe(-Errno.EOPNOTSUPP);
    expect(lab.call((cpu, caller) => socket.accept(cpu, caller, () => 0))).toBe(-Errno.EOPNOTSUPP);
  });
});

describe('a seqpacket socket', () => {
  it('is connected or nothing', () => {
    const lab = new SocketLab();
    const socket = new UnixPacketSocket(lab.sockets, SocketType.SEQPACKET, NONBLOCK).get();
    expect([lab.send(socket, 'x'), lab.receive(socket)]).toEqual([-Errno.ENOTCONN, -Errno.ENOTCONN]);
  });

  it('is at its end when the peer is gone: EPIPE without a signal', () => {
    const lab = new SocketLab();
    const [a, b] = lab.packets(SocketType.SEQPACKET, NONBLOCK);
    b.put(lab.cpu);
    expect([lab.send(a, 'x'), lab.signals, lab.receive(a)]).toEqual([-Errno.EPIPE, [], '']);
  });
});
