import { Errno, LinuxCall, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MEMORY, NOWHERE, peek, poke, type Step, sameAsLinux } from './real/same-as-linux.js';
import { ends, run } from './support.js';

const { setpgid, getpgid, setsid, getsid, kill } = LinuxCall;

/** All ids of the process. */
const ids: readonly Step[] = [
  ['getresuid', MEMORY, MEMORY + 4, MEMORY + 8],
  ['getresgid', MEMORY + 12, MEMORY + 16, MEMORY + 20],
  peek(MEMORY, 24),
  ['geteuid'],
  ['getegid'],
  ['getgid'],
  ['setfsuid', -1],
  ['setfsgid', -1],
];
/** Its capabilities, and what goes with who it is. */
const rights: readonly Step[] = [
  poke(MEMORY + 64, 0x2008_0522, 0),
  ['capget', MEMORY + 64, MEMORY + 72],
  peek(MEMORY + 72, 24),
  ['prctl', 3],
  ['prctl', 7],
  ['prctl', 27],
];

describe('User and group ids', () => {
  it('are changed by root as it likes, and by others among those that they have', () => {
    sameAsLinux(
      ...ids,
      ['setresuid', 1, 2, 3],
      ...ids,
      ['setresuid', 3, 1, 2],
      ['setresuid', 4, -1, -1],
      ['setresuid', -1, -1, 7],
      ['setreuid', 1, 3],
      ...ids,
      ['setreuid', 9, -1],
      ['setreuid', -1, 1],
      ...ids,
      ['setuid', 3],
      ['setuid', 77],
      ['setuid', -1],
      ...ids,
    );
  });

  it('and so are those of groups', () => {
    sameAsLinux(
      ['setresgid', 1, 2, 3],
      ['setregid', 5, 6],
      ['setgid', -1],
      ['setfsgid', 99],
      ['setfsgid', 98],
      ['setgid', 12],
      ['setresgid', 1, 2, 3],
      ['setuid', 1000],
      ...ids,
      ['setgid', 12],
      ['setgid', 1],
      ['setregid', 2, 1],
      ['setregid', -1, 3],
      ['setresgid', -1, 1, -1],
      ['setfsgid', 77],
      ...ids,
    );
  });

  it('of the file system follow the effective ones, and may go elsewhere', () => {
    sameAsLinux(['setfsuid', 7], ['setfsuid', -1], ['setreuid', -1, 5], ...ids, ['setfsuid', 0], ['setfsuid', 9], ...ids);
  });

  it('supplementary groups are sorted, and asked for with room enough', () => {
    sameAsLinux(
      poke(MEMORY, 5, 3, 4),
      ['setgroups', 3, MEMORY],
      ['getgroups', 0, 0],
      ['getgroups', 2, MEMORY],
      ['getgroups', -1, MEMORY],
      ['getgroups', 3, NOWHERE],
      ['getgroups', 3, MEMORY + 32],
      peek(MEMORY + 32, 12),
      ['setgroups', 65_537, MEMORY],
      ['setgroups', -1, MEMORY],
      ['setgroups', 2, NOWHERE],
      ['setgroups', 0, 0],
      ['getgroups', 0, 0],
      ['setuid', 1000],
      ['setgroups', 0, 0],
    );
  });
});

