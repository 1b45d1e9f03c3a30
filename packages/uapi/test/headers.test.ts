import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as uapi from '../src/index.js';

/** How the names of each group are spelt in C, group by group. */
const FILE_MODES: Readonly<Record<string, string>> = {
  TYPE: 'S_IFMT',
  SOCKET: 'S_IFSOCK',
  SYMLINK: 'S_IFLNK',
  REGULAR: 'S_IFREG',
  BLOCK: 'S_IFBLK',
  DIRECTORY: 'S_IFDIR',
  CHARACTER: 'S_IFCHR',
  FIFO: 'S_IFIFO',
  SETUID: 'S_ISUID',
  SETGID: 'S_ISGID',
  STICKY: 'S_ISVTX',
  GROUP_EXECUTE: 'S_IXGRP',
  PERMISSIONS: 'ALLPERMS',
};

const SPELLING: Readonly<Record<string, (name: string) => string>> = {
  AccessMode: (name) => `${{ EXISTS: 'F', EXECUTE: 'X', WRITE: 'W', READ: 'R' }[name]}_OK`,
  At: (name) => `AT_${name}`,
  FallocateMode: (name) => `FALLOC_FL_${name}`,
  FileLock: (name) => `F_${name}`,
  FileMode: (name) => FILE_MODES[name] ?? name,
  Flock: (name) => (name === 'NONBLOCK' ? 'LOCK_NB' : `LOCK_${name}`),
  Inotify: (name) => `IN_${name}`,
  RenameFlag: (name) => `RENAME_${name}`,
  Resolve: (name) => `RESOLVE_${name}`,
  AddressFamily: (name) => `AF_${name}`,
  Epoll: (name) => (/^CTL_|^CLOEXEC$/.test(name) ? `EPOLL_${name}` : `EPOLL${name}`),
  EpollIoctl: (name) => `EPIOC${name}`,
  Errno: (name) => name,
  Fcntl: (name) => `F_${name}`,
  Futex: (name) => `FUTEX_${name}`,
  FutexWord: (name) => `FUTEX_${name}`,
  LinuxCall: (name) => `__NR_${name}`,
  Ipc: (name) => `IPC_${name}`,
  Clock: (name) => `CLOCK_${name}`,
  Itimer: (name) => `ITIMER_${name}`,
  Madvise: (name) => `MADV_${name}`,
  MapFlag: (name) => (name === 'BIT32' ? 'MAP_32BIT' : `MAP_${name}`),
  MessageFlag: (name) => `MSG_${name}`,
  OpenFlag: (name) => `O_${name}`,
  Mremap: (name) => `MREMAP_${name}`,
  Pkey: (name) => `PKEY_${name}`,
  Poll: (name) => (name === 'NVAL' ? 'POLLNVAL' : `EPOLL${name}`),
  Prctl: (name) => `PR_${name}`,
  SchedCore: (name) => `PR_SCHED_CORE_${name}`,
  SchedCoreScope: (name) => `PR_SCHED_CORE_SCOPE_${name}`,
  Prio: (name) => `PRIO_${name}`,
  Prot: (name) => `PROT_${name}`,
  Rlimit: (name) => `RLIMIT_${name}`,
  Rusage: (name) => `RUSAGE_${name}`,
  Seek: (name) => `SEEK_${name}`,
  Shm: (name) => `SHM_${name}`,
  SigEvent: (name) => `SIGEV_${name}`,
  Shutdown: (name) => `SHUT_${name}`,
  // The C library's SIGRTMIN leaves out the two signals that it uses itself.
  Signal: (name) => (name.startsWith('RT') ? `__SIG${name}` : `SIG${name}`),
  SignalCode: (name) => (name.includes('_') ? name : `SI_${name}`),
  SignalFlag: (name) => `SA_${name}`,
  SignalMask: (name) => `SIG_${name}`,
  SocketOption: (name) => `SO_${name}`,
  SocketType: (name) => `SOCK_${name}`,
  WaitOption: (name) => (['ALL', 'CLONE', 'NOTHREAD'].includes(name) ? `__W${name}` : `W${name}`),
};

