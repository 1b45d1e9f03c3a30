import { done, MachineError, type Program } from '@rpal/kernel';
import { tmpfs } from '@rpal/tmpfs';
import { Epoll, FileMode, OpenFlag, Poll, SocketType } from '@rpal/uapi';
import type { Endpoint, Mechanism, Meeting, Routine } from '../mechanism/mechanism.js';
import { byFork, type Ends } from '../mechanism/related.js';
import { lookAgain, nonBlocking, untilThere } from '../mechanism/waiting.js';
import { byForks, epollHub } from './gathered.js';

/** Descriptors of one side. */
interface Descriptors {
  readonly from: number;
  readonly to: number;
}

type Open = (p: Program, meeting: Meeting) => Routine<Ends<Descriptors>>;

function* pipes(p: Program, meeting: Meeting): Routine<Ends<Descriptors>> {
  const there = done('pipe2', yield* p.pipe(nonBlocking(meeting)));
  const thereEnd = p.second;
  const back = done('pipe2', yield* p.pipe(nonBlocking(meeting)));
  return [
    { from: back, to: thereEnd },
    { from: there, to: p.second },
  ];
}

/** As pipes, but with names: two programs that are not related would meet here. */
function* fifos(p: Program, meeting: Meeting): Routine<Ends<Descriptors>> {
  const descriptors: number[] = [];
  for (const path of ['/tmp/there', '/tmp/back']) {
    done('mknodat', yield* p.mknod(path, FileMode.FIFO | 0o600));
    // For reading and writing: neither end then waits for the other one to be opened.
    descriptors.push(done('openat', yield* p.open(path, OpenFlag.RDWR | nonBlocking(meeting))));
  }
  const [there, back] = descriptors as [number, number];
  return [
    { from: back, to: there },
    { from: there, to: back },
  ];
}

function sockets(type: number): Open {
  return function* (p, meeting) {
    const a = done('socketpair', yield* p.socketpair(type | nonBlocking(meeting)));
    const b = p.second;
    return [
      { from: a, to: a },
      { from: b, to: b },
    ];
  };
}

/** Reads until a message is whole: it may come in pieces. @param read reads up to so many bytes to an address */
function* whole(address: number, length: number, read: (to: number, most: number) => Routine<number>): Routine<number> {
  for (let got = 0; got < length; ) {
    const n = done('read', yield* read(address + got, length - got));
    if (n === 0) throw new MachineError('CALL_FAILED', 'read came to the end of the stream');
    got += n;
  }
  return address;
}

/** A message goes by write and comes by read, in several pieces if need be. */
function* plain(p: Program, { from, to }: Descriptors, meeting: Meeting): Routine<Endpoint> {
  return {
    *send(address, length) {
      for (let sent = 0; sent < length; ) {
        sent += done('write', yield* untilThere(p, meeting, () => p.write(to, address + sent, length - sent)));
      }
    },
    receive: (address, length) => whole(address, length, (at, most) => untilThere(p, meeting, () => p.read(from, at, most))),
  };
}

/** The same, but a side asks its epoll instance before it reads, as event loops do. */
function* withEpoll(p: Program, descriptors: Descriptors, meeting: Meeting): Routine<Endpoint> {
  const { send } = yield* plain(p, descriptors, meeting);
  const { from } = descriptors;
  const epfd = done('epoll_create1', yield* p.epollCreate());
  done('epoll_ctl', yield* p.epollCtl(epfd, Epoll.CTL_ADD, from, Poll.IN));
  const events = done('mmap', yield* p.allocate(4096));
  const timeout = meeting.waiting === 'sleep' ? -1 : 0;
  return {
    send,
    receive: (address, length) =>
      whole(address, length, function* (at, most) {
        while (done('epoll_wait', yield* p.epollWait(epfd, events, 4, timeout)) === 0) yield* lookAgain(p, meeting);
        return yield* p.read(from, at, most);
      }),
  };
}

/** What a socket takes as one message: less than its send buffer of 208 KiB. */
const LARGEST_PACKET = 128 * 1024;
const LARGEST = 1024 * 1024;

function mechanism(name: string, title: string, open: Open, endpoint: typeof plain, largest = LARGEST): Mechanism {
  return { name, title, copies: 2, sizes: [1, largest], waits: ['sleep', 'poll'], streams: true, start: byFork(open, endpoint) };
}

/** A server that waits in epoll for all its clients; each client has one descriptor to wait for. */
function gathered(open: Open): NonNullable<Mechanism['gather']> {
  return byForks({ open, endpoint: withEpoll, hub: (p, own, meetings) => epollHub(p, own, meetings, plain) });
}

/** Mechanisms whose two sides read and write descriptors. */
export const byFiles: readonly Mechanism[] = [
  mechanism('pipe', 'a pipe each way', pipes, plain),
  { ...mechanism('fifo', 'a named pipe (FIFO) each way', fifos, plain), plugins: () => [tmpfs()] },
  mechanism('stream', 'a pair of Unix stream sockets', sockets(SocketType.STREAM), plain),
  mechanism('datagram', 'a pair of Unix datagram sockets', sockets(SocketType.DGRAM), plain, LARGEST_PACKET),
  mechanism('seqpacket', 'a pair of Unix seqpacket sockets', sockets(SocketType.SEQPACKET), plain, LARGEST_PACKET),
  { ...mechanism('pipe-epoll', 'a pipe each way, announced by epoll', pipes, withEpoll), gather: gathered(pipes) },
  {
    ...mechanism('unix', 'a pair of Unix stream sockets, announced by epoll', sockets(SocketType.STREAM), withEpoll),
    gather: gathered(sockets(SocketType.STREAM)),
  },
];