describe('Capabilities', () => {
  it('go with root, stay with PR_SET_KEEPCAPS, and come back with an effective root', () => {
    sameAsLinux(['setresuid', 0, 1000, 0], ...rights, ['setresuid', -1, 0, -1], ...rights, ['setuid', 1000], ...rights, ['setuid', 0]);
    sameAsLinux(['prctl', 8, 1], ['setuid', 1000], ...rights, ['prctl', 8, 2], ['prctl', 8, 0], ['prctl', 7]);
  });

  it('are given up by capset, and never taken', () => {
    const set = (effective: number, permitted: number, inheritable: number): Step[] => [
      poke(MEMORY, 0x2008_0522, 0, effective, permitted, inheritable, 0, 0, 0),
      ['capset', MEMORY, MEMORY + 8],
      ...rights,
    ];
    sameAsLinux(...set(0xff, 0xffff, 0x10), ...set(0xfff, 0xff, 0), ...set(1, 0x1_ffff, 0), ...set(1, 1, 0), ...set(1, 1, 0x100));
  });

  it('refuse what is not theirs, in the order of Linux', () => {
    const header = (version: number, pid: number): Step => poke(MEMORY, version, pid);
    sameAsLinux(
      header(0x2008_0522, 0),
      ['capget', NOWHERE, MEMORY + 8],
      ['capget', MEMORY, NOWHERE],
      ['capget', MEMORY, 0],
      ['capset', NOWHERE, MEMORY + 8],
      ['capset', MEMORY, NOWHERE],
      header(0x2008_0522, -1),
      ['capget', MEMORY, MEMORY + 8],
      ['capset', MEMORY, MEMORY + 8],
      header(0x2008_0522, 999_999),
      ['capget', MEMORY, MEMORY + 8],
      ['capset', MEMORY, MEMORY + 8],
      header(0x1234, 0),
      ['capget', MEMORY, 0],
      peek(MEMORY, 4),
      header(0x1234, 0),
      ['capget', MEMORY, MEMORY + 8],
      ['capset', MEMORY, MEMORY + 8],
      header(0x1998_0330, 0),
      ['capget', MEMORY, MEMORY + 32],
      peek(MEMORY + 32, 24),
    );
  });
});

describe('prctl', () => {
  it('keeps what a process says about itself, and refuses what Linux refuses', () => {
    const all: Step[] = [];
    for (const option of [1, 4, 8, 14, 22, 24, 33, 38, 41, 57, 65, 67])
      for (const value of [0, 1, 2, 64, 65, -1]) all.push(['prctl', option, value]);
    for (const option of [3, 7, 13, 21, 27, 34, 39, 42, 58, 66, 68]) all.push(['prctl', option], ['prctl', option, 1]);
    for (const option of [2, 25, 37]) all.push(['prctl', option, MEMORY], peek(MEMORY, 4), ['prctl', option, NOWHERE]);
    // What depends on how a kernel was configured, and capabilities that the container of this test may not have.
    sameAsLinux(...all.filter((step) => !(Array.isArray(step) && (step[1] === 22 || step[1] === 24 || step[1] === 67 || step[1] === 68))));
  });

  it('names threads, with fifteen characters', () => {
    const name = [0x64636261, 0x68676665, 0x6c6b6a69, 0x706f6e6d, 0x74737271];
    sameAsLinux(poke(MEMORY, ...name), ['prctl', 15, MEMORY], ['prctl', 16, MEMORY + 64], peek(MEMORY + 64, 16), ['prctl', 15, NOWHERE]);
    sameAsLinux(poke(MEMORY, 0x6261), ['prctl', 15, MEMORY], ['prctl', 16, MEMORY + 64], peek(MEMORY + 64, 16), ['prctl', 16, NOWHERE]);
  });

  it('takes capabilities out of the bounding set, and makes inheritable ones ambient', () => {
    sameAsLinux(
      ['prctl', 23, 10],
      ['prctl', 24, 10],
      ['prctl', 23, 10],
      ['prctl', 23, 41],
      ['prctl', 24, 41],
      ['prctl', 47, 2, 12],
      ['prctl', 47, 1, 12],
      poke(MEMORY, 0x2008_0522, 0, 0xffff, 0xffff, 1 << 12, 0, 0, 0),
      ['capset', MEMORY, MEMORY + 8],
      ['prctl', 47, 2, 12],
      ['prctl', 47, 1, 12],
      ['prctl', 47, 3, 12],
      ['prctl', 47, 1, 12],
      ['prctl', 47, 4],
      ['prctl', 47, 5, 12],
      ['prctl', 47, 2, 50],
      ['prctl', 28, 0x2f],
      ['prctl', 27],
      ['prctl', 28, 0],
    );
  });

  it('sends a signal to a child when the thread ends that forked it', () => {
    run(function* (p) {
      let child = 0;
      yield* p.fork(function* (q) {
        child = yield* q.fork(
          ends({ signal: Signal.USR1 }, function* (r) {
            expect(yield* r.syscall(LinuxCall.prctl, 1, Signal.USR1)).toBe(0);
            yield* r.sleep(1e9);
          }),
        );
        yield* q.sleep(1e6);
      });
      yield* p.wait();
      yield* p.sleep(1e6);
      expect(p.context.thread.process.kernel.syscalls).toBeDefined();
      expect(child).toBeGreaterThan(0);
    });
  });
});

