/**
 * What an argument of a call is: how it gets from a trace into the registers and memory of the model, and how what the call leaves there
 * is compared.
 *
 * `int`: a number. `fd`, `pid`, `addr`: a number that has another value in the model. `path`: a string. `in`: bytes that the call reads.
 * `out`: bytes that it fills. `any`: bytes that it fills, which are not compared (times, random numbers, names of the computer).
 * Names of structures: `>` the call reads it, `<` it fills it, `=` both.
 */
export type Shape = string;

/** What a call does with a structure: reads it, fills it, or both. */
export type Way = '>' | '<' | '=';

/** What a call returns: a number; a new descriptor; a process; an address, of which only failure is compared; nothing that could be compared. */
export type Result = 'number' | 'fd' | 'pid' | 'address' | 'any';

/** A call as the player makes it. */
export interface CallShape {
  readonly args: readonly Shape[];
  readonly result: Result;
}

/** Calls that make tasks. What they are given is for the player, and has no shape. */
export const CLONES: ReadonlySet<string> = new Set(['clone', 'clone3', 'fork', 'vfork']);

/** Calls that wait for what others send. */
export const RECEIVES: ReadonlySet<string> = new Set([
  'read',
  'readv',
  'recvfrom',
  'recvmsg',
  'accept',
  'accept4',
  'poll',
  'ppoll',
  'epoll_wait',
  'epoll_pwait',
]);

const shapes: Record<string, string> = {
  read: 'fd out int',
  write: 'fd in int',
  open: 'path int int -> fd',
  openat: 'fd path int int -> fd',
  creat: 'path int -> fd',
  close: 'fd',
  stat: 'path <stat',
  lstat: 'path <stat',
  fstat: 'fd <stat',
  newfstatat: 'fd path <stat int',
  statx: 'fd path int int <statx',
  access: 'path int',
  faccessat: 'fd path int',
  faccessat2: 'fd path int int',
  lseek: 'fd int int',
  pread64: 'fd out int int',
  pwrite64: 'fd in int int',
  readv: 'fd <iovec int',
  writev: 'fd >iovec int',
  preadv: 'fd <iovec int int',
  pwritev: 'fd >iovec int int',
  munmap: 'addr int',
  mprotect: 'addr int int',
  madvise: 'addr int int',
  msync: 'addr int int',
  mlock: 'addr int',
  munlock: 'addr int',
  ioctl: 'fd int =word',
  dup: 'fd -> fd',
  dup2: 'fd int -> fd',
  dup3: 'fd int int -> fd',
  pipe: '<pair',
  pipe2: '<pair int',
  socketpair: 'int int int <pair',
  socket: 'int int int -> fd',
  bind: 'fd >sockaddr int',
  connect: 'fd >sockaddr int',
  listen: 'fd int',
  accept: 'fd any any -> fd',
  accept4: 'fd any any int -> fd',
  getsockname: 'fd any any',
  getpeername: 'fd any any',
  shutdown: 'fd int',
  setsockopt: 'fd int int >word int',
  getsockopt: 'fd int int any any',
  sendto: 'fd in int int >sockaddr int',
  recvfrom: 'fd out int int any any',
  sendmsg: 'fd >msghdr int',
  recvmsg: 'fd <msghdr int',
  poll: '=pollfds int int',
  ppoll: '=pollfds int >timespec >sigset int',
  epoll_create: 'int -> fd',
  epoll_create1: 'int -> fd',
  epoll_ctl: 'fd int fd >epoll_event',
  epoll_wait: 'fd <epoll_events int int',
  epoll_pwait: 'fd <epoll_events int int >sigset int',
  eventfd: 'int -> fd',
  eventfd2: 'int int -> fd',
  timerfd_create: 'int int -> fd',
  timerfd_settime: 'fd int >itimerspec any',
  signalfd4: 'fd >sigset int int -> fd',
  inotify_init: '-> fd',
  inotify_init1: 'int -> fd',
  inotify_add_watch: 'fd path int',
  inotify_rm_watch: 'fd int',
  memfd_create: 'path int -> fd',
  rt_sigaction: 'int >sigaction <sigaction int',
  rt_sigprocmask: 'int >sigset <sigset int',
  rt_sigpending: '<sigset int',
  rt_sigsuspend: '>sigset int',
  sigaltstack: '>stack any',
  getpid: '-> pid',
  gettid: '-> pid',
  getppid: '-> pid',
  getpgrp: '-> pid',
  getpgid: 'pid -> pid',
  getsid: 'pid -> pid',
  setsid: '-> pid',
  setpgid: 'pid pid',
  set_tid_address: 'addr -> pid',
  set_robust_list: 'addr int',
  rseq: 'addr int int int',
  arch_prctl: 'int addr',
  prctl: 'int in int int int',
  prlimit64: 'pid int >rlimit any',
  getrlimit: 'int any',
  setrlimit: 'int >rlimit',
  getrandom: 'any int int',
  uname: 'any',
  sysinfo: 'any',
  getrusage: 'int any',
  times: 'any -> any',
  time: 'any -> any',
  clock_gettime: 'int any',
  clock_getres: 'int any',
  gettimeofday: 'any any',
  nanosleep: '>timespec any',
  clock_nanosleep: 'int int >timespec any',
  setitimer: 'int >itimerval any',
  alarm: 'int -> any',
  sched_yield: '',
  sched_getaffinity: 'pid int any -> any',
  sched_setaffinity: 'pid int >word',
  getpriority: 'int pid',
  setpriority: 'int pid int',
  getuid: '',
  geteuid: '',
  getgid: '',
  getegid: '',
  setuid: 'int',
  setgid: 'int',
  getgroups: 'int any',
  umask: 'int',
  kill: 'pid int',
  tkill: 'pid int',
  tgkill: 'pid pid int',
  wait4: 'pid <status int any -> pid',
  exit: 'int -> any',
  exit_group: 'int -> any',
  chdir: 'path',
  fchdir: 'fd',
  getcwd: 'out int',
  mkdir: 'path int',
  mkdirat: 'fd path int',
  mknod: 'path int int',
  mknodat: 'fd path int int',
  rmdir: 'path',
  unlink: 'path',
  unlinkat: 'fd path int',
  rename: 'path path',
  renameat: 'fd path fd path',
  renameat2: 'fd path fd path int',
  link: 'path path',
  linkat: 'fd path fd path int',
  symlink: 'path path',
  symlinkat: 'path fd path',
  readlink: 'path out int',
  readlinkat: 'fd path out int',
  chmod: 'path int',
  fchmod: 'fd int',
  fchmodat: 'fd path int',
  chown: 'path int int',
  lchown: 'path int int',
  fchown: 'fd int int',
  fchownat: 'fd path int int int',
  truncate: 'path int',
  ftruncate: 'fd int',
  fallocate: 'fd int int int',
  fsync: 'fd',
  fdatasync: 'fd',
  sync: '',
  flock: 'fd int',
  utimensat: 'fd path >timespecs int',
  getdents64: 'fd <dirents int',
  statfs: 'path any',
  fstatfs: 'fd any',
  sendfile: 'fd fd =offset int',
  copy_file_range: 'fd =offset fd =offset int int',
  splice: 'fd =offset fd =offset int int',
  fadvise64: 'fd int int int',
  futex: 'addr int int any addr int',
  membarrier: 'int int int',
  capget: '>caphdr any',
  capset: '>caphdr >capdata',
  getresuid: 'any any any',
  getresgid: 'any any any',
  setresuid: 'int int int',
  setresgid: 'int int int',
  setreuid: 'int int',
  setregid: 'int int',
  setgroups: 'int any',
  pkey_alloc: 'int int',
  pkey_free: 'int',
  pkey_mprotect: 'addr int int int',
  getcpu: 'any any',
  pidfd_open: 'pid int -> fd',
  pidfd_send_signal: 'fd int any int',
  process_vm_readv: 'pid any int any int int -> any',
  sched_setscheduler: 'pid int any',
  sched_getscheduler: 'pid',
  sched_getparam: 'pid any',
  sched_get_priority_max: 'int',
  sched_get_priority_min: 'int',
  timerfd_gettime: 'fd any',
  getitimer: 'int any',
  mlockall: 'int',
  munlockall: '',
  mincore: 'addr int any',
  pause: '',
  rt_sigtimedwait: '>sigset any >timespec int',
  sync_file_range: 'fd int int int',
  syncfs: 'fd',
  readahead: 'fd int int',
  tee: 'fd fd int int',
  close_range: 'int int int',
};

