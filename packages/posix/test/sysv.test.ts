import { type Program, Time } from '@rpal/kernel';
import { Errno, Ipc, LinuxCall, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MEMORY, NOWHERE, type Step, sameAsLinux } from './real/same-as-linux.js';
import { ends, run } from './support.js';

const { semget, semop, semctl, semtimedop, msgget, msgsnd, msgrcv, msgctl } = LinuxCall;
const Sem = { GETPID: 11, GETVAL: 12, GETALL: 13, GETNCNT: 14, GETZCNT: 15, SETVAL: 16, SETALL: 17 } as const;
const UNDO = 0x1000;
const { NOWAIT, CREAT, EXCL, PRIVATE } = Ipc;

/** semop with operations of [semaphore, change, flags]. */
function* operate(p: Program, at: number, id: number, ...operations: [number, number, number?][]): Generator<void, number> {
  for (const [index, [number, change, flags = 0]] of operations.entries()) {
    yield* p.store16(at + 6 * index, number);
    yield* p.store16(at + 6 * index + 2, change & 0xffff);
    yield* p.store16(at + 6 * index + 4, flags);
  }
  return yield* p.syscall(semop, id, at, operations.length);
}

describe('System V semaphores', () => {
  it('do all operations of a call or none, and wait until they can', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const id = yield* p.syscall(semget, PRIVATE, 2, 0o600);
      expect(yield* operate(p, at, id, [0, 3], [1, -1, NOWAIT])).toBe(-Errno.EAGAIN);
      expect(yield* p.syscall(semctl, id, 0, Sem.GETVAL)).toBe(0);
      expect(yield* operate(p, at, id, [0, 3], [1, 1])).toBe(0);
      const child = yield* p.fork(function* (q) {
        const own = yield* q.allocate(4096);
        expect(yield* operate(q, own, id, [0, -5])).toBe(0);
        expect(yield* operate(q, own, id, [1, 0])).toBe(0);
      });
      yield* p.sleep(Time.ms);
      expect([yield* p.syscall(semctl, id, 0, Sem.GETNCNT), yield* p.syscall(semctl, id, 0, Sem.GETVAL)]).toEqual([1, 3]);
      yield* operate(p, at, id, [0, 2]);
      yield* p.sleep(Time.ms);
      expect([yield* p.syscall(semctl, id, 1, Sem.GETZCNT), yield* p.syscall(semctl, id, 0, Sem.GETPID)]).toEqual([1, child]);
      yield* operate(p, at, id, [1, -1]);
      expect(yield* p.wait()).toBe(child);
    });
  });

  it('give back with SEM_UNDO what a process has taken when it ends, also by a signal', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const id = yield* p.syscall(semget, PRIVATE, 1, 0o600);
      yield* p.syscall(semctl, id, 0, Sem.SETVAL, 5);
      const child = yield* p.fork(
        ends({ signal: Signal.KILL }, function* (q) {
          yield* operate(q, yield* q.allocate(4096), id, [0, -4, UNDO]);
          yield* q.sleep(Time.s);
        }),
      );
      yield* p.sleep(Time.ms);
      expect(yield* p.syscall(semctl, id, 0, Sem.GETVAL)).toBe(1);
      yield* p.kill(child, Signal.KILL);
      expect(yield* operate(p, at, id, [0, -5])).toBe(0);
      yield* p.wait();
    });
  });

  it('time out, are interrupted, and tell those who wait when the set is removed', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const id = yield* p.syscall(semget, PRIVATE, 1, 0o600);
      yield* p.store64(at + 64, 0);
      yield* p.store64(at + 72, 1e6);
      yield* p.store32(at, 0xffff_0000 | 0);
      yield* p.store32(at + 4, 0);
      expect(yield* p.syscall(semtimedop, id, at, 1, at + 64)).toBe(-Errno.EAGAIN);
      yield* p.fork(function* (q) {
        expect(yield* operate(q, yield* q.allocate(4096), id, [0, -1])).toBe(-Errno.EIDRM);
      });
      yield* p.sleep(Time.ms);
      expect(yield* p.syscall(semctl, id, 0, Ipc.RMID)).toBe(0);
      yield* p.wait();
      expect(yield* operate(p, at, id, [0, 1])).toBe(-Errno.EINVAL);
    });
  });

  it('refuse what Linux refuses', () => {
    sameAsLinux(
      ['semget', PRIVATE, 0, 0o600],
      ['semget', PRIVATE, -1, 0o600],
      ['semget', PRIVATE, 32_001, 0o600],
      ['semget', 0x7777_1234, 1, 0],
      ...[-1, 0x7fff_0000].flatMap((id): Step[] => [
        ['semop', id, MEMORY, 1],
        ['semop', id, MEMORY, 0],
        ['semop', id, NOWHERE, 1],
        ['semop', id, MEMORY, 501],
        ...[0, 1, 2, 11, 12, 13, 14, 15, 16, 17, 99, -1].map((command): Step => ['semctl', id, 0, command, NOWHERE]),
      ]),
    );
  });
});

