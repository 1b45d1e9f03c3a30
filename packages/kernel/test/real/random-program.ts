import { EventPoll } from '@rpal/epoll';
import { EventFd, MemFd, PipeEnd, TimerFd, UnixSocket, UnixStreamSocket } from '@rpal/ipc';
import {
  Epoll,
  Fcntl,
  MessageFlag,
  OpenFlag,
  Poll,
  Shutdown,
  Signal,
  SignalFlag,
  SocketOption,
  SocketType,
  SPLICE_F_NONBLOCK,
  WaitOption,
} from '@rpal/uapi';
import type { File } from '@rpal/vfs';
import type { Draw } from '../../../../scripts/testing/draw.ts';
import type { Call } from './calls.js';
import type { ModelWorkers } from './model-workers.js';
import { sharingCall } from './random-sharing.js';

const { NONBLOCK, CLOEXEC, DIRECT } = OpenFlag;
const { IN, OUT, PRI, RDHUP } = Poll;
const { CTL_ADD, CTL_DEL, CTL_MOD, ET, ONESHOT, EXCLUSIVE } = Epoll;

/** Signals that are sent about. */
const SIGNALS = [Signal.USR1, Signal.USR2, Signal.CHLD, Signal.RTMIN + 2, Signal.RTMIN + 3];
/** Bits of some of them, in the lower and in the upper word. */
const LOW_MASKS = [0, 0x200, 0x800, 0xa00];
const HIGH_MASKS = [0, 0, 2, 6];

/** Times of timers, ns: none, one that expires at once, one that does not within a program. */
const SOON = 1_000_000;
const LATER = 1_000_000_000_000;

export function one<T>(draw: Draw, choices: readonly T[]): T {
  return choices[draw(choices.length)] as T;
}

/** What a program has more of than others: nothing, sockets in messages over sockets, or memory and queues with names, threads, futexes. */
export type Leaning = 'none' | 'passing' | 'sharing' | 'threads';

