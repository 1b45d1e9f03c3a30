import type { Program } from '@rpal/kernel';
import { Errno, FileMode, OpenFlag } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { hear, run, say, textAt } from './support.js';

const { RDONLY, WRONLY, RDWR, CREAT, TRUNC, DIRECTORY } = OpenFlag;
const ROOT = '/sys/fs/cgroup';
const MS = 1e6;
/** Cycles: about a second, ten periods of cpu.max. */
const WORK = 3e9;

/** Writes to a file, as `echo -n TEXT > PATH` does. @returns bytes written, or a negative errno */
function* put(p: Program, path: string, text: string, flags = WRONLY | TRUNC): Generator<void, number> {
  const fd = yield* p.open(path, flags);
  if (fd < 0) return fd;
  const at = yield* p.allocate(8192);
  const n = yield* say(p, fd, at, text);
  yield* p.close(fd);
  return n;
}

/** What is in a file, or why it cannot be read. */
function* get(p: Program, path: string): Generator<void, string | number> {
  const fd = yield* p.open(path, RDONLY);
  if (fd < 0) return fd;
  const at = yield* p.allocate(8192);
  const n = yield* p.read(fd, at, 8192);
  yield* p.close(fd);
  return n < 0 ? n : yield* textAt(p, at, n);
}

/** A cgroup below the root with the CPU controller. */
function* limited(p: Program, name: string, max?: string): Generator<void, string> {
  const path = `${ROOT}/${name}`;
  yield* put(p, `${ROOT}/cgroup.subtree_control`, '+cpu');
  expect(yield* p.mkdir(path, 0o755)).toBe(0);
  if (max !== undefined) expect(yield* put(p, `${path}/cpu.max`, max)).toBe(max.length);
  return path;
}

