import type { Cpu } from '@rpal/hw-x86';
import { Errno, MessageFlag } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { run } from '../../../scripts/testing/run.ts';
import { GuestArguments, type Program, SyscallNumber, type Thread } from '../src/index.js';

/** Structures in the memory of a process, as machine code has them, and the reader of them. */
class Guest {
  readonly p: Program;
  readonly args: GuestArguments;
  readonly cpu: Cpu;
  readonly thread: Thread;
  /** Two pages; what is behind them is not mapped. */
  readonly memory: number;

  constructor(p: Program, memory: number) {
    this.p = p;
    this.memory = memory;
    this.args = new GuestArguments(p.context);
    this.cpu = p.context.cpu;
    this.thread = p.context.thread;
  }

  get end(): number {
    return this.memory + 8192;
  }

  *words32(at: number, ...words: readonly number[]): Generator<void, void> {
    for (const [i, word] of words.entries()) yield* this.p.store32(at + 4 * i, word);
  }

  *words64(at: number, ...words: readonly number[]): Generator<void, void> {
    for (const [i, word] of words.entries()) yield* this.p.store64(at + 8 * i, word);
  }

  *text(at: number, text: string): Generator<void, void> {
    yield* this.p.storeBytes(at, new TextEncoder().encode(text));
  }
}

/** What `body` returns, run by a process. */
function inGuest<T>(body: (guest: Guest) => Generator<void, T>): T {
  let result: T | undefined;
  run(function* (p) {
    const memory = yield* p.allocate(3 * 4096);
    yield* p.memset(memory, 0, 3 * 4096);
    yield* p.munmap(memory + 8192, 4096);
    result = yield* body(new Guest(p, memory));
  });
  return result as T;
}

describe('struct sockaddr_un', () => {
  it.each([
    ['a path with its zero', '/tmp/x\0', 9, '/tmp/x'],
    ['a path without one', '/tmp/x', 8, '/tmp/x'],
    ['an abstract name, zeroes included', '\0ab\0c', 7, '\0ab\0c'],
    ['no name', '', 2, ''],
    ['less than a family: no name of this kind', '', 1, null],
    ['more than 110 bytes: no name of this kind', '/x', 111, null],
    ['more than a sockaddr_storage', '/x', 129, -Errno.EINVAL],
  ] as const)('%s', (_what, path, bytes, name) => {
    const seen = inGuest(function* ({ p, args, cpu, thread, memory, text }) {
      yield* p.store16(memory, 1);
      yield* text.call({ p } as Guest, memory + 2, path);
      return args.socketName(cpu, thread, memory, bytes);
    });
    expect(seen).toBe(name);
  });

  it('of another family is none, and one that is not mapped is refused', () => {
    const seen = inGuest(function* ({ p, args, cpu, thread, memory, end }) {
      yield* p.store16(memory, 2);
      return [args.socketName(cpu, thread, memory, 16), args.socketName(cpu, thread, end - 4, 8)];
    });
    expect(seen).toEqual([null, -Errno.EFAULT]);
  });

  it('is stored as far as there is room, and its length in full', () => {
    const seen = inGuest(function* (guest) {
      const { p, args, cpu, thread, memory } = guest;
      const [address, length] = [memory, memory + 200];
      const found: unknown[] = [];
      for (const [room, name] of [
        [100, '/ab'],
        [5, '/ab'],
        [-1, '/ab'],
        [100, '\0a\0'],
        [100, ''],
        [100, null],
      ] as const) {
        yield* p.memset(address, 0x2e, 32);
        yield* p.store32(length, room);
        const result = args.putSocketName(cpu, thread, address, length, name);
        const bytes = new Uint8Array(8);
        yield* p.loadBytes(address, bytes);
        found.push([result, yield* p.load32(length), String.fromCharCode(...bytes)]);
      }
      return found;
    });
    expect(seen).toEqual([
      [0, 6, '\x01\0/ab\0..'],
      [0, 6, '\x01\0/ab...'],
      [-Errno.EINVAL, 0xffff_ffff, '........'],
      [0, 5, '\x01\0\0a\0...'],
      [0, 2, '\x01\0......'],
      [0, 0, '........'],
    ]);
  });
});

