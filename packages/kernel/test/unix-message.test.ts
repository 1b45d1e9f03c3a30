import { Errno, MessageFlag, SocketOption, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import type { MessageHeader, Program } from '../src/index.js';
import { hear, run, say, textAt } from './support.js';

const { STREAM, DGRAM, SEQPACKET, NONBLOCK } = SocketType;

function* pair(p: Program, type: number): Generator<void, { a: number; b: number; buffer: number }> {
  const a = yield* p.socketpair(type);
  return { a, b: p.second, buffer: yield* p.allocate(0x4_0000) };
}

describe('the send buffer', () => {
  /**
   * Messages of a size that fit into a socket pair before EAGAIN, as counted on Linux 6.18 with net.core.wmem_default at
   * 212,992: each is charged with the memory it takes, not with its bytes.
   */
  const counted = [
    { type: STREAM, size: 1, messages: 278, bytes: 278 },
    { type: STREAM, size: 192, messages: 278, bytes: 53_376 },
    { type: STREAM, size: 256, messages: 167, bytes: 42_752 },
    { type: STREAM, size: 1024, messages: 93, bytes: 95_232 },
    { type: STREAM, size: 3776, messages: 49, bytes: 185_024 },
    { type: STREAM, size: 3777, messages: 44, bytes: 166_188 },
    { type: STREAM, size: 5000, messages: 34, bytes: 170_000 },
    { type: STREAM, size: 10_000, messages: 17, bytes: 170_000 },
    { type: STREAM, size: 40_000, messages: 6, bytes: 236_544 },
    { type: STREAM, size: 150_000, messages: 2, bytes: 223_088 },
    { type: DGRAM, size: 1, messages: 278, bytes: 278 },
    { type: DGRAM, size: 4096, messages: 26, bytes: 106_496 },
    { type: DGRAM, size: 20_000, messages: 11, bytes: 220_000 },
    { type: SEQPACKET, size: 7873, messages: 13, bytes: 102_349 },
    { type: SEQPACKET, size: 150_000, messages: 2, bytes: 300_000 },
  ];
  it.each(counted)('takes $messages messages of $size bytes (type $type)', ({ type, size, messages, bytes }) => {
    run(function* (p) {
      const { a, buffer } = yield* pair(p, type | NONBLOCK);
      let count = 0;
      let total = 0;
      for (;;) {
        const n = yield* p.send(a, buffer, size);
        if (n < 0) break;
        count++;
        total += n;
      }
      expect([count, total]).toEqual([messages, bytes]);
    });
  });

  it('can be set: what is asked for is doubled, within bounds', () => {
    run(function* (p) {
      const { a } = yield* pair(p, STREAM);
      const set = function* (value: number) {
        yield* p.setsockopt(a, SocketOption.SNDBUF, value);
        return yield* p.getsockopt(a, SocketOption.SNDBUF);
      };
      expect([yield* set(10_000), yield* set(0), yield* set(1_000_000)]).toEqual([20_000, 4608, 425_984]);
    });
  });
});

describe('sockets with message borders', () => {
  it.each([DGRAM, SEQPACKET])('give one message per receive, cut to the buffer (type %i)', (type) => {
    run(function* (p) {
      const { a, b, buffer } = yield* pair(p, type);
      for (const text of ['one', 'two', 'three', '']) yield* say(p, a, buffer, text);
      expect([yield* hear(p, b, buffer), yield* hear(p, b, buffer, 2)]).toEqual(['one', 'tw']);
      expect(yield* p.recv(b, buffer, 1, MessageFlag.TRUNC)).toBe(5);
      expect(yield* hear(p, b, buffer)).toBe('');
    });
  });

  it('lets datagrams be sent to a name, from a name, by anyone; a connected socket hears its peer only', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const [one, two, three] = [yield* p.socket(DGRAM), yield* p.socket(DGRAM), yield* p.socket(DGRAM)];
      yield* p.bind(one, '/run/one');
      yield* p.bind(two, '\0two');
      const segments = [{ address: buffer, length: 4 }];
      expect(yield* p.sendmsg(two, { segments, name: '/run/one' })).toBe(4);
      const header: MessageHeader = { segments };
      expect(yield* p.recvmsg(one, header)).toBe(4);
      expect(header.name).toBe('\0two');
      expect(yield* p.sendmsg(two, { segments, name: '/run/none' })).toBe(-Errno.ENOENT);
      expect(yield* p.sendmsg(two, { segments, name: '\0none' })).toBe(-Errno.ECONNREFUSED);
      expect(yield* p.send(two, buffer, 4)).toBe(-Errno.ENOTCONN);
      expect(yield* p.connect(one, '\0two')).toBe(0);
      expect(yield* p.sendmsg(three, { segments, name: '/run/one' })).toBe(-Errno.EPERM);
      expect(yield* p.connect(yield* p.socket(STREAM), '/run/one')).toBe(-Errno.EPROTOTYPE);
    });
  });

  it('lets eleven datagrams of strangers wait, then EAGAIN', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const receiver = yield* p.socket(DGRAM);
      yield* p.bind(receiver, '\0mailbox');
      const sender = yield* p.socket(DGRAM | NONBLOCK);
      yield* p.connect(sender, '\0mailbox');
      let count = 0;
      while ((yield* p.send(sender, buffer, 1)) === 1) count++;
      expect(count).toBe(11);
      yield* p.close(receiver);
      expect([yield* p.send(sender, buffer, 1), yield* p.send(sender, buffer, 1)]).toEqual([-Errno.ECONNREFUSED, -Errno.ENOTCONN]);
    });
  });

  it('connects and accepts SOCK_SEQPACKET as a stream, and ends it with an empty read', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const listener = yield* p.socket(SEQPACKET);
      yield* p.bind(listener, '/run/packets');
      yield* p.listen(listener, 1);
      const client = yield* p.socket(SEQPACKET);
      expect(yield* p.send(client, buffer, 1)).toBe(-Errno.ENOTCONN);
      yield* p.connect(client, '/run/packets');
      const server = yield* p.accept(listener, NONBLOCK);
      yield* say(p, client, buffer, 'packet');
      expect([yield* hear(p, server, buffer), yield* hear(p, server, buffer)]).toEqual(['packet', -Errno.EAGAIN]);
      yield* p.close(client);
      expect(yield* hear(p, server, buffer)).toBe('');
    });
  });
});

