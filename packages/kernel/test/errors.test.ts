import { Epoll, Errno, Fcntl, MessageFlag, OpenFlag, Poll, Shutdown, Signal, SocketOption, SocketType, WaitOption } from '@rpal/uapi';
import { afterAll, describe, expect, it } from 'vitest';
import type { Call } from './real/calls.js';
import { ModelWorkers } from './real/model-workers.js';
import { RealKernel } from './real/real-kernel.js';

const { STREAM, DGRAM, SEQPACKET, NONBLOCK } = SocketType;
const { CTL_ADD, CTL_DEL, CTL_MOD, EXCLUSIVE } = Epoll;
const { DONTWAIT, TRUNC } = MessageFlag;

type Line = readonly [name: string, ...args: number[]];

/** Calls of one process in order; the last one fails. Descriptors count from 0 in the order in which they are made. */
interface Failure {
  readonly of: string;
  readonly error: keyof typeof Errno;
  readonly when: string;
  readonly calls: readonly Line[];
}

function failure(of: string, error: keyof typeof Errno, when: string, ...calls: Line[]): Failure {
  return { of, error, when, calls };
}

const pair = (type: number): Line => ['socketpair', type];
const full: Line = ['pipe', NONBLOCK];

/** The ERRORS sections of the manual pages, as far as the calls of the model have them: each family at least once. */
const failures: readonly Failure[] = [
  failure('read', 'EBADF', 'there is no such descriptor', ['read', 7, 8]),
  failure('read', 'EBADF', 'it is open for writing only', ['pipe', 0], ['read', 1, 8]),
  failure('read', 'EAGAIN', 'nothing is there and it may not wait', full, ['read', 0, 8]),
  failure('read', 'EFAULT', 'there is no memory at the address', pair(STREAM), ['write', 1, 8, 1], ['badread', 0, 8]),
  failure('read', 'EINVAL', 'the file cannot be read', ['epoll'], ['read', 0, 8]),
  failure('read', 'EINVAL', 'the buffer is too small for a count', ['eventfd', 1, 0], ['read', 0, 7]),
  failure('read', 'EINVAL', 'the buffer is too small for the expirations', ['timerfd', 0], ['read', 0, 7]),
  failure('write', 'EBADF', 'it is open for reading only', ['pipe', 0], ['write', 0, 8, 1]),
  failure('write', 'EFAULT', 'there is no memory at the address', ['pipe', 0], ['badwrite', 1, 8]),
  failure('write', 'EPIPE', 'nobody can read', ['pipe', 0], ['close', 0], ['write', 1, 8, 1]),
  failure(
    'write',
    'EAGAIN',
    'there is no room for all of it',
    full,
    ['fcntl', 1, Fcntl.SETPIPE_SZ, 4096],
    ['write', 1, 4096, 1],
    ['write', 1, 1, 1],
  ),
  failure('write', 'EINVAL', 'the count would be the reserved one', ['eventfd', 0, 0], ['count', 0, 0xffff_ffff, 0xffff_ffff]),
  failure('write', 'EAGAIN', 'the count has no room', ['eventfd', 0, NONBLOCK], ['count', 0, 0xffff_ffff, 0xffff_fffe], ['count', 0, 0, 1]),
  failure('pread', 'ESPIPE', 'there is no position', ['pipe', 0], ['pread', 0, 8, 0]),
  failure('pread', 'EINVAL', 'the offset is negative', ['memfd', 0], ['pread', 0, 8, -1]),
  failure('lseek', 'ESPIPE', 'there is no position', ['pipe', 0], ['seek', 0, 0, 0]),
  failure('lseek', 'EINVAL', 'the position would be negative', ['memfd', 0], ['seek', 0, -1, 0]),
  failure('lseek', 'EINVAL', 'whence is unknown', ['memfd', 0], ['seek', 0, 0, 9]),
  failure('ftruncate', 'EINVAL', 'the file has no length', ['pipe', 0], ['truncate', 1, 8]),
  failure('memfd_create', 'EINVAL', 'a flag is unknown', ['memfd', 0x4000]),
  failure('dup', 'EBADF', 'there is no such descriptor', ['dup', 3]),
  failure('dup', 'EMFILE', 'all descriptors are in use', ['epoll'], ...Array.from({ length: 39 }, (): Line => ['dup', 0]), ['dup', 0]),
  failure('dup2', 'EBADF', 'the new one is beyond the limit', ['epoll'], ['dup2', 0, 40]),
  failure('fcntl', 'EBADF', 'there is no such descriptor', ['fcntl', 5, Fcntl.GETFL, 0]),
  failure(
    'fcntl',
    'EBUSY',
    'the pipe holds more than it could then',
    ['pipe', 0],
    ['write', 1, 5000, 1],
    ['fcntl', 1, Fcntl.SETPIPE_SZ, 4096],
  ),
  failure('fcntl', 'EINVAL', 'the command is unknown', ['epoll'], ['fcntl', 0, 999, 0]),
  failure('pipe2', 'EINVAL', 'a flag is unknown', ['pipe', 1]),
  failure('eventfd', 'EINVAL', 'a flag is unknown', ['eventfd', 0, 4]),
  failure('timerfd_create', 'EINVAL', 'a flag is unknown', ['timerfd', 1]),
  failure('timerfd_settime', 'EINVAL', 'it is no timer', ['epoll'], ['arm', 0, 1_000_000, 0]),
  failure('timerfd_settime', 'EBADF', 'there is no such descriptor', ['arm', 0, 1_000_000, 0]),
  failure('signalfd', 'EINVAL', 'it is no signalfd', ['epoll'], ['signalfd', 0, 1, 0]),
  failure('signalfd', 'EINVAL', 'a flag is unknown', ['signalfd', -1, 1, 1]),
  failure('signalfd', 'EBADF', 'there is no such descriptor', ['signalfd', 9, 1, 0]),
  failure('splice', 'EBADF', 'the direction is wrong', ['pipe', 0], ['pipe', 0], ['splice', 1, 3, 8, 0]),
  failure('splice', 'EINVAL', 'it is one pipe', ['pipe', 0], ['splice', 0, 1, 8, 0]),
  failure('splice', 'EAGAIN', 'nothing is there and it may not wait', ['pipe', 0], ['pipe', 0], ['splice', 0, 3, 8, 2]),
  failure('splice', 'EPIPE', 'nobody can read', ['pipe', 0], ['pipe', 0], ['write', 1, 8, 1], ['close', 2], ['splice', 0, 3, 8, 0]),
  failure('tee', 'EINVAL', 'one is no pipe', ['pipe', 0], ['memfd', 0], ['tee', 0, 2, 8, 0]),
  failure('socket', 'ESOCKTNOSUPPORT', 'there is no such type', ['socket', 4]),
  failure('socket', 'EINVAL', 'a flag is unknown', ['socket', STREAM | 0x100]),
  failure('bind', 'ENOTSOCK', 'it is no socket', ['epoll'], ['bind', 0, 1]),
  failure('bind', 'EADDRINUSE', 'the name is taken', ['socket', STREAM], ['socket', STREAM], ['bind', 0, 1], ['bind', 1, 1]),
  failure('bind', 'EINVAL', 'it has a name', ['socket', STREAM], ['bind', 0, 1], ['bind', 0, 2]),
  failure('listen', 'EOPNOTSUPP', 'it knows no connections', ['socket', DGRAM], ['bind', 0, 1], ['listen', 0, 1]),
  failure('listen', 'EINVAL', 'it has no name', ['socket', STREAM], ['listen', 0, 1]),
  failure('accept', 'EINVAL', 'it does not listen', ['socket', STREAM], ['accept', 0]),
  failure('accept', 'EOPNOTSUPP', 'it knows no connections', ['socket', DGRAM], ['accept', 0]),
  failure('accept', 'EAGAIN', 'nobody wants to connect', ['socket', STREAM | NONBLOCK], ['bind', 0, 1], ['listen', 0, 1], ['accept', 0]),
  failure('connect', 'ECONNREFUSED', 'nobody has the name', ['socket', STREAM], ['connect', 0, 1]),
  failure(
    'connect',
    'ECONNREFUSED',
    'who has it does not listen',
    ['socket', STREAM],
    ['bind', 0, 1],
    ['socket', STREAM],
    ['connect', 1, 1],
  ),
  failure('connect', 'EISCONN', 'it is connected', pair(STREAM), ['socket', STREAM], ['bind', 2, 1], ['listen', 2, 1], ['connect', 0, 1]),
  failure(
    'connect',
    'EAGAIN',
    'the backlog is full',
    ['socket', STREAM],
    ['bind', 0, 1],
    ['listen', 0, 0],
    ['socket', STREAM],
    ['connect', 1, 1],
    ['socket', STREAM | NONBLOCK],
    ['connect', 2, 1],
  ),
  failure('connect', 'EPERM', 'the other is connected to somebody else', pair(DGRAM), ['bind', 0, 1], ['socket', DGRAM], ['connect', 2, 1]),
  failure('send', 'ENOTCONN', 'it is not connected', ['socket', STREAM], ['send', 0, 8, 1, 0]),
  failure('send', 'EPIPE', 'this half is shut', pair(STREAM), ['shutdown', 0, Shutdown.WR], ['send', 0, 8, 1, 0]),
  failure('send', 'EPIPE', 'the other is gone', pair(SEQPACKET), ['close', 1], ['send', 0, 8, 1, 0]),
  failure(
    'send',
    'EAGAIN',
    'there is no room',
    pair(STREAM),
    ['setopt', 0, SocketOption.SNDBUF, 0],
    ['send', 0, 4000, 1, DONTWAIT],
    ['send', 0, 4000, 1, DONTWAIT],
  ),
  failure(
    'send',
    'EMSGSIZE',
    'the message is larger than the buffer',
    pair(DGRAM),
    ['setopt', 0, SocketOption.SNDBUF, 0],
    ['send', 0, 5000, 1, 0],
  ),
  failure('send', 'ECONNREFUSED', 'the receiver is gone', pair(DGRAM), ['close', 1], ['send', 0, 8, 1, 0]),
  failure('sendto', 'EISCONN', 'a name is given to a connection', pair(STREAM), ['sendto', 0, 8, 1, 0, 1]),
  failure('sendto', 'EOPNOTSUPP', 'a name is given to a stream', ['socket', STREAM], ['sendto', 0, 8, 1, 0, 1]),
  failure('sendmsg', 'EBADF', 'a descriptor to send is none', pair(STREAM), ['pass', 0, 8, 1, 0, 1, 9]),
  failure('recv', 'EINVAL', 'a stream is not connected', ['socket', STREAM], ['recv', 0, 8, 0]),
  failure('recv', 'ENOTCONN', 'it is not connected', ['socket', SEQPACKET], ['recv', 0, 8, 0]),
  failure(
    'recv',
    'ECONNRESET',
    'the other has closed without having read',
    pair(STREAM),
    ['send', 0, 8, 1, 0],
    ['close', 1],
    ['recv', 0, 8, 0],
  ),
  failure('recv', 'EAGAIN', 'nothing is there', pair(DGRAM), ['recv', 0, 8, DONTWAIT | TRUNC]),
  failure('shutdown', 'EINVAL', 'there is no such half', pair(STREAM), ['shutdown', 0, 3]),
  failure('shutdown', 'ENOTSOCK', 'it is no socket', ['pipe', 0], ['shutdown', 0, 0]),
  failure('getsockopt', 'ENOTSOCK', 'it is no socket', ['pipe', 0], ['getopt', 0, SocketOption.ERROR]),
  failure('setsockopt', 'ENOPROTOOPT', 'there is no such option', pair(STREAM), ['setopt', 0, 9999, 1]),
  failure('ioctl', 'ENOTTY', 'the file does not know the command', ['eventfd', 0, 0], ['unread', 0]),
  failure('epoll_ctl', 'EBADF', 'there is no such descriptor', ['epoll'], ['ctl', 0, CTL_ADD, 9, Poll.IN, 0]),
  failure(
    'epoll_ctl',
    'EEXIST',
    'it is watched',
    ['epoll'],
    ['pipe', 0],
    ['ctl', 0, CTL_ADD, 1, Poll.IN, 0],
    ['ctl', 0, CTL_ADD, 1, Poll.IN, 0],
  ),
  failure('epoll_ctl', 'ENOENT', 'it is not watched', ['epoll'], ['pipe', 0], ['ctl', 0, CTL_MOD, 1, Poll.IN, 0]),
  failure('epoll_ctl', 'ENOENT', 'it is not watched any more', ['epoll'], ['pipe', 0], ['ctl', 0, CTL_DEL, 1, 0, 0]),
  failure('epoll_ctl', 'EPERM', 'the file is always ready', ['epoll'], ['memfd', 0], ['ctl', 0, CTL_ADD, 1, Poll.IN, 0]),
  failure('epoll_ctl', 'EINVAL', 'it is the epoll itself', ['epoll'], ['ctl', 0, CTL_ADD, 0, Poll.IN, 0]),
  failure('epoll_ctl', 'EINVAL', 'it is not an epoll', ['pipe', 0], ['ctl', 0, CTL_ADD, 1, Poll.IN, 0]),
  failure('epoll_ctl', 'EINVAL', 'an epoll is watched exclusively', ['epoll'], ['epoll'], ['ctl', 0, CTL_ADD, 1, Poll.IN | EXCLUSIVE, 0]),
  failure(
    'epoll_ctl',
    'EINVAL',
    'exclusiveness is changed',
    ['epoll'],
    ['pipe', 0],
    ['ctl', 0, CTL_ADD, 1, Poll.IN, 0],
    ['ctl', 0, CTL_MOD, 1, Poll.IN | EXCLUSIVE, 0],
  ),
  failure('epoll_ctl', 'EINVAL', 'the operation is unknown', ['epoll'], ['pipe', 0], ['ctl', 0, 9, 1, Poll.IN, 0]),
  failure(
    'epoll_ctl',
    'ELOOP',
    'epolls would watch each other',
    ['epoll'],
    ['epoll'],
    ['ctl', 0, CTL_ADD, 1, Poll.IN, 0],
    ['ctl', 1, CTL_ADD, 0, Poll.IN, 0],
  ),
  failure('epoll_wait', 'EBADF', 'there is no such descriptor', ['wait', 3, 1, 0]),
  failure('epoll_wait', 'EINVAL', 'it is not an epoll', ['pipe', 0], ['wait', 0, 1, 0]),
  failure('epoll_wait', 'EINVAL', 'there is no room for events', ['epoll'], ['wait', 0, 0, 0]),
  failure(
    'epoll_wait',
    'EFAULT',
    'there is no memory at the address',
    ['epoll'],
    ['eventfd', 1, 0],
    ['ctl', 0, CTL_ADD, 1, Poll.IN, 0],
    ['badwait', 0, 1],
  ),
  failure('kill', 'ESRCH', 'there is no such process', ['kill', 3, Signal.USR1]),
  failure('kill', 'EINVAL', 'there is no such signal', ['kill', 0, 65]),
  failure('sigaction', 'EINVAL', 'the signal cannot be caught', ['action', Signal.KILL, 1, 0]),
  failure('sigaction', 'EINVAL', 'nor that one', ['action', Signal.STOP, 2, 0]),
  failure('sigqueue', 'ESRCH', 'there is no such process', ['queue', 2, Signal.USR1, 1]),
  failure('wait4', 'ECHILD', 'there is no child', ['waitpid', WaitOption.NOHANG]),
  failure('wait4', 'EINVAL', 'an option is unknown', ['waitpid', 0x1000]),
  failure('pipe2', 'EMFILE', 'there is room for one descriptor only', ['epoll'], ...Array.from({ length: 38 }, (): Line => ['dup', 0]), [
    'pipe',
    OpenFlag.NONBLOCK,
  ]),
];

const callsOf = ({ calls }: Failure): Call[] => calls.map(([call, ...args]) => ({ process: 0, call, args }));

/** The first number of the last answer. */
function resultOf(answers: readonly (readonly string[])[]): string {
  return (answers[answers.length - 1]?.[0] ?? '').split(' ')[2] ?? '';
}

const real = new RealKernel();
afterAll(() => real.dispose());

describe('a call fails', () => {
  it.each(failures)('$of: $error when $when', (scenario) => {
    const workers = new ModelWorkers();
    const answers = callsOf(scenario).map((call) => workers.execute(call));
    expect(resultOf(answers)).toBe(`${-Errno[scenario.error]}`);
  });

  it('so on the Linux at hand, too', { timeout: 60_000 }, async ({ skip }) => {
    if (real.missing !== null) skip(real.missing);
    const wrong: string[] = [];
    for (const scenario of failures) {
      const result = resultOf(await real.run(callsOf(scenario)));
      if (result !== `${-Errno[scenario.error]}`) wrong.push(`${scenario.of}, ${scenario.when}: ${result}`);
    }
    expect(wrong).toEqual([]);
  });
});