describe('System V messages', () => {
  it('come in order, or by type, cut only where that is allowed', () => {
    run(function* (p) {
      const at = yield* p.allocate(16_384);
      const id = yield* p.syscall(msgget, 0x1234, CREAT | 0o600);
      expect(yield* p.syscall(msgget, 0x1234, CREAT | EXCL | 0o600)).toBe(-Errno.EEXIST);
      const send = function* (type: number, word: number) {
        yield* p.store64(at, type);
        yield* p.store32(at + 8, word);
        return yield* p.syscall(msgsnd, id, at, 4, 0);
      };
      const receive = function* (type: number, flags: number = NOWAIT, room = 4) {
        const n = yield* p.syscall(msgrcv, id, at, room, type, flags);
        return n < 0 ? n : [yield* p.load64(at), n === 4 ? yield* p.load32(at + 8) : n];
      };
      for (const [type, word] of [
        [3, 30],
        [1, 10],
        [2, 20],
        [1, 11],
        [5, 50],
      ] as const)
        expect(yield* send(type, word)).toBe(0);
      expect(yield* receive(-2)).toEqual([1, 10]);
      expect(yield* receive(2)).toEqual([2, 20]);
      expect(yield* receive(3, NOWAIT | 0o20000)).toEqual([1, 11]);
      expect(yield* receive(0, NOWAIT, 2)).toBe(-Errno.E2BIG);
      expect(yield* receive(0, NOWAIT | 0o10000, 2)).toEqual([3, 2]);
      expect(yield* receive(9)).toBe(-Errno.ENOMSG);
      expect([yield* p.syscall(msgctl, id, Ipc.STAT, at), yield* p.load64(at + 80)]).toEqual([0, 1]);
    });
  });

  it('wait for room and for messages, and end when the queue goes', () => {
    run(function* (p) {
      const at = yield* p.allocate(16_384);
      const id = yield* p.syscall(msgget, PRIVATE, 0o600);
      yield* p.store64(at, 1);
      expect([yield* p.syscall(msgsnd, id, at, 8192, 0), yield* p.syscall(msgsnd, id, at, 8192, 0)]).toEqual([0, 0]);
      expect(yield* p.syscall(msgsnd, id, at, 1, NOWAIT)).toBe(-Errno.EAGAIN);
      yield* p.fork(function* (q) {
        const own = yield* q.allocate(16_384);
        yield* q.sleep(Time.ms);
        for (let i = 0; i < 3; i++) expect(yield* q.syscall(msgrcv, id, own, 8192, 0, 0)).toBe(8192);
        expect(yield* q.syscall(msgrcv, id, own, 8192, 0, 0)).toBe(-Errno.EIDRM);
      });
      expect(yield* p.syscall(msgsnd, id, at, 8192, 0)).toBe(0);
      yield* p.sleep(2 * Time.ms);
      expect(yield* p.syscall(msgctl, id, Ipc.RMID, 0)).toBe(0);
      yield* p.wait();
    });
  });

  it('and semaphores belong to somebody', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const messages = yield* p.syscall(msgget, PRIVATE, 0o600);
      const semaphores = yield* p.syscall(semget, PRIVATE, 1, 0o644);
      yield* p.setuid(1000);
      yield* p.store64(at, 1);
      expect(yield* p.syscall(msgsnd, messages, at, 1, 0)).toBe(-Errno.EACCES);
      expect(yield* p.syscall(msgctl, messages, Ipc.RMID, 0)).toBe(-Errno.EPERM);
      expect(yield* operate(p, at, semaphores, [0, 1])).toBe(-Errno.EACCES);
      expect(yield* operate(p, at, semaphores, [0, 0])).toBe(0);
    });
  });

  it('refuse what Linux refuses', () => {
    sameAsLinux(
      ['msgget', 0x7777_1234, 0],
      ['msgsnd', 0x7fff_0000, NOWHERE, 1, 0],
      ['msgsnd', 0x7fff_0000, MEMORY, 1, 0],
      ['msgsnd', -1, MEMORY, 1, 0],
      ['msgsnd', 0x7fff_0000, MEMORY, 8193, 0],
      ['msgrcv', 0x7fff_0000, MEMORY, 1, 0, 0],
      ['msgrcv', 0x7fff_0000, MEMORY, -1, 0, 0],
      ['msgctl', 0x7fff_0000, 0, NOWHERE],
      ['msgctl', 0x7fff_0000, 1, NOWHERE],
      ['msgctl', 0x7fff_0000, 2, NOWHERE],
      ['msgctl', 0x7fff_0000, 99, NOWHERE],
      ['msgctl', -1, 2, NOWHERE],
    );
  });
});