describe('struct rlimit64', () => {
  it('has a soft and a hard limit; all ones is none', () => {
    const seen = inGuest(function* (guest) {
      const { args, cpu, thread, memory, end } = guest;
      yield* guest.words32(memory, 1000, 0, 0xffff_ffff, 0xffff_ffff);
      const into = { soft: -1, hard: -1 };
      return [args.limit(cpu, thread, 0, into), args.limit(cpu, thread, end - 8, into), args.limit(cpu, thread, memory, into), into];
    });
    expect(seen).toEqual([0, -Errno.EFAULT, 1, { soft: 1000, hard: Number.POSITIVE_INFINITY }]);
  });

  it('is stored where the fourth argument says', () => {
    const seen = inGuest(function* ({ p, args, cpu, thread, memory }) {
      p.context.a3 = memory;
      const result = args.putLimit(cpu, thread, { soft: 5, hard: Number.POSITIVE_INFINITY });
      const words = [];
      for (let i = 0; i < 4; i++) words.push((yield* p.load32(memory + 4 * i)) >>> 0);
      return [result, words];
    });
    expect(seen).toEqual([0, [5, 0, 0xffff_ffff, 0xffff_ffff]]);
  });
});

describe('struct mq_attr', () => {
  it('says how many messages, and how long', () => {
    const seen = inGuest(function* (guest) {
      const { args, cpu, thread, memory, end } = guest;
      yield* guest.words64(memory, 0o4000, 10, 8192, 3);
      const read = (address: number) => args.queueAttributes(cpu, thread, address);
      return [read(memory), read(0), read(end - 24)];
    });
    expect(seen).toEqual([{ maxMessages: 10, messageSize: 8192 }, null, -Errno.EFAULT]);
  });
});

/** Where the parts of a message are, from the beginning of the memory. */
const At = { header: 0, name: 64, iov: 256, control: 512, bytes: 1024 } as const;

/** A `struct msghdr` with one segment. */
function* header(
  { memory, words64, words32, p }: Guest,
  { nameBytes = 0, control = 0, controlBytes = 0, count = 1 },
): Generator<void, number> {
  const self = { p } as Guest;
  yield* words64.call(self, memory + At.header, nameBytes > 0 ? memory + At.name : 0);
  yield* words32.call(self, memory + At.header + 8, nameBytes);
  yield* words64.call(self, memory + At.header + 16, memory + At.iov, count, control, controlBytes);
  yield* words64.call(self, memory + At.iov, memory + At.bytes, 100);
  return memory + At.header;
}

