import { Time } from '@rpal/kernel';
import { Errno, LinuxCall, MessageFlag, Poll, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { long, MEMORY, NOWHERE, peek, poke, type Step, sameAsLinux } from './real/same-as-linux.js';
import { run } from './support.js';

/** Where the tests keep values, lengths and data. */
const VALUE = MEMORY + 64;
const LENGTH = MEMORY + 128;
const DATA = MEMORY + 1024;
/** The first two descriptors that are free on both sides. */
const A = 3;
const B = 4;
const SOL_SOCKET = 1;
const STREAM_ONLY = 0x40;

const pair = (type: number): Step => ['socketpair', 1, type, 0, MEMORY + 512];
/** Sets an option to 32-bit words, and reads it back as far as `room` bytes of it go. */
const set = (option: number, ...words: number[]): Step[] => [
  poke(VALUE, ...words),
  ['setsockopt', A, SOL_SOCKET, option, VALUE, 4 * words.length],
];
const get = (option: number, room = 4): Step[] => [
  poke(VALUE, -1, -1, -1, -1),
  poke(LENGTH, room),
  ['getsockopt', A, SOL_SOCKET, option, VALUE, LENGTH],
  peek(VALUE, 16),
  peek(LENGTH, 4),
];

describe('options of sockets', () => {
  it.each([SocketType.STREAM, SocketType.DGRAM, SocketType.SEQPACKET])('are kept and read back as on Linux: sockets of type %i', (type) => {
    const steps: Step[] = [pair(type)];
    for (const option of [1, 2, 5, 6, 9, 10, 11, 12, 14, 15, 18, 19, 30, 36, 38, 39, 40, 41, 42, 43, 45, 48])
      for (const value of [0, 1, 7, -1]) steps.push(...set(option, value), ...get(option));
    for (const option of [3, 4, 8, 59, 60, 99]) steps.push(...set(option, 5000), ...get(option, 2));
    // What lies above the limits is left out: they grew in Linux 6.17.
    for (const value of [0, 100, 100_000]) steps.push(...set(8, value), ...get(8), ...set(7, value), ...get(7));
    steps.push(...set(44, 1), ...set(44, 0), ...get(44), ...set(32, 90_000), ...get(7), ...set(33, 3_000_000), ...get(8));
    sameAsLinux(...steps);
  });

  it('that are structures want all of their bytes, and a time that there is', () => {
    const seconds = (sec: number, usec: number) => [...long(sec), ...long(usec)];
    const steps: Step[] = [pair(SocketType.STREAM)];
    for (const option of [20, 21, 66, 67]) {
      for (const time of [seconds(1, 20_000), seconds(0, 0), seconds(0, 1_000_000), seconds(0, -1), seconds(-1, 0), seconds(2 ** 40, 0)])
        steps.push(...set(option, ...time), ...get(option, 16), ...get(option, 7));
      steps.push(['setsockopt', A, SOL_SOCKET, option, VALUE, 8], ['setsockopt', A, SOL_SOCKET, option, NOWHERE, 16]);
    }
    for (const words of [[1, 5], [0, 9], [1, -1], [1]]) steps.push(...set(13, ...words), ...get(13, 8));
    steps.push(...get(57, 8).slice(0, 3), ...get(57, 4));
    steps.push(...get(28, 16), ['getsockopt', A, SOL_SOCKET, 20, NOWHERE, LENGTH], ['getsockopt', A, SOL_SOCKET, 20, VALUE, NOWHERE]);
    sameAsLinux(...steps);
  });

  it('end a wait after their time, with what has come by then', () => {
    sameAsLinux(
      pair(SocketType.STREAM),
      ...set(20, 0, 0, 20_000, 0),
      ['recvfrom', A, DATA, 10, 0, 0, 0],
      ['sendto', B, DATA, 3, 0, 0, 0],
      ['recvfrom', A, DATA, 10, MessageFlag.WAITALL, 0, 0],
      ...set(21, 0, 0, 20_000, 0),
      ...set(7, 0),
      ['sendto', A, DATA, 30_000, 0, 0, 0],
      ['sendto', A, DATA, 1, 0, 0, 0],
      ...set(20, -1, -1, 0, 0),
      ['recvfrom', A, DATA, 10, 0, 0, 0],
    );
    sameAsLinux(
      pair(SocketType.DGRAM),
      ...set(20, 0, 0, 20_000, 0),
      ['recvfrom', A, DATA, 10, 0, 0, 0],
      ...set(21, 0, 0, 20_000, 0),
      ...set(7, 0),
      ['sendto', A, DATA, 2000, 0, 0, 0],
      ['sendto', A, DATA, 2000, 0, 0, 0],
      ['sendto', A, DATA, 2000, 0, 0, 0],
    );
  });

  it('take as long as they say, and a signal ends such a wait with EINTR for good', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.socketpair(SocketType.DGRAM);
      yield* p.store64(at, 0);
      yield* p.store64(at + 8, 20_000);
      yield* p.syscall(LinuxCall.setsockopt, fd, SOL_SOCKET, 20, at, 16);
      const before = p.context.cpu.clock;
      expect(yield* p.recv(fd, at, 10)).toBe(-Errno.EAGAIN);
      const ns = (p.context.cpu.clock - before) / p.context.cpu.costs.tscPerNs;
      expect(ns).toBeGreaterThanOrEqual(20 * Time.ms);
      expect(ns).toBeLessThan(21 * Time.ms);
      yield* p.sigaction(10, function* (q) {
        yield* q.getpid();
      });
      const self = yield* p.getpid();
      yield* p.clone(function* (q) {
        yield* q.sleep(Time.ms);
        yield* q.tgkill(self, self, 10);
      });
      expect(yield* p.recv(fd, at, 10)).toBe(-Errno.EINTR);
    });
  });

  it('let who peeks begin where it left off, and let it wait for more', () => {
    const peeks = (count: number): Step[] => [
      ['recvfrom', A, DATA, count, MessageFlag.PEEK | STREAM_ONLY, 0, 0],
      peek(DATA, 8),
      ...get(42),
    ];
    const reads = (count: number): Step[] => [['recvfrom', A, DATA, count, STREAM_ONLY, 0, 0], peek(DATA, 8), ...get(42)];
    for (const type of [SocketType.STREAM, SocketType.DGRAM, SocketType.SEQPACKET]) {
      sameAsLinux(
        pair(type),
        poke(DATA + 64, 0x0403_0201, 0x0807_0605, 0x0c0b_0a09),
        ...set(42, 0),
        ['sendto', B, DATA + 64, 5, 0, 0, 0],
        ['sendto', B, DATA + 69, 0, 0, 0, 0],
        ['sendto', B, DATA + 69, 4, 0, 0, 0],
        ...peeks(3),
        ...peeks(4),
        ...peeks(2),
        ...peeks(9),
        ...reads(2),
        ...peeks(2),
        ...set(42, 3),
        ...peeks(9),
        ...reads(7),
        ...reads(9),
        ...set(42, -1),
        ['sendto', B, DATA + 64, 5, 0, 0, 0],
        ...peeks(2),
        ...peeks(2),
      );
    }
  });

  it('make a receive from a stream wait for so many bytes', () => {
    sameAsLinux(
      pair(SocketType.STREAM),
      ...set(18, 4),
      ['sendto', B, DATA, 3, 0, 0, 0],
      ['recvfrom', A, DATA, 3, 0, 0, 0],
      ['sendto', B, DATA, 3, 0, 0, 0],
      ['recvfrom', A, DATA, 8, STREAM_ONLY, 0, 0],
      ...set(20, 0, 0, 20_000, 0),
      ['sendto', B, DATA, 3, 0, 0, 0],
      ['sendto', B, DATA, 3, 0, 0, 0],
      ['recvfrom', A, DATA, 3, 0, 0, 0],
      ['recvfrom', A, DATA, 8, 0, 0, 0],
    );
  });
});