describe('Process groups and sessions', () => {
  it('have the rules of setpgid and setsid', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      expect([yield* p.syscall(getpgid, 0), yield* p.syscall(getsid, 0)]).toEqual([self, self]);
      expect(yield* p.syscall(setsid), 'a leader of a group cannot').toBe(-Errno.EPERM);
      expect(yield* p.syscall(setpgid, 0, 0), 'nor the leader of a session').toBe(-Errno.EPERM);
      const child = yield* p.fork(function* (q) {
        yield* q.sleep(1e6);
        expect(yield* q.syscall(getpgid, 0), 'put there by its parent').toBe(yield* q.getpid());
        expect(yield* q.syscall(setsid)).toBe(-Errno.EPERM);
        expect(yield* q.syscall(setpgid, 0, self)).toBe(0);
        expect(yield* q.syscall(setsid)).toBe(yield* q.getpid());
        expect([yield* q.syscall(getsid, 0), yield* q.syscall(getpgid, 0)]).toEqual([yield* q.getpid(), yield* q.getpid()]);
        yield* q.sleep(2e6);
      });
      expect(yield* p.syscall(setpgid, child, child)).toBe(0);
      yield* p.sleep(2e6);
      expect(yield* p.syscall(setpgid, child, self), 'it has a session of its own by now').toBe(-Errno.EPERM);
      expect(yield* p.syscall(setpgid, child, -1)).toBe(-Errno.EINVAL);
      expect([yield* p.syscall(setpgid, 999, 999), yield* p.syscall(getpgid, 999), yield* p.syscall(getsid, 999)]).toEqual([-3, -3, -3]);
      yield* p.wait();
    });
  });

  it('get signals all together, and are waited for', () => {
    run(function* (p) {
      const children: number[] = [];
      for (let i = 0; i < 3; i++) {
        children.push(
          yield* p.fork(
            ends(i < 2 ? { signal: Signal.USR1 } : {}, function* (q) {
              yield* q.sleep(5e6);
            }),
          ),
        );
      }
      const [group, second, third] = children as [number, number, number];
      expect([yield* p.syscall(setpgid, group, 0), yield* p.syscall(setpgid, second, group)]).toEqual([0, 0]);
      expect(yield* p.wait(-third), 'there is no such group').toBe(-Errno.ECHILD);
      expect(yield* p.syscall(kill, -group, Signal.USR1)).toBe(0);
      expect([yield* p.wait(-group), yield* p.wait(-group), yield* p.wait(-group)].sort((a, b) => a - b)).toEqual([-10, group, second]);
      expect(yield* p.syscall(kill, -group, Signal.USR1)).toBe(-Errno.ESRCH);
      expect(yield* p.wait(0), 'of the own group').toBe(third);
    });
    sameAsLinux(['kill', -999_999, 0], ['kill', -999_999, 65], ['kill', -0x8000_0000, 0], ['kill', -0x8000_0000, 99], ['kill', 0, 0]);
  });
});
