import { Errno, MessageFlag, OpenFlag, Poll, Shutdown, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { EventFd, IpcStep, SEND_BUFFER_DEFAULT, SocketState, UnixStreamSocket } from '../src/index.js';
import { SocketLab } from './lab.js';

const READABLE = Poll.IN | Poll.RDNORM;
const WRITABLE = Poll.OUT | Poll.WRNORM | Poll.WRBAND;

function withPair(flags: number = OpenFlag.NONBLOCK) {
  const lab = new SocketLab();
  const [a, b] = lab.streams(flags);
  const poll = (socket: UnixStreamSocket) => lab.call((cpu) => socket.poll(cpu, null));
  return { lab, a, b, poll };
}

describe('a stream socket', () => {
  it('is a stream: messages have no borders', () => {
    const { lab, a, b } = withPair();
    lab.send(a, 'hello ');
    lab.send(a, 'world');
    expect([b.unread, lab.receive(b, 8), lab.receive(b), lab.receive(b)]).toEqual([11, 'hello wo', 'rld', -Errno.EAGAIN]);
  });

  it('goes both ways', () => {
    const { lab, a, b } = withPair();
    lab.send(a, 'ping');
    lab.send(b, 'pong');
    expect([lab.receive(a), lab.receive(b)]).toEqual(['pong', 'ping']);
  });

  it('shows what there is without taking it (MSG_PEEK)', () => {
    const { lab, a, b } = withPair();
    lab.send(a, 'ab');
    lab.send(a, 'cd');
    expect([lab.receive(b, 3, MessageFlag.PEEK), lab.receive(b, 9)]).toEqual(['abc', 'abcd']);
  });

  it('has room for as many messages as the memory that they take allows, and tells when a quarter is taken', () => {
    const { lab, a, b, poll } = withPair();
    let sent = 0;
    for (; lab.send(a, 'x') === 1; sent++);
    // A head of 512 bytes and an sk_buff of 256 each.
    expect(sent).toBe(Math.ceil(SEND_BUFFER_DEFAULT / 768));
    expect([lab.send(a, 'x'), poll(a)]).toEqual([-Errno.EAGAIN, 0]);
    const taken = Math.ceil((sent * 3) / 4);
    for (let i = 0; i < taken - 1; i++) lab.receive(b, 1);
    expect(poll(a)).toBe(0);
    for (let i = 0; i < 2; i++) lab.receive(b, 1);
    expect(poll(a)).toBe(WRITABLE);
  });

  it('says by poll what can be done and how the other side is', () => {
    const { lab, a, b, poll } = withPair();
    expect([poll(a), poll(b)]).toEqual([WRITABLE, WRITABLE]);
    lab.send(a, 'x');
    expect(poll(b)).toBe(READABLE | WRITABLE);
    lab.call((cpu) => a.shutdown(cpu, Shutdown.WR));
    expect([poll(a), poll(b)]).toEqual([WRITABLE, READABLE | WRITABLE | Poll.RDHUP]);
    lab.receive(b);
    a.put(lab.cpu);
    expect(poll(b)).toBe(READABLE | WRITABLE | Poll.RDHUP | Poll.HUP);
  });

  it('is broken after a shutdown or the end of the other side: EPIPE, and SIGPIPE unless it is not wanted', () => {
    const { lab, a, b } = withPair();
    lab.call((cpu) => b.shutdown(cpu, Shutdown.RD));
    expect([lab.send(a, 'x', MessageFlag.NOSIGNAL), lab.signals]).toEqual([-Errno.EPIPE, []]);
    expect([lab.send(a, 'x'), lab.signals, lab.receive(a)]).toEqual([-Errno.EPIPE, [Signal.PIPE], -Errno.EAGAIN]);
    b.put(lab.cpu);
    expect(lab.receive(a), 'the end').toBe('');
  });

  it('is reset if the other side goes without having read everything, and says so once', () => {
    const { lab, a, b, poll } = withPair();
    lab.send(a, 'unread');
    b.put(lab.cpu);
    expect(poll(a) & Poll.ERR).toBe(Poll.ERR);
    expect([lab.receive(a), lab.receive(a)]).toEqual([-Errno.ECONNRESET, '']);
  });

  it('passes descriptors on, and ends a receive behind them', () => {
    const { lab, a, b } = withPair();
    const file = new EventFd(lab.scheduler, 0, 0).get();
    lab.sendMessage(a, 'one', { files: [file, file] });
    lab.send(a, 'two');
    expect(file.count).toBe(3);
    const { text, message } = lab.receiveMessage(b);
    expect([text, message.files]).toEqual(['one', [file, file]]);
    expect(lab.receiveMessage(b)).toMatchObject({ text: 'two', message: { files: null } });
  });

  it('lets descriptors go that nobody can take: with a plain read, and with the socket', () => {
    const { lab, a, b } = withPair();
    const file = new EventFd(lab.scheduler, 0, 0).get();
    lab.sendMessage(a, 'x', { files: [file] });
    lab.receive(b);
    expect(file.count).toBe(1);
    lab.sendMessage(a, 'x', { files: [file] });
    b.put(lab.cpu);
    expect(file.count).toBe(1);
  });

  it('is nobody’s end before it is connected: ENOTCONN to send, EINVAL to receive, and no signal', () => {
    const lab = new SocketLab();
    const socket = new UnixStreamSocket(lab.sockets, OpenFlag.NONBLOCK).get();
    expect([lab.send(socket, 'x'), lab.receive(socket), lab.signals]).toEqual([-Errno.ENOTCONN, -Errno.EINVAL, []]);
  });

  it('charges for each message that it makes, and for none that it cannot', () => {
    const { lab, a } = withPair();
    let sent = 0;
    for (; lab.send(a, 'x') === 1; sent++);
    expect(lab.spentOn(IpcStep.sendMessage)).toBe(sent * (lab.cpu.costs.step[IpcStep.sendMessage] as number));
  });

  it('with SO_PASSCRED shows (MSG_PEEK) only what one sender has sent', () => {
    const { lab, a, b } = withPair();
    b.passCredentials = true;
    lab.send(a, 'ab');
    lab.send(a, 'cd');
    const other = { ...lab.caller, credentials: { pid: 99, uid: 5, gid: 5 } };
    lab.call((cpu) => a.send(cpu, other, lab.buffer, lab.store(lab.buffer, 'ef'), 0));
    expect([lab.receive(b, 9, MessageFlag.PEEK), lab.receive(b), lab.receive(b, 9, MessageFlag.PEEK)]).toEqual(['abcd', 'abcd', 'ef']);
  });

  it('with SO_PASSCRED says who sent, and ends a receive where somebody else goes on', () => {
    const { lab, a, b } = withPair();
    b.passCredentials = true;
    const other = { ...lab.caller, credentials: { pid: 99, uid: 5, gid: 5 } };
    const send = (caller: typeof other) => lab.call((cpu) => a.send(cpu, caller, lab.buffer, 1, 0));
    lab.store(lab.buffer, 'x');
    send({ ...lab.caller });
    send({ ...lab.caller });
    send(other);
    const first = lab.receiveMessage(b);
    const second = lab.receiveMessage(b);
    expect([first.result, first.message.credentials]).toEqual([2, lab.caller.credentials]);
    expect([second.result, second.message.credentials]).toEqual([1, other.credentials]);
  });
});

describe('a connection', () => {
  const path = '/tmp/socket';

  function withListener(backlog: number, flags: number = OpenFlag.NONBLOCK) {
    const lab = new SocketLab({}, 3);
    const make = () => new UnixStreamSocket(lab.sockets, flags).get();
    const listener = make();
    const connect = (socket: UnixStreamSocket, name = path) => lab.call((cpu, caller) => socket.connect(cpu, caller, name));
    const accept = () => {
      let accepted: UnixStreamSocket | null = null;
      const result = lab.call((cpu, caller) =>
        listener.accept(cpu, caller, (_cpu, socket) => {
          accepted = socket.get() as UnixStreamSocket;
          return 7;
        }),
      );
      return { result, socket: accepted as UnixStreamSocket | null };
    };
    lab.call((cpu) => listener.bind(cpu, path));
    lab.call((cpu) => listener.listen(cpu, backlog));
    return { lab, make, listener, connect, accept };
  }

  it('waits in the backlog, and carries data before it is accepted', () => {
    const { lab, make, listener, connect, accept } = withListener(2);
    const client = make();
    expect([connect(client), client.state, lab.send(client, 'early'), listener.unread]).toEqual([
      0,
      SocketState.CONNECTED,
      5,
      -Errno.EINVAL,
    ]);
    expect(lab.call((cpu) => listener.poll(cpu, null))).toBe(READABLE);
    const { result, socket } = accept();
    expect([result, lab.receive(socket as UnixStreamSocket), accept().result]).toEqual([7, 'early', -Errno.EAGAIN]);
  });

  it('is refused where nobody listens, and where the backlog is full', () => {
    const { make, connect } = withListener(1);
    expect([connect(make(), '/tmp/nobody'), connect(make(), '\0abstract')]).toEqual([-Errno.ENOENT, -Errno.ECONNREFUSED]);
    expect([connect(make()), connect(make()), connect(make())]).toEqual([0, 0, -Errno.EAGAIN]);
  });

  it('cannot be made twice, nor accepted from a socket that does not listen', () => {
    const { lab, make, connect } = withListener(4);
    const client = make();
    connect(client);
    expect(connect(client)).toBe(-Errno.EISCONN);
    expect(lab.call((cpu, caller) => client.accept(cpu, caller, () => 0))).toBe(-Errno.EINVAL);
    expect(lab.call((cpu) => client.listen(cpu, 1))).toBe(-Errno.EINVAL);
  });

  it('is reset if the listener goes before it was accepted; its path then leads nowhere until it is unlinked', () => {
    const { lab, make, listener, connect } = withListener(4);
    const client = make();
    connect(client);
    listener.put(lab.cpu);
    expect(lab.receive(client)).toBe(-Errno.ECONNRESET);
    const other = make();
    expect([connect(make()), lab.call((cpu) => other.bind(cpu, path))]).toEqual([-Errno.ECONNREFUSED, -Errno.EADDRINUSE]);
    expect([lab.sockets.names.unlink(path), lab.sockets.names.unlink(path), lab.call((cpu) => other.bind(cpu, path))]).toEqual([
      0,
      -Errno.ENOENT,
      0,
    ]);
  });

  it('is waited for by accept, and by connect where the backlog is full', () => {
    const { lab, make, listener } = withListener(0, 0);
    const events: string[] = [];
    for (const name of ['first', 'second']) {
      const client = make();
      lab.actor(function* ({ caller }) {
        yield (cpu) => client.connect(cpu, caller, path);
        events.push(`${name} is connected`);
      }, 1);
      lab.run();
    }
    expect(events).toEqual(['first is connected']);
    lab.actor(function* ({ caller }) {
      for (let i = 0; i < 3; i++) {
        yield (cpu) => listener.accept(cpu, caller, (_cpu, socket) => socket.get() && 0);
        events.push('accepted');
      }
    });
    lab.run();
    expect(events.slice(1).sort()).toEqual(['accepted', 'accepted', 'second is connected']);
    const late = make();
    lab.call((cpu, caller) => late.connect(cpu, caller, path));
    lab.finish();
    expect(events.at(-1)).toBe('accepted');
  });

  it('that waits for a full backlog is made when the listener asks for a longer one', () => {
    const { lab, make, listener } = withListener(0, 0);
    lab.call((cpu, caller) => make().connect(cpu, caller, path));
    const results: number[] = [];
    lab.actor(function* ({ caller }) {
      results.push(yield (cpu) => make().connect(cpu, caller, path));
    }, 1);
    lab.run();
    lab.call((cpu) => listener.listen(cpu, 0));
    lab.run();
    expect([results, listener.backlog.length], 'as long as it was').toEqual([[], 1]);
    lab.call((cpu) => listener.listen(cpu, 1));
    lab.finish();
    expect([results, listener.backlog.length]).toEqual([[0], 2]);
  });

  it('takes over SO_PASSCRED when it is accepted, or in Linux 6.16 when it is made', () => {
    for (const connectInheritsOptions of [false, true]) {
      const lab = new SocketLab({ connectInheritsOptions });
      const listener = new UnixStreamSocket(lab.sockets, OpenFlag.NONBLOCK).get();
      lab.call((cpu) => listener.bind(cpu, path));
      lab.call((cpu) => listener.listen(cpu, 1));
      listener.passCredentials = true;
      const client = new UnixStreamSocket(lab.sockets, OpenFlag.NONBLOCK).get();
      lab.call((cpu, caller) => client.connect(cpu, caller, path));
      listener.passCredentials = false;
      expect([client.peer?.passCredentials, client.peer?.tellsSender]).toEqual([connectInheritsOptions, connectInheritsOptions || true]);
      lab.call((cpu, caller) => listener.accept(cpu, caller, (_cpu, socket) => socket.get() && 0));
      expect(client.peer?.passCredentials).toBe(connectInheritsOptions);
    }
  });
});

describe('a stream socket that is waited for', () => {
  it('wakes its reader with data, with the end, and with an error', () => {
    for (const [what, wanted] of [
      ['data', 1],
      ['end', 0],
      ['reset', -Errno.ECONNRESET],
    ] as const) {
      const { lab, a, b } = withPair(0);
      const got: number[] = [];
      if (what === 'reset') lab.send(a, 'unread');
      lab.actor(function* ({ caller, buffer }) {
        got.push(yield (cpu) => a.receive(cpu, caller, buffer, 10, 0));
      }, 1);
      lab.run();
      expect(got).toEqual([]);
      if (what === 'data') lab.send(b, 'x');
      else b.put(lab.cpu);
      lab.finish();
      expect(got).toEqual([wanted]);
    }
  });

  it('wakes its writer when the reader has made room', () => {
    const { lab, a, b } = withPair(0);
    const size = 100_000;
    let sent = 0;
    lab.actor(function* ({ caller, buffer }) {
      for (let i = 0; i < 4; i++) sent += yield (cpu) => a.send(cpu, caller, buffer, size, 0);
    }, 1);
    lab.run();
    expect(sent).toBeLessThan(4 * size);
    let got = 0;
    lab.actor(function* ({ caller, buffer }) {
      while (got < 4 * size) got += yield (cpu) => b.receive(cpu, caller, buffer, 50_000, 0);
    });
    lab.finish();
    expect([sent, got]).toEqual([4 * size, 4 * size]);
  });

  it('waits for all that was asked for with MSG_WAITALL', () => {
    const { lab, a, b } = withPair(0);
    const got: number[] = [];
    lab.actor(function* ({ caller, buffer }) {
      got.push(yield (cpu) => b.receive(cpu, caller, buffer, 6, MessageFlag.WAITALL));
    }, 1);
    lab.send(a, 'abc');
    lab.run();
    expect(got).toEqual([]);
    lab.send(a, 'def');
    lab.finish();
    expect(got).toEqual([6]);
  });
});
