import { Futex, signalName } from '@rpal/uapi';
import type { SyscallNumber } from './syscall-numbers.js';
import type { CallRegisters } from './user-context.js';

/** The calls of a machine: only their names. */
export interface CallNames {
  get(nr: number): { readonly name: string; readonly plugin: string | null; readonly signature: string | null } | undefined;
}

type Signatures = Readonly<Record<keyof typeof SyscallNumber, string>>;

let signatures: Partial<Signatures> = {};

function known(all: Signatures): Signatures {
  signatures = all;
  return all;
}

/**
 * The arguments of each call in the order of its registers, as the model passes them. `*` marks an address or a mask, shown in
 * hexadecimal; `$` a string, which takes a register as its address would; `:signal` and `:futex` what has names; `:octal` a mode, if there
 * is one; `-` a register
 * that carries nothing.
 *
 * Reports of deaths and deadlocks use it where the module is evaluated as a whole, which it is outside of bundles; in a bundle only if the
 * program imports it, so that a page need not carry it: then registers are shown as numbers.
 * @public for pages that show calls to people
 */
export const callSignatures: Signatures = /* @__PURE__ */ known({
  read: 'fd buf* count',
  write: 'fd buf* count',
  open: 'path$ flags* mode:octal',
  openat: 'dirfd path$ flags* mode:octal',
  close: 'fd',
  poll: 'fds* nfds timeout_ms',
  lseek: 'fd offset whence',
  mmap: 'addr* length prot* flags* fd offset',
  mprotect: 'addr* length prot*',
  munmap: 'addr* length',
  brk: 'addr*',
  rt_sigaction: 'sig:signal',
  rt_sigprocmask: 'how set* set_high*',
  rt_sigreturn: '',
  ioctl: 'fd request* argument*',
  pread64: 'fd buf* count offset',
  pwrite64: 'fd buf* count offset',
  readv: 'fd',
  writev: 'fd',
  select: 'nfds readfds* writefds* exceptfds* timeout_ns',
  sched_yield: '',
  madvise: 'addr* length advice',
  dup: 'fd',
  dup2: 'fd new_fd',
  pause: '',
  nanosleep: 'ns',
  getpid: '',
  socket: 'family type*',
  connect: 'fd path$',
  accept: 'fd',
  sendto: 'fd buf* count flags*',
  recvfrom: 'fd buf* count flags*',
  sendmsg: 'fd - flags*',
  recvmsg: 'fd - flags*',
  shutdown: 'fd how',
  bind: 'fd path$',
  listen: 'fd backlog',
  socketpair: 'family type*',
  setsockopt: 'fd level option value',
  getsockopt: 'fd level option',
  clone: '',
  fork: '',
  execve: '',
  exit: 'status',
  wait4: 'pid - options*',
  kill: 'pid sig:signal',
  fcntl: 'fd command argument*',
  getrusage: 'who usage*',
  ftruncate: 'fd size',
  unlink: 'path$',
  getuid: '',
  setuid: 'uid',
  getppid: '',
  setpriority: 'which who nice',
  sched_setscheduler: 'pid policy priority',
  sched_getscheduler: 'pid',
  rt_sigpending: '',
  rt_sigtimedwait: 'set* set_high* timeout_ns',
  rt_sigqueueinfo: 'pid sig:signal value',
  rt_sigsuspend: 'mask* mask_high*',
  mlock: 'addr* length',
  munlock: 'addr* length',
  prctl: 'option argument',
  arch_prctl: 'option* addr*',
  gettid: '',
  futex: 'uaddr* op:futex val timeout_ns uaddr2* val3',
  sched_setaffinity: 'pid',
  sched_getaffinity: 'pid',
  exit_group: 'status',
  epoll_wait: 'epfd events* maxevents timeout_ms',
  epoll_ctl: 'epfd op fd events* data',
  tgkill: 'tgid tid sig:signal',
  ppoll: 'fds* nfds timeout_ns mask*',
  timerfd_create: 'clock flags*',
  timerfd_settime: 'fd flags* value_ns interval_ns',
  timerfd_gettime: 'fd',
  accept4: 'fd - - flags*',
  signalfd4: 'fd mask* mask_high* flags*',
  eventfd2: 'initial flags*',
  epoll_create1: 'flags*',
  dup3: 'fd new_fd flags*',
  pipe2: '- flags*',
  prlimit64: 'pid resource limit hard_limit',
  memfd_create: 'name$ flags*',
  pkey_mprotect: 'addr* length prot* pkey',
  pkey_alloc: 'flags* rights*',
  pkey_free: 'pkey',
  epoll_pwait2: 'epfd events* maxevents timeout_ns mask*',
});

const futexCommands = new Map<number, string>(Object.entries(Futex).map(([name, number]) => [number, `FUTEX_${name}`]));

/**
 * `read(fd 3, buf 0x7ffff7ff0000, count 32)`: a system call for people, as the model passes its arguments.
 * @param calls those of the machine, for the names of calls that plugins have defined
 */
export function callText(call: CallRegisters, calls: CallNames): string {
  const registers = [call.a0, call.a1, call.a2, call.a3, call.a4, call.a5];
  const { name, plugin, signature: own } = calls.get(call.nr) ?? { name: `call ${call.nr}`, plugin: null, signature: null };
  const signature = own ?? (plugin === null ? signatures[name as keyof typeof SyscallNumber] : null) ?? null;
  if (signature === null) return `${name}(${untilLastUsed(registers).map(hex).join(', ')})`;
  const shown = signature.split(' ').flatMap((parameter, index) => argument(parameter, registers[index] as number, call.text));
  return `${name}(${shown.join(', ')})`;
}

/** Without the zeroes at the end: registers that the caller did not set. */
function untilLastUsed(registers: readonly number[]): readonly number[] {
  let used = registers.length;
  while (used > 0 && registers[used - 1] === 0) used--;
  return registers.slice(0, used);
}

function argument(parameter: string, value: number, text: string): string[] {
  if (parameter === '' || parameter === '-') return [];
  const [name, kind] = parameter.split(':') as [string, string?];
  if (kind === 'signal') return [`${name} ${signalName(value)}`];
  if (kind === 'octal') return value === 0 ? [] : [`${name} 0${value.toString(8)}`];
  if (kind === 'futex') return [`${name} ${futexText(value)}`];
  if (name.endsWith('*')) return [`${name.slice(0, -1)} ${hex(value)}`];
  if (name.endsWith('$')) return [`${name.slice(0, -1)} ${JSON.stringify(text)}`];
  return [`${name} ${value}`];
}

function futexText(operation: number): string {
  const flags = [Futex.PRIVATE_FLAG, Futex.CLOCK_REALTIME].filter((flag) => (operation & flag) !== 0);
  const command = flags.reduce((rest, flag) => rest & ~flag, operation);
  return [futexCommands.get(command) ?? `command ${command}`, ...flags.map((flag) => futexCommands.get(flag))].join('|');
}

/** Addresses in hexadecimal; small and negative numbers, which are not addresses, in decimal. */
function hex(value: number): string {
  return value >= 0 ? `0x${value.toString(16)}` : String(value);
}
