import { executable, type Program } from '@rpal/kernel';
import { Errno, OpenFlag } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { readEntries, readStat } from '../src/index.js';
import { hear, run, textAt } from './support.js';

const { RDONLY, RDWR, CREAT, DIRECTORY } = OpenFlag;

function* fileText(p: Program, path: string): Generator<void, string | number> {
  const at = yield* p.allocate(8192);
  const fd = yield* p.open(path, RDONLY);
  if (fd < 0) return fd;
  const text = yield* hear(p, fd, at, 8192);
  yield* p.close(fd);
  return text;
}

function* linkText(p: Program, path: string): Generator<void, string | number> {
  const at = yield* p.allocate(4096);
  const n = yield* p.readlink(path, at, 4096);
  return n < 0 ? n : yield* textAt(p, at, n);
}

function* namesIn(p: Program, path: string): Generator<void, string[]> {
  const at = yield* p.allocate(4096);
  const fd = yield* p.open(path, RDONLY | DIRECTORY);
  const names: string[] = [];
  for (;;) {
    const n = yield* p.getdents(fd, at, 4096);
    if (n === 0) break;
    const bytes = new Uint8Array(n);
    yield* p.loadBytes(at, bytes);
    names.push(...readEntries(bytes).map(({ name }) => name));
  }
  yield* p.close(fd);
  return names;
}

describe('/proc', () => {
  it('has a directory for each process, and "self" for who looks', () => {
    run(function* (p) {
      const pid = yield* p.getpid();
      expect(yield* linkText(p, '/proc/self')).toBe(String(pid));
      expect(yield* fileText(p, '/proc/self/comm')).toBe(yield* fileText(p, `/proc/${pid}/comm`));
      const child = yield* p.fork(function* (q) {
        yield* q.sleep(2e6);
      });
      expect(yield* namesIn(p, '/proc')).toEqual(expect.arrayContaining(['self', 'meminfo', String(pid), String(child)]));
      expect(yield* fileText(p, `/proc/${child}/status`)).toContain(`PPid:\t${pid}\n`);
      yield* p.wait();
      expect(yield* fileText(p, `/proc/${child}/status`)).toBe(-Errno.ENOENT);
    });
  });

  it('shows descriptors as links that lead to the very files', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.open('/tmp/a', RDWR | CREAT, 0o600);
      const pipe = yield* p.pipe();
      expect(yield* namesIn(p, '/proc/self/fd')).toEqual(['.', '..', String(fd), String(pipe), String(pipe + 1), String(pipe + 2)]);
      yield* p.rename('/tmp/a', '/tmp/b');
      expect(yield* linkText(p, `/proc/self/fd/${fd}`)).toBe('/tmp/b');
      yield* p.unlink('/tmp/b');
      expect(yield* linkText(p, `/proc/self/fd/${fd}`)).toBe('/tmp/b (deleted)');
      yield* p.stat(`/proc/self/fd/${fd}`, at);
      const bytes = new Uint8Array(144);
      yield* p.loadBytes(at, bytes);
      expect(readStat(bytes), 'the file, though its path is gone').toMatchObject({ links: 0, mode: 0o100600 });
      expect(yield* linkText(p, `/proc/self/fd/${pipe}`)).toMatch(/^pipe:\[\d+\]$/);
      expect(yield* linkText(p, '/proc/self/fd/99')).toBe(-Errno.ENOENT);
    });
  });

  it('shows where a process is, and what it executes', () => {
    const inner = executable('inner', function* (p) {
      expect(yield* linkText(p, '/proc/self/exe')).toBe('/bin/inner');
      expect(yield* linkText(p, '/proc/self/cwd')).toBe('/tmp');
      yield* p.fork(function* (q) {
        expect(yield* linkText(q, '/proc/self/exe'), 'a child executes the same').toBe('/bin/inner');
      });
      yield* p.wait();
    });
    run(
      function* (p) {
        expect(yield* linkText(p, '/proc/self/exe'), 'given by the host').toBe(-Errno.ENOENT);
        yield* p.chdir('/tmp');
        yield* p.exec('/bin/inner');
      },
      { files: [{ path: '/bin/inner', mode: 0o755, image: inner }] },
    );
  });

  it('is not for programs to change', () => {
    run(function* (p) {
      expect([yield* p.mkdir('/proc/x', 0o755), yield* p.open('/proc/x', CREAT | RDWR, 0o600)]).toEqual([-Errno.ENOENT, -Errno.ENOENT]);
      expect(yield* p.truncate('/proc/meminfo', 0), 'done, and without effect').toBe(0);
      expect([yield* p.unlink('/proc/meminfo'), yield* p.rmdir('/proc')]).toEqual([-Errno.EPERM, -Errno.EBUSY]);
      expect(yield* p.rename('/proc/meminfo', '/tmp/meminfo')).toBe(-Errno.EXDEV);
    });
  });

  it('tells of the machine', () => {
    run(function* (p) {
      expect(yield* fileText(p, '/proc/meminfo')).toMatch(/^MemTotal: +1048576 kB\n/);
      expect(yield* fileText(p, '/proc/cpuinfo')).toMatch(/^(processor[\s\S]*?\n\n){4}$/);
      expect(yield* fileText(p, '/proc/uptime')).toMatch(/^\d+\.\d\d \d+\.\d\d\n$/);
      expect(yield* fileText(p, '/proc/loadavg')).toMatch(/^0.00 0.00 0.00 1\/1 \d+\n$/);
      expect(yield* fileText(p, '/proc/mounts')).toBe(
        'tmpfs / tmpfs rw,relatime 0 0\nproc /proc proc rw,relatime 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,relatime 0 0\n',
      );
      expect(yield* fileText(p, '/proc/sys/kernel/random/uuid')).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$/,
      );
    });
  });
});