describe('struct msghdr', () => {
  it('of sendmsg: segments, a name, descriptors and credentials', () => {
    const seen = inGuest(function* (guest) {
      const { p, args, cpu, thread, memory } = guest;
      yield* p.store16(memory + At.name, 1);
      yield* guest.text(memory + At.name + 2, '/s');
      const control = memory + At.control;
      // Two descriptors, then credentials.
      yield* guest.words64(control, 24);
      yield* guest.words32(control + 8, 1, 1, 7, 8);
      yield* guest.words64(control + 24, 28);
      yield* guest.words32(control + 32, 1, 2, 100, 1000, 50);
      const at = yield* header(guest, { nameBytes: 4, control, controlBytes: 24 + 32 });
      p.context.nr = SyscallNumber.sendmsg;
      const message = args.message(cpu, thread, at);
      return [message, memory] as const;
    });
    const [message, memory] = seen;
    expect(message).toEqual({
      segments: [{ address: memory + At.bytes, length: 100 }],
      name: '/s',
      descriptors: [7, 8],
      credentials: { pid: 100, uid: 1000, gid: 50 },
      room: 10,
    });
  });

  it('of recvmsg: what is where the message is to go is not read', () => {
    const message = inGuest(function* (guest) {
      const { p, args, cpu, thread, memory } = guest;
      const at = yield* header(guest, { nameBytes: 4, control: memory + At.control, controlBytes: 24 });
      p.context.nr = SyscallNumber.recvmsg;
      return args.message(cpu, thread, at);
    });
    expect(message).toMatchObject({ room: 2 });
    expect(message).not.toHaveProperty('name');
    expect(message).not.toHaveProperty('descriptors');
  });

  it.each([
    ['more than 1024 segments', { count: 1025 }, [], -Errno.EMSGSIZE],
    ['a control message shorter than its header', { controlBytes: 24 }, [15, 0, 1, 1, 7], -Errno.EINVAL],
    ['one that is longer than its room', { controlBytes: 24 }, [32, 0, 1, 1, 7], -Errno.EINVAL],
    ['one of another type', { controlBytes: 24 }, [20, 0, 1, 9, 7], -Errno.EINVAL],
    ['credentials of another length', { controlBytes: 24 }, [20, 0, 1, 2, 7], -Errno.EINVAL],
    ['more control messages than are read', { controlBytes: 4097 }, [20, 0, 1, 1, 7], -Errno.ENOBUFS],
  ] as const)('%s', (_what, parts, words, error) => {
    const seen = inGuest(function* (guest) {
      const { p, args, cpu, thread, memory } = guest;
      const control = memory + At.control;
      yield* guest.words32(control, ...words);
      const at = yield* header(guest, { control, ...parts });
      p.context.nr = SyscallNumber.sendmsg;
      return args.message(cpu, thread, at);
    });
    expect(seen).toBe(error);
  });

  it('of sendmsg: a control message of another level is passed over', () => {
    const message = inGuest(function* (guest) {
      const { p, args, cpu, thread, memory } = guest;
      const control = memory + At.control;
      yield* guest.words32(control, 20, 0, 6, 1, 7);
      const at = yield* header(guest, { control, controlBytes: 24 });
      p.context.nr = SyscallNumber.sendmsg;
      return args.message(cpu, thread, at);
    });
    expect(message).toMatchObject({ room: 2 });
    expect(message).not.toHaveProperty('descriptors');
  });

  it('is not mapped, or its segments are not: EFAULT', () => {
    const seen = inGuest(function* (guest) {
      const { p, args, cpu, thread, memory, end } = guest;
      const at = yield* header(guest, {});
      p.context.nr = SyscallNumber.sendmsg;
      const cut = args.message(cpu, thread, end - 48);
      yield* guest.words64(memory + At.header + 16, end - 8);
      return [cut, args.message(cpu, thread, at)];
    });
    expect(seen).toEqual([-Errno.EFAULT, -Errno.EFAULT]);
  });

  it('on return of recvmsg: name, credentials, descriptors, how much control, and the flags', () => {
    const seen = inGuest(function* (guest) {
      const { p, args, cpu, thread, memory } = guest;
      const control = memory + At.control;
      const at = yield* header(guest, { nameBytes: 110, control, controlBytes: 64 });
      const result = args.putMessage(cpu, thread, at, {
        segments: [],
        name: '/s',
        descriptors: [5],
        credentials: { pid: 1, uid: 2, gid: 3 },
        flags: MessageFlag.TRUNC,
      });
      const words = [];
      for (let i = 0; i < 13; i++) words.push(yield* p.load32(control + 4 * i));
      return [result, yield* p.load32(at + 8), yield* p.load64(at + 40), yield* p.load32(at + 48), words];
    });
    // 28 bytes of credentials, aligned, and 20 of rights, aligned.
    expect(seen).toEqual([0, 5, 32 + 24, MessageFlag.TRUNC, [28, 0, 1, 2, 1, 2, 3, 0, 20, 0, 1, 1, 5]]);
  });

  it('without room for credentials says that they were cut off', () => {
    const seen = inGuest(function* (guest) {
      const { p, args, cpu, thread, memory } = guest;
      const at = yield* header(guest, { control: memory + At.control, controlBytes: 31 });
      const result = args.putMessage(cpu, thread, at, { segments: [], credentials: { pid: 1, uid: 2, gid: 3 } });
      return [result, yield* p.load64(at + 40), yield* p.load32(at + 48)];
    });
    expect(seen).toEqual([0, 0, MessageFlag.CTRUNC]);
  });
});