describe('the hierarchy of control groups', () => {
  // Answers and errors are those of cgroup2 of Linux 6.18, asked with the same calls.
  it('is directories, which programs make and remove, with files that they do not', () => {
    run(function* (p) {
      const t = `${ROOT}/t`;
      expect(yield* p.mkdir(t, 0o755)).toBe(0);
      expect(yield* p.mkdir(t, 0o755)).toBe(-Errno.EEXIST);
      expect(yield* p.mkdir(`${ROOT}/a\nb`, 0o755)).toBe(-Errno.EINVAL);
      expect(yield* p.mkdir(`${t}/cgroup.procs`, 0o755)).toBe(-Errno.EEXIST);
      expect(yield* p.open(`${t}/x`, CREAT | WRONLY, 0o644)).toBe(-Errno.EACCES);
      expect(yield* p.open(`${t}/cgroup.procs`, CREAT | RDONLY, 0o644), 'it is there').toBeGreaterThanOrEqual(0);
      expect(yield* p.symlink('a', `${t}/s`)).toBe(-Errno.EPERM);
      expect(yield* p.link(`${t}/cgroup.procs`, `${t}/l`)).toBe(-Errno.EPERM);
      expect(yield* p.mknod(`${t}/f`, FileMode.FIFO | 0o644)).toBe(-Errno.EPERM);
      expect(yield* p.unlink(`${t}/cgroup.procs`)).toBe(-Errno.EPERM);
      expect(yield* p.rmdir(`${t}/cgroup.procs`)).toBe(-Errno.ENOTDIR);
      expect(yield* p.unlink(t)).toBe(-Errno.EISDIR);
      expect(yield* p.rename(t, `${ROOT}/u`)).toBe(-Errno.EPERM);
      expect(yield* p.rename(`${t}/cgroup.procs`, `${t}/x`)).toBe(-Errno.EPERM);
      expect(yield* p.rename(`${t}/cgroup.procs`, `${t}/cgroup.type`)).toBe(-Errno.EPERM);
      expect(yield* p.truncate(`${t}/cgroup.procs`, 0)).toBe(0);
      expect(yield* p.rmdir(ROOT)).toBe(-Errno.EBUSY);
      expect(yield* get(p, `${t}/cgroup.events`)).toBe('populated 0\nfrozen 0\n');
      expect(yield* get(p, `${t}/cgroup.type`)).toBe('domain\n');
      expect(yield* get(p, `${t}/cgroup.procs`)).toBe('');
      expect(yield* get(p, `${ROOT}/cgroup.type`), 'the root is of no type').toBe(-Errno.ENOENT);
      expect(yield* get(p, '/proc/filesystems')).toContain('nodev\tcgroup2\n');
      expect(yield* get(p, '/proc/self/mounts')).toContain(`cgroup2 ${ROOT} cgroup2 `);
    });
  });

  it('is written one whole text at a time', () => {
    run(function* (p) {
      const t = `${ROOT}/t`;
      yield* p.mkdir(t, 0o755);
      for (const [text, answer] of [
        ['\n', -Errno.EINVAL],
        ['x', -Errno.EINVAL],
        ['-1', -Errno.EINVAL],
        ['4194304', -Errno.ESRCH],
        ['99999999999999', -Errno.EINVAL],
        ['1 2', -Errno.EINVAL],
        ['0'.repeat(5000), -Errno.E2BIG],
        ['08', -Errno.EINVAL],
        [' 0 \n', 4],
        ['0x0', 3],
        ['00', 2],
        [`${' '.repeat(4095)}0`, 4096],
      ] as const) {
        expect(yield* put(p, `${t}/cgroup.procs`, text), text.slice(0, 20)).toBe(answer);
      }
      const at = yield* p.allocate(4096);
      const fd = yield* p.open(`${t}/cgroup.procs`, RDWR);
      expect(yield* p.write(fd, at, 0)).toBe(0);
      expect(yield* p.write(fd, 0, 1)).toBe(-Errno.EFAULT);
      const shut = yield* p.open(`${t}/cgroup.controllers`, WRONLY);
      expect(yield* p.write(shut, at, 1), 'root may open it').toBe(-Errno.EINVAL);
      expect(yield* p.read(shut, at, 1)).toBe(-Errno.EBADF);
      // Parts of one text, and a new one from the beginning.
      const events = yield* p.open(`${t}/cgroup.events`, RDONLY);
      expect(yield* hear(p, events, at, 5)).toBe('popul');
      expect(yield* hear(p, events, at, 100)).toBe('ated 1\nfrozen 0\n');
      expect(yield* put(p, `${ROOT}/cgroup.procs`, '0')).toBe(1);
      yield* p.lseek(events, 0, 0);
      expect(yield* hear(p, events, at, 100)).toBe('populated 0\nfrozen 0\n');
    });
  });

  it('takes processes with all their threads, and their children', () => {
    run(function* (p) {
      const pid = yield* p.getpid();
      yield* p.mkdir(`${ROOT}/t`, 0o755);
      yield* p.mkdir(`${ROOT}/t/a`, 0o755);
      expect(yield* get(p, '/proc/self/cgroup')).toBe('0::/\n');
      const thread = yield* p.clone(function* (q) {
        yield* q.sleep(50 * MS);
      });
      expect(yield* put(p, `${ROOT}/t/a/cgroup.procs`, String(thread)), 'any thread stands for its process').toBe(String(thread).length);
      expect(yield* get(p, '/proc/self/cgroup')).toBe('0::/t/a\n');
      expect(yield* get(p, `${ROOT}/t/a/cgroup.procs`)).toBe(`${pid}\n`);
      expect(yield* get(p, `${ROOT}/t/a/cgroup.threads`)).toBe(`${pid}\n${thread}\n`);
      expect(yield* get(p, `${ROOT}/t/cgroup.procs`)).toBe('');
      expect(yield* get(p, `${ROOT}/t/cgroup.events`)).toBe('populated 1\nfrozen 0\n');
      expect(yield* put(p, `${ROOT}/t/a/cgroup.threads`, '0')).toBe(1);
      expect(yield* put(p, `${ROOT}/t/cgroup.threads`, '0'), 'another domain').toBe(-Errno.EOPNOTSUPP);
      expect(yield* p.rmdir(`${ROOT}/t/a`)).toBe(-Errno.EBUSY);
      expect(yield* p.rmdir(`${ROOT}/t`)).toBe(-Errno.EBUSY);
      const child = yield* p.fork(function* (q) {
        expect(yield* get(q, '/proc/self/cgroup')).toBe('0::/t/a\n');
      });
      yield* p.sleep(10 * MS);
      expect(yield* put(p, `${ROOT}/cgroup.procs`, '0')).toBe(1);
      // The dead are not in the way.
      expect(yield* get(p, `${ROOT}/t/a/cgroup.procs`)).toBe('');
      const dead = [yield* p.open(`${ROOT}/t/a/cgroup.procs`, RDWR), yield* p.open(`${ROOT}/t/a`, RDONLY | DIRECTORY)] as const;
      expect(yield* p.rmdir(`${ROOT}/t/a`)).toBe(0);
      expect(yield* get(p, `/proc/${child}/cgroup`)).toBe('0::/t/a (deleted)\n');
      const at = yield* p.allocate(4096);
      expect(yield* p.read(dead[0], at, 8)).toBe(-Errno.ENODEV);
      expect(yield* say(p, dead[0], at, '0')).toBe(-Errno.ENODEV);
      expect(yield* p.mkdir('x', 0o755, dead[1])).toBe(-Errno.ENOENT);
      expect(yield* p.openat(dead[1], 'cgroup.procs', RDONLY)).toBe(-Errno.ENOENT);
      expect(yield* put(p, `${ROOT}/t/cgroup.procs`, String(child)), 'a zombie').toBe(String(child).length);
      expect(yield* p.rmdir(`${ROOT}/t`)).toBe(0);
      yield* p.wait();
    });
  });

  it('asks who opened the file whether he may take processes from where they are to where they go', () => {
    run(function* (p) {
      yield* p.mkdir(`${ROOT}/t`, 0o755);
      yield* p.mkdir(`${ROOT}/t/a`, 0o755);
      yield* p.mkdir(`${ROOT}/u`, 0o755);
      for (const path of ['t', 't/cgroup.procs', 't/a/cgroup.procs', 'u/cgroup.procs'])
        expect(yield* p.chown(`${ROOT}/${path}`, 1000, 1000)).toBe(0);
      const child = yield* p.fork(function* (q) {
        yield* q.setuid(1000);
        yield* q.sleep(20 * MS);
        expect(yield* put(q, `${ROOT}/t/a/cgroup.procs`, '0'), 'within what is his').toBe(1);
        expect(yield* put(q, `${ROOT}/cgroup.procs`, '0')).toBe(-Errno.EACCES);
        expect(yield* q.mkdir(`${ROOT}/t/mine`, 0o755)).toBe(0);
        expect(yield* q.mkdir(`${ROOT}/mine`, 0o755)).toBe(-Errno.EACCES);
        expect(yield* put(q, `${ROOT}/t/mine/cgroup.procs`, '0'), 'as owner').toBe(1);
        expect(yield* put(q, `${ROOT}/u/cgroup.procs`, '0'), 'both are his, but not what is above both').toBe(-Errno.EACCES);
      });
      const other = yield* p.fork(function* (q) {
        yield* q.setuid(1000);
        expect(yield* put(q, `${ROOT}/t/a/cgroup.procs`, '0'), 'he may write here, but not at the root').toBe(-Errno.EACCES);
      });
      expect(yield* put(p, `${ROOT}/t/cgroup.procs`, String(child))).toBeGreaterThan(0);
      expect(other).toBeGreaterThan(0);
      yield* p.wait();
      yield* p.wait();
    });
  });
});