/** Not in the headers for programs. */
const KERNEL_ONLY = [
  'ERESTARTSYS',
  'ERESTARTNOINTR',
  'ERESTARTNOHAND',
  'ERESTART_RESTARTBLOCK',
  'O_LARGEFILE',
  'EPIOCSPARAMS',
  'EPIOCGPARAMS',
  '__NR_uretprobe',
  // Newer than most headers.
  'FALLOC_FL_WRITE_ZEROES',
  'MADV_GUARD_INSTALL',
  'MADV_GUARD_REMOVE',
  // The C library's has O_DIRECTORY in it.
  'O_TMPFILE',
  // A sum.
  'ANY_EXECUTE',
];

const HEADERS = [
  'errno',
  'fcntl',
  'linux/falloc',
  'linux/futex',
  'linux/mman',
  'linux/openat2',
  'poll',
  'signal',
  'stdio',
  'sys/epoll',
  'sys/file',
  'sys/inotify',
  'sys/mman',
  'sys/prctl',
  'sys/resource',
  'sys/shm',
  'sys/socket',
  'sys/stat',
  'sys/syscall',
  'sys/time',
  'time',
  'unistd',
  'sys/wait',
];

interface Constant {
  readonly name: string;
  readonly value: number;
}

function constants(): readonly Constant[] {
  return Object.entries(uapi).flatMap(([group, members]) => {
    if (typeof members !== 'object') return [];
    const spell = SPELLING[group];
    if (spell === undefined) throw new Error(`SPELLING has no rule for the group ${group}: say how its names are spelt in C`);
    return Object.entries(members).map(([name, value]) => ({ name: spell(name), value }));
  });
}

/** What the C library of this computer says: the constants it knows, and the size of a struct. Undefined without a compiler. */
function compiled(names: readonly string[]): Map<string, number> | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'uapi-'));
  try {
    const source = [
      '#define _GNU_SOURCE',
      '#include <stdio.h>',
      ...HEADERS.map((header) => `#include <${header}.h>`),
      'int main(void) {',
      ...names.flatMap((name) => [`#ifdef ${name}`, `  printf("${name} %d\\n", (int)${name});`, '#endif']),
      '  printf("sizeof %zu\\n", sizeof(struct epoll_event));',
      '}',
    ];
    writeFileSync(join(directory, 'print.c'), source.join('\n'));
    const cc = spawnSync('cc', ['-o', join(directory, 'print'), join(directory, 'print.c')], { encoding: 'utf8' });
    if (cc.error !== undefined) return undefined;
    if (cc.status !== 0) throw new Error(cc.stderr);
    const { stdout } = spawnSync(join(directory, 'print'), { encoding: 'utf8' });
    return new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => [line.split(' ')[0] as string, Number(line.split(' ')[1])]),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe('the constants', () => {
  it('are those of the C headers of this computer', ({ skip }) => {
    skip(process.platform !== 'linux' || process.arch !== 'x64', 'the headers at hand are not those of Linux on x86-64');
    const all = constants();
    const real = compiled(all.map(({ name }) => name));
    if (real === undefined) return skip('there is no C compiler (cc)');
    // Headers of an older Linux do not have the newest calls.
    const newest = Math.max(...all.map(({ name }) => (name.startsWith('__NR_') ? (real.get(name) ?? 0) : 0)));
    const known = all.filter(({ name, value }) => !KERNEL_ONLY.includes(name) && !(name.startsWith('__NR_') && value > newest));
    expect(
      Object.fromEntries(
        known.map(
          (
            { name, value }, // In the model it is not a signed number, as it is used alone.
          ) => [name, name === 'IN_ONESHOT' ? value | 0 : value],
        ),
      ),
    ).toEqual(Object.fromEntries(known.map(({ name }) => [name, real.get(name) ?? 'not in the headers: is the name right?'])));
    expect(uapi.EPOLL_EVENT_SIZE).toBe(real.get('sizeof'));
  });
});