describe('urgent bytes of streams', () => {
  const send = (count: number, flags = 0): Step => ['sendto', B, DATA + 64, count, flags, 0, 0];
  const receive = (count: number, flags = 0): Step[] => [
    poke(DATA, 0, 0),
    ['recvfrom', A, DATA, count, flags | STREAM_ONLY, 0, 0],
    peek(DATA, 8),
    poke(VALUE, -1),
    ['ioctl', A, 0x8905, VALUE],
    peek(VALUE, 4),
    poke(VALUE, A, 0x7fff),
    ['poll', VALUE, 1, 0],
    peek(VALUE, 8),
  ];
  const { OOB, PEEK } = MessageFlag;
  const start: Step[] = [pair(SocketType.STREAM), poke(DATA + 64, 0x0403_0201, 0x0807_0605)];

  it.each([0, 1])('are read out of turn, mark where they were, and are lost if nobody asks for them; inline: %i', (inline) => {
    const isOne = (step: Step | Step[]): step is Step => !Array.isArray(step) || typeof step[0] === 'string';
    const flow = (...steps: (Step | Step[])[]): void =>
      sameAsLinux(...start, ...set(10, inline), ...steps.flatMap((step) => (isOne(step) ? [step] : step)));
    flow(receive(1, OOB), send(4, OOB), receive(1, OOB | PEEK), receive(8, PEEK), receive(8), receive(1, OOB), receive(8), receive(8));
    flow(send(2), send(1, OOB), send(3), receive(8, PEEK), receive(8), receive(8, PEEK), receive(8), receive(8));
    flow(send(1, OOB), receive(1, OOB), receive(1, OOB), receive(8, PEEK), receive(8), send(2), receive(8));
    flow(send(2, OOB), receive(1, OOB), send(2), receive(8, PEEK), receive(8), receive(8));
    flow(send(1, OOB), send(1, OOB), send(2), receive(1, OOB), receive(1), receive(8));
    flow(send(1, OOB), receive(1, OOB), send(1, OOB), receive(8, PEEK), receive(1, OOB), send(2), receive(8), receive(8));
    flow(send(3, OOB), receive(8, MessageFlag.WAITALL), receive(8, MessageFlag.WAITALL));
    flow(send(0, OOB), send(1, OOB), receive(0, OOB), receive(8));
    flow(send(1, OOB), ['close', B], receive(8), receive(8));
    flow(send(1, OOB), receive(1, OOB), ['close', A], send(1, MessageFlag.NOSIGNAL), send(1, OOB | MessageFlag.NOSIGNAL));
  });

  it('are for streams only', () => {
    for (const type of [SocketType.DGRAM, SocketType.SEQPACKET]) sameAsLinux(pair(type), send(1, OOB), ...receive(1, OOB));
  });

  it('wake who waits for them alone', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.socketpair(SocketType.STREAM);
      const other = p.second;
      yield* p.clone(function* (q) {
        yield* q.sleep(Time.ms);
        yield* q.send(other, at, 1, OOB);
      });
      yield* p.store32(at + 8, fd);
      yield* p.store32(at + 12, Poll.PRI);
      expect(yield* p.poll(at + 8, 1, 1000)).toBe(1);
      expect((yield* p.load32(at + 12)) >>> 16).toBe(Poll.PRI);
    });
  });
});

