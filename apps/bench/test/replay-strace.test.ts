import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from './terminal.js';

const traces = fileURLToPath(new URL('traces', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'rpal-strace-'));
afterAll(() => rmSync(place, { recursive: true }));

/** Replays the lines of a trace. */
async function replayed(...lines: string[]) {
  const file = join(place, 'trace');
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
  return run(['replay-strace', file]);
}

const BEGIN = '7 execve("/bin/x", ["x"], []) = 0';
const END = ['7 exit_group(0)                         = ?', '7 +++ exited with 0 +++'];

describe('rpal-bench replay-strace', () => {
  it.for(['lua-files', 'sqlite-journal', 'busybox-sh-pipes', 'dash-pipes', 'memcached', 'redis-benchmark'])(
    'finds that %s agrees',
    { timeout: 60_000 },
    async (name) => {
      const { code, stdout } = await run(['replay-strace', join(traces, `${name}.strace`)]);
      expect(stdout).toMatch(/^\d+ calls of .* compared: \d+ agree, 0 do not$/m);
      expect(code).toBe(0);
    },
  );

  /** What the model does not have, and calls that fail for it; and how many calls must have been compared at least. */
  const servers: readonly (readonly [name: string, calls: number, missing: readonly RegExp[]])[] = [
    // A netlink socket, for the audit log.
    ['dbus-clients', 500, [/^socket\(0x10, /, /^fcntl\(\d+, 0x2, 0x1\)/]],
    // The computer it ran on has no protection keys, and limits of memory in a control group of version 1.
    [
      'node-child',
      750,
      [/^pkey_alloc\(0, 0x1\)/, /^openat\(.*"\/sys\/fs\/cgroup\/memory\//, /^read\(17, "9223372036854771712/, /^close\(17\)/],
    ],
  ];
  it.for(servers)('finds that %s agrees, but for what is listed', { timeout: 60_000 }, async ([name, calls, missing]) => {
    const { stdout } = await run(['replay-strace', join(traces, `${name}.strace`), '--differences', '1000']);
    const differing = [...stdout.matchAll(/^line \d+: (.*)$/gm)].map(([, text]) => text as string);
    expect(differing.filter((text) => !missing.some((pattern) => pattern.test(text)))).toEqual([]);
    expect(Number(/^(\d+) calls of/m.exec(stdout)?.[1])).toBeGreaterThan(calls);
    // Where it ends before the trace does, it is for a call that the model does not have yet.
    expect(/, line \d+: (.*)\. What was/.exec(stdout)?.[1] ?? 'the model has no more').toMatch(/^the model has no \w+$/);
  });

  it('says which call differs, in result or in data', async () => {
    const { code, stdout } = await replayed(
      BEGIN,
      '7 pipe2([3, 4], 0) = 0',
      '7 write(4, "abc", 3) = 2',
      '7 read(3, "abd", 10) = 3',
      '7 close(9) = -1 EBADF (Bad file descriptor)',
      ...END,
    );
    expect(stdout).toContain('line 3: write(4, "abc", 3) = 2\n  it returns 3, in the trace 2\n');
    expect(stdout).toContain('line 4: read(3, "abd", 10) = 3\n  byte 2 of its data is 99, in the trace 100\n');
    expect(stdout).toContain('6 calls of one task compared: 4 agree, 2 do not');
    expect(code).toBe(1);
  });

  it('puts files into the tree that the trace finds, and not those that it makes', async () => {
    const { code } = await replayed(
      '# cwd /home/me',
      BEGIN,
      '7 openat(-100, "here", 0) = 3',
      '7 read(3, "what it \\"says\\"\\n", 100) = 15',
      '7 openat(-100, "new", 0x42, 0600) = 4',
      '7 newfstatat(4, "", {st_mode=0100600, st_nlink=1, st_uid=0, st_gid=0, st_size=0}, 0x1000) = 0',
      '7 access("../me/gone", 0) = -1 ENOENT (No such file or directory)',
      '7 readlink("/etc/link", "target", 10) = 6',
      // Flags of which none is set.
      '7 statx(-100, "gone", , 0xfff, 0x1000) = -1 ENOENT (No such file or directory)',
      '7 openat(-100, "large", 0) = 5',
      '7 newfstatat(5, "", {st_mode=0100644, st_nlink=1, st_uid=0, st_gid=0, st_size=100000000}, 0x1000) = 0',
      ...END,
    );
    expect(code).toBe(0);
  });

  it('follows threads, children, signals and calls that are unfinished', async () => {
    const { code, stdout } = await replayed(
      BEGIN,
      '7 rt_sigaction(17, {sa_handler=0x4000, sa_mask=[], sa_flags=0x14000000, sa_restorer=0x5000}, NULL, 8) = 0',
      '7 pipe2([3, 4], 0) = 0',
      '7 clone(child_stack=NULL, flags=0x1200000|17, child_tidptr=0x6000) = 9',
      '7 read(3,  <unfinished ...>',
      '9 getppid() = 7',
      '9 write(4, "x", 1 <unfinished ...>',
      '7 <... read resumed>"x", 1) = 1',
      '9 <... write resumed>) = 1',
      '9 exit_group(3) = ?',
      '9 +++ exited with 3 +++',
      '7 --- SIGCHLD {si_signo=17, si_code=0x1, si_pid=9, si_uid=0, si_status=3, si_utime=0, si_stime=0} ---',
      '7 rt_sigreturn({mask=[]}) = 1',
      '7 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 9',
      ...END,
    );
    expect(stdout).toContain('10 calls of 2 tasks compared: 10 agree, 0 do not');
    expect(code).toBe(0);
  });

  it('gives a signal to the thread that has it in the trace, and wakes who joins a thread', async () => {
    const thread =
      'clone3({flags=0x3d0f00, child_tid=0x6000, parent_tid=0x6000, exit_signal=0, stack=0x1000, stack_size=0x1000, tls=0x6100}';
    const { code, stdout } = await replayed(
      BEGIN,
      '7 rt_sigaction(17, {sa_handler=0x4000, sa_mask=[], sa_flags=0x14000000, sa_restorer=0x5000}, NULL, 8) = 0',
      '7 pipe2([3, 4], 0) = 0',
      `7 ${thread} => {parent_tid=[8]}, 88) = 8`,
      '8 read(3,  <unfinished ...>',
      '7 clone(child_stack=NULL, flags=0x1200000|17, child_tidptr=0x7000) = 9',
      '9 exit_group(0) = ?',
      '9 +++ exited with 0 +++',
      '7 --- SIGCHLD {si_signo=17, si_code=0x1, si_pid=9, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---',
      '7 rt_sigreturn({mask=[]}) = 0',
      '7 write(4, "x", 1) = 1',
      '8 <... read resumed>"x", 1) = 1',
      '7 futex(0x6000, 0x109, 8, NULL, 0xffffffff <unfinished ...>',
      '8 exit(0) = ?',
      '8 +++ exited with 0 +++',
      '7 <... futex resumed>) = 0',
      ...END,
    );
    expect(stdout).toContain('11 calls of 3 tasks compared: 11 agree, 0 do not');
    expect(code).toBe(0);
  });

  it.for([
    ['a line that is none', '7 what is this', 'line 3: this is not a line of strace'],
    ['a line that is cut', '7 write(1, "ab', 'line 3: it is cut: it has no result'],
    ['a string that is cut', '7 write(1, "ab"..., 100) = 100', 'line 3: a string is cut; record with strace -s 1000000'],
    ['a structure that is cut', '7 fstat(0, {st_mode=020666, ...}) = 0', 'line 3: a structure is cut; record with strace -v'],
    ['an error that is none', '7 close(0) = -1 EWHAT (What)', 'line 3: EWHAT is not an error that is known'],
    ['a call resumed that was not begun', '7 <... read resumed>"", 1) = 0', 'line 3: process 7 has begun no read'],
  ] as const)('ends with exit code 2 at %s, and says what was compared before', async ([, line, message]) => {
    const { code, stdout } = await replayed(BEGIN, '7 getpid() = 7', line, ...END);
    expect(stdout.replace(/\s+/g, ' ')).toContain(message);
    expect(stdout).toContain('2 calls of one task compared: 2 agree, 0 do not');
    expect(code).toBe(2);
  });

  it('says that a trace is cut whose processes do not end', async () => {
    const { code, stdout } = await replayed(BEGIN, '7 getpid() = 7', '7 read(0,  <unfinished ...>');
    expect(stdout).toContain('line 3: it is cut: "read(0, " does not end');
    expect(code).toBe(2);
  });

  it.for([
    ['7 frobnicate() = 0', 'there is no system call frobnicate in Linux 6.15'],
    ['7 swapoff("x") = 0', 'the player does not know the arguments of swapoff'],
    ['8 getpid() = 8', 'process 8 has not been made by any call before'],
  ] as const)('ends with exit code 1 at %s', async ([line, message]) => {
    const { code, stdout } = await replayed(BEGIN, line, ...END, '8 +++ exited with 0 +++');
    expect(stdout.replace(/\s+/g, ' ')).toContain(`line 2: ${message}. What was before it has been compared`);
    expect(code).toBe(1);
  });

  it('is wrong use without a file that can be read', async () => {
    const { code, stderr } = await run(['replay-strace', join(place, 'none')]);
    expect(stderr).toContain('cannot be read');
    expect(code).toBe(2);
  });

  it('has its traces from the script beside them', () => {
    const script = readFileSync(join(traces, 'record.sh'), 'utf8');
    for (const name of [
      'lua-files',
      'sqlite-journal',
      'busybox-sh-pipes',
      'dash-pipes',
      'memcached',
      'redis-benchmark',
      'dbus-clients',
      'node-child',
    ])
      expect(script).toContain(`record ${name} `);
  });
});