describe('the CPU controller', () => {
  it('is there where the cgroup above gives it', () => {
    run(function* (p) {
      const t = `${ROOT}/t`;
      yield* p.mkdir(t, 0o755);
      yield* p.mkdir(`${t}/a`, 0o755);
      expect(yield* get(p, `${ROOT}/cgroup.controllers`)).toBe('cpu\n');
      expect(yield* get(p, `${t}/cgroup.controllers`)).toBe('\n');
      expect(yield* get(p, `${t}/cpu.max`)).toBe(-Errno.ENOENT);
      expect(yield* put(p, `${t}/cgroup.subtree_control`, '+cpu')).toBe(-Errno.ENOENT);
      for (const text of ['cpu', '+nix', '+cpu +nix', '+']) {
        expect(yield* put(p, `${ROOT}/cgroup.subtree_control`, text), text).toBe(-Errno.EINVAL);
      }
      for (const text of ['\n', '  ', '-cpu']) expect(yield* put(p, `${ROOT}/cgroup.subtree_control`, text)).toBe(text.length);
      expect(yield* put(p, `${ROOT}/cgroup.subtree_control`, '-cpu +cpu\n')).toBe(10);
      expect(yield* get(p, `${ROOT}/cgroup.subtree_control`)).toBe('cpu\n');
      expect([yield* get(p, `${t}/cpu.max`), yield* get(p, `${t}/cpu.weight`)]).toEqual(['max 100000\n', '100\n']);
      expect(yield* get(p, `${ROOT}/cpu.max`), 'not of the root').toBe(-Errno.ENOENT);
      expect(yield* put(p, `${t}/cgroup.subtree_control`, '+cpu')).toBe(4);
      expect(yield* get(p, `${t}/a/cpu.max`)).toBe('max 100000\n');
      expect(yield* put(p, `${ROOT}/cgroup.subtree_control`, '-cpu'), 'a child passes it on').toBe(-Errno.EBUSY);
      const fd = yield* p.open(`${t}/a/cpu.max`, RDONLY);
      expect(yield* put(p, `${t}/cgroup.subtree_control`, '-cpu')).toBe(4);
      expect(yield* p.read(fd, yield* p.allocate(4096), 16)).toBe(-Errno.ENODEV);
    });
  });

  it('is not turned on between processes of a cgroup and those of its children', () => {
    run(function* (p) {
      const t = yield* limited(p, 't');
      yield* p.mkdir(`${t}/a`, 0o755);
      expect(yield* put(p, `${t}/cgroup.procs`, '0')).toBe(1);
      expect(yield* put(p, `${t}/cgroup.subtree_control`, '+cpu'), 'its children have nobody').toBe(4);
      const child = yield* p.fork(function* (q) {
        yield* q.sleep(20 * MS);
      });
      expect(yield* put(p, `${t}/a/cgroup.procs`, String(child))).toBeGreaterThan(0);
      expect(yield* put(p, `${ROOT}/cgroup.procs`, '0')).toBe(1);
      expect(yield* put(p, `${t}/cgroup.procs`, '0'), 'its child has somebody').toBe(-Errno.EBUSY);
      expect(yield* put(p, `${t}/cgroup.subtree_control`, '-cpu')).toBe(4);
      expect(yield* put(p, `${t}/cgroup.procs`, '0')).toBe(1);
      expect(yield* put(p, `${t}/cgroup.subtree_control`, '+cpu')).toBe(-Errno.EBUSY);
      yield* p.wait();
    });
  });

  it('takes the limits that Linux takes', () => {
    run(function* (p) {
      const max = `${yield* limited(p, 't')}/cpu.max`;
      for (const [text, shown] of [
        ['20000', '20000 100000\n'],
        ['20000 50000\n', '20000 50000\n'],
        ['30000', '30000 50000\n'],
        ['max', 'max 50000\n'],
        ['1000 1000', '1000 1000\n'],
        ['17592186044415 1000000', '17592186044415 1000000\n'],
        ['max 100000', 'max 100000\n'],
      ] as const) {
        expect(yield* put(p, max, text)).toBe(text.length);
        expect(yield* get(p, max)).toBe(shown);
      }
      for (const text of ['\n', 'x', 'maximum', '-1', '999', '1000 999', '1000 1000001', 'max 999', '17592186044416', 'x 100000', ' ']) {
        expect(yield* put(p, max, text), text).toBe(-Errno.EINVAL);
      }
      expect(yield* get(p, max)).toBe('max 100000\n');
      const weight = max.replace('max', 'weight');
      for (const [text, answer] of [
        ['0', -Errno.ERANGE],
        ['10001', -Errno.ERANGE],
        ['x', -Errno.EINVAL],
        ['10000', 5],
        ['300', 3],
      ] as const) {
        expect(yield* put(p, weight, text), text).toBe(answer);
      }
      expect(yield* get(p, weight)).toBe('300\n');
    });
  });

  it('limits what the processes of a cgroup run, on all CPUs together', () => {
    run(
      function* (p) {
        yield* limited(p, 't', '20000 100000');
        yield* limited(p, 'free');
        const share = function* (): Generator<void, number> {
          const before = p.rdtsc();
          yield* p.compute(WORK);
          return WORK / (p.rdtsc() - before);
        };
        const alone = yield* share();
        expect(yield* put(p, `${ROOT}/t/cgroup.procs`, '0')).toBe(1);
        expect((yield* share()) / alone).toBeCloseTo(0.2, 1);
        expect(yield* put(p, `${ROOT}/free/cgroup.procs`, '0')).toBe(1);
        expect((yield* share()) / alone).toBeCloseTo(1, 1);
        // A limit of the cgroup above binds as well, and without controller that is all there is.
        expect(yield* p.mkdir(`${ROOT}/t/a`, 0o755)).toBe(0);
        expect(yield* put(p, `${ROOT}/t/a/cgroup.procs`, '0')).toBe(1);
        // Who is there already is taken along.
        expect(yield* put(p, `${ROOT}/t/cgroup.subtree_control`, '+cpu')).toBe(4);
        expect(yield* put(p, `${ROOT}/t/a/cpu.max`, '50000 100000')).toBe(12);
        expect((yield* share()) / alone).toBeCloseTo(0.2, 1);
        expect(yield* put(p, `${ROOT}/t/cpu.max`, 'max')).toBe(3);
        expect((yield* share()) / alone).toBeCloseTo(0.5, 1);
        expect(yield* put(p, `${ROOT}/t/cgroup.subtree_control`, '-cpu')).toBe(4);
        expect((yield* share()) / alone).toBeCloseTo(1, 1);
      },
      {},
      { within: 30_000 * MS },
    );
  });

  it('divides a CPU by weight', () => {
    run(
      function* (p) {
        yield* limited(p, 'heavy');
        yield* limited(p, 'light');
        expect(yield* put(p, `${ROOT}/heavy/cpu.weight`, '300')).toBe(3);
        const ran = [0, 0];
        let over = false;
        for (const [i, name] of ['heavy', 'light'].entries()) {
          yield* p.fork(function* (q) {
            expect(yield* put(q, `${ROOT}/${name}/cgroup.procs`, '0')).toBe(1);
            while (!over) {
              yield* q.compute(MS);
              ran[i] = (ran[i] as number) + 1;
            }
          });
        }
        yield* p.sleep(900 * MS);
        over = true;
        yield* p.wait();
        yield* p.wait();
        expect((ran[0] as number) / (ran[1] as number)).toBeCloseTo(3, 0);
      },
      {},
      { cpus: 1 },
    );
  });
});