/** A call that makes sense, more or less, in the state the model is in; null if no process could make one. */
export function randomCall(draw: Draw, workers: ModelWorkers, leaning: Leaning): Call | null {
  const { idle } = workers;
  if (idle.length === 0) return null;
  const process = one(draw, idle);
  const files = workers.files(process);
  const open = Array.from({ length: 40 }, (_, fd) => fd).filter((fd) => files.peek(fd) !== null);
  const those = (kind: abstract new (...parts: never[]) => File) => open.filter((fd) => files.peek(fd) instanceof kind);
  const call = (name: string, ...args: number[]): Call => ({ process, call: name, args });
  const fd = () => (open.length === 0 || draw(40) === 0 ? draw(41) : one(draw, open));
  const of = (kind: abstract new (...parts: never[]) => File) => {
    const list = those(kind);
    return list.length === 0 || draw(30) === 0 ? fd() : one(draw, list);
  };
  const flags = () => (draw(3) > 0 ? NONBLOCK : 0) | (draw(8) === 0 ? CLOEXEC : 0);
  const socketType = () => one(draw, [SocketType.STREAM, SocketType.STREAM, SocketType.DGRAM, SocketType.SEQPACKET]);
  const size = () => one(draw, [0, 1, 5, 8, 100, 100, 700, 4000, 4096, 5000, draw(3) === 0 ? 40_000 : 9000, draw(3) === 0 ? 70_000 : 1]);
  const mask = () =>
    one(draw, [IN, IN, OUT, IN | OUT, IN | OUT | RDHUP, PRI, 0]) |
    one(draw, [0, ET, ET, ONESHOT, ET | ONESHOT, draw(8) === 0 ? EXCLUSIVE : 0, draw(8) === 0 ? EXCLUSIVE | ET : 0]);
  const pass = () => {
    const args = [of(UnixSocket), size(), draw(256), one(draw, [0, MessageFlag.DONTWAIT])];
    const sent = () => (draw(2) === 0 ? of(UnixSocket) : fd());
    const descriptors = [sent(), sent()].slice(0, draw(3));
    return call('pass', ...args, descriptors.length, ...descriptors);
  };

  if (leaning === 'passing' && open.length >= 4 && draw(2) === 0) {
    const socket = of(UnixSocket);
    switch (draw(8)) {
      case 0:
        if (draw(4) === 0) return call('setopt', socket, SocketOption.PASSCRED, draw(4) > 0 ? 1 : 0);
        return call('socketpair', socketType() | NONBLOCK);
      case 1:
      case 2:
        return call('pass', socket, 5, 1, MessageFlag.DONTWAIT, 2, of(UnixSocket), draw(3) === 0 ? fd() : of(UnixSocket));
      case 3:
        return call('pass', socket, 5, 1, MessageFlag.DONTWAIT, 1, draw(2) === 0 ? socket : of(UnixSocket));
      case 4:
        return call('take', socket, 100, MessageFlag.DONTWAIT, 2);
      case 5:
        return one(draw, [
          call('bind', socket, draw(3)),
          call('listen', socket, 3),
          call('connect', socket, draw(3)),
          call('accept', socket),
        ]);
      default:
        return call('close', socket);
    }
  }

  if (leaning === 'threads' && draw(2) === 0) return threadCall(draw, workers, call);
  if (leaning === 'sharing' && draw(2) === 0) return sharingCall(draw, workers, call, of);
  if (open.length < 6 || draw(12) === 0) {
    switch (draw(8)) {
      case 6:
        return call('timerfd', flags());
      case 7:
        return call('memfd', draw(2));
      case 0:
        return call('pipe', flags() | (draw(5) === 0 ? DIRECT : 0));
      case 1:
        return call('eventfd', one(draw, [0, 0, 1, 3]), flags() | draw(2));
      case 2:
        return call('socketpair', socketType() | flags());
      case 3:
        return call('socket', socketType() | flags());
      default:
        return call('epoll');
    }
  }
  switch (draw(38)) {
    case 0:
    case 1:
    case 2:
      return draw(2) === 0 ? call('read', of(PipeEnd), size()) : call('read', fd(), size());
    case 3:
    case 4:
    case 5:
      return draw(2) === 0 ? call('write', of(PipeEnd), size(), draw(256)) : call('write', of(UnixSocket), size(), draw(256));
    case 6:
      return call(
        'recv',
        of(UnixSocket),
        size(),
        one(draw, [0, MessageFlag.PEEK, MessageFlag.DONTWAIT, MessageFlag.WAITALL, MessageFlag.TRUNC]),
      );
    case 7:
      return call('send', of(UnixSocket), size(), draw(256), one(draw, [0, MessageFlag.DONTWAIT]));
    case 8:
    case 9:
      return call('count', of(EventFd), one(draw, [0, 0, 0, 0xffff_ffff]), one(draw, [1, 1, 2, 0, 0xffff_fffe, 0xffff_ffff]));
    case 10:
      return call('read', of(EventFd), one(draw, [8, 8, 8, 100, 4]));
    case 11:
      return call('shutdown', of(UnixSocket), one(draw, [Shutdown.RD, Shutdown.WR, Shutdown.RDWR, 3]));
    case 12:
      return draw(3) > 0 ? call('dup', fd()) : call('dup2', fd(), draw(41));
    case 13:
      return call('close', fd());
    case 14:
      return draw(4) === 0
        ? call('fcntl', fd(), one(draw, [Fcntl.GETFD, Fcntl.SETFD]), draw(2))
        : call(
            'fcntl',
            fd(),
            one(draw, [Fcntl.SETFL, Fcntl.SETFL, Fcntl.GETFL, Fcntl.GETPIPE_SZ]),
            one(draw, [0, NONBLOCK, 0, NONBLOCK, DIRECT]),
          );
    case 15:
      return call('fcntl', of(PipeEnd), Fcntl.SETPIPE_SZ, one(draw, [1, 4096, 5000, 65_536, 0]));
    case 16: {
      const socket = of(UnixSocket);
      return one(draw, [
        call('bind', socket, draw(3)),
        call('listen', socket, draw(3)),
        call('connect', socket, draw(3)),
        call('connect', socket, draw(3)),
        call('sendto', socket, size(), draw(256), flags() > 0 ? MessageFlag.DONTWAIT : 0, draw(3)),
        call('accept', socket),
      ]);
    }
    case 17: {
      const [child] = workers.free;
      return child !== undefined && draw(3) === 0 ? call('fork', child) : call('close', fd());
    }
    case 18:
      return draw(6) === 0 && idle.length > 1 ? call('exit') : call('wait', of(EventPoll), 16, 0);
    case 19:
    case 20:
    case 21:
      return call('ctl', of(EventPoll), one(draw, [CTL_ADD, CTL_ADD, CTL_ADD, CTL_MOD, CTL_DEL]), fd(), mask(), draw(100));
    case 22:
    case 23:
      return pass();
    case 24:
    case 25:
      return call('take', of(UnixSocket), size(), one(draw, [0, MessageFlag.PEEK, MessageFlag.DONTWAIT]), draw(4));
    case 26:
      return one(draw, [
        call('getopt', of(UnixSocket), one(draw, [SocketOption.ERROR, SocketOption.SNDBUF, SocketOption.TYPE, SocketOption.PASSCRED])),
        draw(2) === 0
          ? call('setopt', of(UnixSocket), SocketOption.SNDBUF, one(draw, [0, 5000, 20_000]))
          : call('setopt', of(UnixSocket), SocketOption.PASSCRED, draw(2)),
        call('unread', of(UnixSocket)),
        call('unread', of(PipeEnd)),
      ]);
    case 27: {
      // The model splices between pipes, and between pipes and stream sockets; how many slots what comes from a socket takes differs.
      const [from, to] = [of(PipeEnd), draw(3) === 0 ? of(UnixStreamSocket) : of(PipeEnd)];
      const isEnd = (file: File | null) => file === null || file instanceof PipeEnd;
      const pipes = isEnd(files.peek(from)) && (isEnd(files.peek(to)) || files.peek(to) instanceof UnixStreamSocket);
      return call(pipes && draw(2) === 0 ? 'splice' : 'tee', from, to, size(), draw(2) * SPLICE_F_NONBLOCK);
    }
    case 28:
      return draw(2) === 0 ? call('readv', fd(), size()) : call('writev', fd(), size(), draw(256));
    case 29:
      return call('poll', fd(), one(draw, [IN, OUT, IN | OUT, IN | PRI | RDHUP]), draw(4) === 0 ? -1 : 0);
    case 30:
      return call('action', one(draw, SIGNALS), one(draw, [2, 2, 2, 1, 0]), draw(2) * SignalFlag.RESTART);
    case 31:
      return one(draw, [
        call('kill', draw(4), one(draw, [...SIGNALS, 0, Signal.STOP, Signal.CONT, Signal.CONT, draw(8) === 0 ? Signal.KILL : Signal.CONT])),
        call('queue', draw(4), one(draw, SIGNALS), draw(10)),
      ]);
    case 32:
      return one(draw, [call('mask', draw(3), one(draw, LOW_MASKS), one(draw, HIGH_MASKS)), call('pending'), call('seen'), call('seen')]);
    case 33:
      return one(draw, [
        call('reap', 0, one(draw, [0, WaitOption.UNTRACED, WaitOption.CONTINUED, WaitOption.UNTRACED | WaitOption.CONTINUED])),
        draw(3) === 0 ? call('exec') : call('seen'),
        call('kill', draw(4), one(draw, [Signal.STOP, Signal.CONT])),
      ]);
    case 34:
      return one(draw, [
        call('arm', of(TimerFd), one(draw, [0, SOON, SOON, LATER]), one(draw, [0, LATER])),
        call('read', of(TimerFd), 8),
        draw(4) === 0 ? call('nap', of(EventPoll)) : call('read', of(TimerFd), 8),
      ]);
    case 35:
      return one(draw, [
        call('seek', of(MemFd), one(draw, [0, 10, -5, 9000]), one(draw, [0, 1, 2, 5])),
        call('truncate', of(MemFd), one(draw, [0, 100, 5000, -1])),
        call('pread', of(MemFd), size(), one(draw, [0, 3, 4000, -1])),
        call('pwrite', of(MemFd), size(), draw(256), one(draw, [0, 3, 4000, -1])),
      ]);
    case 36:
      return draw(2) === 0 ? call('read', of(MemFd), size()) : call('write', of(MemFd), size(), draw(256));
    default:
      return call('wait', of(EventPoll), one(draw, [1, 2, 16, 16]), one(draw, [0, 0, 0, -1]));
  }
}