describe('connect with an address of no family', () => {
  it('takes a datagram socket away from its peer, and is nothing to sockets with connections', () => {
    const free: Step[] = [poke(MEMORY, 0), ['connect', A, MEMORY, 2]];
    for (const type of [SocketType.DGRAM, SocketType.STREAM, SocketType.SEQPACKET])
      sameAsLinux(
        pair(type),
        ['sendto', B, DATA, 3, 0, 0, 0],
        ['connect', A, MEMORY, 1],
        ...free,
        ['sendto', A, DATA, 3, STREAM_ONLY, 0, 0],
        ['recvfrom', A, DATA, 3, STREAM_ONLY, 0, 0],
        ['sendto', B, DATA, 3, STREAM_ONLY, 0, 0],
        ['sendto', B, DATA, 3, STREAM_ONLY, 0, 0],
        ...free,
        ['connect', A, MEMORY, 200],
        ['connect', A, NOWHERE, 2],
      );
  });
});

describe('series of messages', () => {
  /** Headers with one segment each of `bytes`, and what they are to say of their length. */
  const headers = (...bytes: number[]): Step[] =>
    bytes.flatMap((length, i) => [
      poke(DATA + 64 * i, ...long(0), ...long(0), ...long(DATA + 1024 + 16 * i), ...long(1), 0, 0, 0, 0, 0, 0, -1, -1),
      poke(DATA + 1024 + 16 * i, ...long(DATA + 2048 + 64 * i), ...long(length)),
    ]);
  const lengths: Step[] = [0, 1, 2].map((i) => peek(DATA + 64 * i + 56, 8));

  it.each([SocketType.DGRAM, SocketType.STREAM])('go as far as the first that fails; sockets of type %i', (type) => {
    sameAsLinux(
      pair(type),
      ...headers(5, 6, 7),
      ['sendmmsg', A, DATA, 3, 0],
      ...lengths,
      ...headers(5, 6, 7),
      ['recvmmsg', B, DATA, 3, STREAM_ONLY, 0],
      ...lengths,
      ['recvmmsg', B, DATA, 3, STREAM_ONLY, 0],
      ['sendmmsg', A, DATA, 0, 0],
      ['recvmmsg', A, DATA, 0, 0, 0],
      ['sendmmsg', 99, DATA, 1, 0],
      ['eventfd2', 0, 0],
      ['sendmmsg', 5, DATA, 1, 0],
      ['sendmmsg', A, NOWHERE, 1, 0],
      ...headers(5, 2 ** 40, 7),
      poke(DATA + 64 + 24, ...long(2000)),
      ['sendmmsg', A, DATA, 3, 0],
      ...lengths,
      ['recvmmsg', B, DATA, 2, 0x10000, 0],
      ...lengths,
      ['recvmmsg', B, DATA, 2, 0, NOWHERE],
      poke(VALUE, 0, 0, 1_000_000_000, 0),
      ['recvmmsg', B, DATA, 2, 0, VALUE],
    );
  });

  it('stop at a time that is over, which is looked at after each', () => {
    sameAsLinux(
      pair(SocketType.DGRAM),
      ...headers(5, 6, 7),
      ['sendmmsg', A, DATA, 3, 0],
      poke(VALUE, 0, 0, 0, 0),
      ['recvmmsg', B, DATA, 3, 0, VALUE],
      peek(VALUE, 16),
    );
  });
});