function parsed(text: string): CallShape {
  const [args = '', result = 'number'] = text.split('->').map((part) => part.trim());
  return { args: args === '' ? [] : args.split(' '), result: result as Result };
}

const table: ReadonlyMap<string, CallShape> = new Map(Object.entries(shapes).map(([name, text]) => [name, parsed(text)]));

/** Calls whose shape depends on what is asked for. */
const LOCKS: ReadonlySet<number> = new Set([5, 6, 7, 36, 37, 38]);
const DUPLICATES: ReadonlySet<number> = new Set([0, 1030]);

/** How a call is made; undefined: the player does not know it. @param command the second argument, if that is a number */
export function shapeOf(name: string, command: number): CallShape | undefined {
  if (name !== 'fcntl') return table.get(name);
  if (LOCKS.has(command)) return parsed('fd int =flock');
  return parsed(DUPLICATES.has(command) ? 'fd int int -> fd' : 'fd int int');
}

/** A field of a structure: where it is, how long, and whether what a call has left there is compared. */
export interface Field {
  readonly offset: number;
  readonly bytes: 1 | 2 | 4 | 8;
  readonly compared: boolean;
}

/** Structures of numbers: `name@offset:bytes`, with ! for those that are not compared. */
const structures: Record<string, { size: number; fields: string }> = {
  // Numbers, blocks and times of files are those of another file system; links of directories are, too.
  stat: { size: 144, fields: 'st_mode@24:4 st_uid@28:4 st_gid@32:4 st_size@48:8' },
  statx: { size: 256, fields: 'stx_mode@28:2 stx_uid@20:4 stx_gid@24:4 stx_size@40:8' },
  flock: { size: 32, fields: 'l_type@0:2 l_whence@2:2 l_start@8:8 l_len@16:8 l_pid@24:4!' },
  timespec: { size: 16, fields: 'tv_sec@0:8 tv_nsec@8:8' },
  rlimit: { size: 16, fields: 'rlim_cur@0:8 rlim_max@8:8' },
  stack: { size: 24, fields: 'ss_sp@0:8 ss_flags@8:4 ss_size@16:8' },
  epoll_event: { size: 12, fields: 'events@0:4' },
};

export interface Structure {
  readonly size: number;
  readonly fields: ReadonlyMap<string, Field>;
}

export const STRUCTURES: ReadonlyMap<string, Structure> = new Map(
  Object.entries(structures).map(([name, { size, fields }]) => [
    name,
    {
      size,
      fields: new Map(
        fields.split(' ').map((text): [string, Field] => {
          const [, field, offset, bytes, ignored] = /^(\w+)@(\d+):(\d)(!?)$/.exec(text) as unknown as [
            string,
            string,
            string,
            string,
            string,
          ];
          return [field, { offset: Number(offset), bytes: Number(bytes) as Field['bytes'], compared: ignored === '' }];
        }),
      ),
    },
  ]),
);