describe('SCM_RIGHTS', () => {
  it('gives another process a descriptor of its own for the same file', () => {
    run(function* (p) {
      const { a, b, buffer } = yield* pair(p, STREAM);
      yield* p.fork(function* (child) {
        const from = yield* child.pipe();
        const segments = [{ address: buffer, length: 1 }];
        yield* child.sendmsg(a, { segments, descriptors: [from] });
        yield* say(child, child.second, buffer, 'through the pipe');
      });
      const header: MessageHeader = { segments: [{ address: buffer, length: 16 }], room: 4 };
      expect(yield* p.recvmsg(b, header)).toBe(1);
      expect(header.descriptors).toEqual([2]);
      expect(yield* hear(p, 2, buffer)).toBe('through the pipe');
      expect(yield* hear(p, 2, buffer)).toBe('');
      yield* p.wait();
    });
  });

  it('ends a receive of a stream at the message that brought descriptors', () => {
    run(function* (p) {
      const { a, b, buffer } = yield* pair(p, STREAM);
      yield* say(p, a, buffer, 'ab');
      yield* p.sendmsg(a, { segments: [{ address: buffer, length: 2 }], descriptors: [a] });
      yield* say(p, a, buffer, 'cd');
      const header: MessageHeader = { segments: [{ address: buffer, length: 16 }], room: 1 };
      expect([yield* p.recvmsg(b, header), header.descriptors]).toEqual([4, [2]]);
      expect(yield* hear(p, b, buffer)).toBe('cd');
    });
  });

  it('closes what there is no room for, and says so: MSG_CTRUNC; a plain read loses all', () => {
    run(function* (p) {
      const { a, b, buffer } = yield* pair(p, STREAM);
      const from = yield* p.pipe();
      const to = p.second;
      const segments = [{ address: buffer, length: 1 }];
      yield* p.sendmsg(a, { segments, descriptors: [to, to] });
      yield* p.sendmsg(a, { segments, descriptors: [to] });
      yield* p.close(to);
      const header: MessageHeader = { segments, room: 1 };
      yield* p.recvmsg(b, header);
      expect([header.descriptors, header.flags]).toEqual([[to], MessageFlag.CTRUNC]);
      yield* p.close(to);
      yield* p.read(b, buffer, 1);
      // Nobody holds the writing end any more.
      expect(yield* p.read(from, buffer, 1)).toBe(0);
      expect(yield* p.sendmsg(a, { segments, descriptors: [99] })).toBe(-Errno.EBADF);
    });
  });
});

describe('sendmsg and recvmsg', () => {
  it('gather and scatter', () => {
    run(function* (p) {
      const { a, b, buffer } = yield* pair(p, DGRAM);
      yield* p.storeBytes(buffer, new TextEncoder().encode('..one...two'));
      const sent = yield* p.sendmsg(a, {
        segments: [
          { address: buffer + 2, length: 3 },
          { address: buffer + 8, length: 3 },
        ],
      });
      const into = [
        { address: buffer + 100, length: 4 },
        { address: buffer + 200, length: 10 },
      ];
      expect([sent, yield* p.recvmsg(b, { segments: into })]).toEqual([6, 6]);
      expect([yield* textAt(p, buffer + 100, 4), yield* textAt(p, buffer + 200, 2)]).toEqual(['onet', 'wo']);
    });
  });

  it('tell who sent a message, if the receiver asked for it', () => {
    run(function* (p) {
      const { a, b, buffer } = yield* pair(p, STREAM);
      yield* p.setsockopt(b, SocketOption.PASSCRED, 1);
      const child = yield* p.fork(function* (q) {
        yield* say(q, a, buffer, 'me');
      });
      const header: MessageHeader = { segments: [{ address: buffer, length: 16 }] };
      yield* p.recvmsg(b, header);
      expect(header.credentials).toEqual({ pid: child, uid: 0, gid: 0 });
      yield* p.wait();
    });
  });
});