/** A call by which threads and processes begin, end, are replaced, stop and go on. */
function threadCall(draw: Draw, workers: ModelWorkers, call: (name: string, ...args: number[]) => Call): Call {
  const [free] = workers.free;
  const signal = () => one(draw, [Signal.USR1, Signal.USR2, Signal.RTMIN + 2]);
  switch (draw(10)) {
    case 0:
    case 1:
    case 2:
      return free === undefined ? call('seen') : call(draw(3) === 0 ? 'fork' : 'thread', free);
    case 3:
      return draw(2) === 0 ? call('exec') : call('pending');
    case 4:
      return workers.idle.length > 1 ? call('exit') : call('seen');
    case 5:
      return call('kill', draw(4), one(draw, [Signal.STOP, Signal.CONT, Signal.CONT, draw(6) === 0 ? Signal.KILL : signal()]));
    case 6:
      return call('action', signal(), one(draw, [2, 2, 1, 0]), draw(2) * SignalFlag.RESTART);
    case 7:
      return call('mask', draw(3), one(draw, LOW_MASKS), one(draw, HIGH_MASKS));
    case 8:
      return call('reap', 0, one(draw, [0, WaitOption.UNTRACED, WaitOption.CONTINUED, WaitOption.UNTRACED | WaitOption.CONTINUED]));
    default:
      return one(draw, [
        call('queue', draw(4), signal(), draw(10)),
        call('fwait', draw(3), 0, 1, 0),
        call('flock', 4 + draw(2)),
        call('seen'),
      ]);
  }
}
