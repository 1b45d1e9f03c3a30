import { byFork, type Endpoint, type Ends, type Mechanism, type Meeting, type Routine } from '@rpal/compare';
import { done, MachineError, type Program } from '@rpal/kernel';
import { SocketType } from '@rpal/uapi';
import { daemon, polledStream, sendAll, streamRoom } from '../daemon/daemon.js';
import { HEADER, Library, type Role, roomFor, type Validation } from '../library/message.js';

interface Connection {
  readonly fd: number;
  /** The other side's connection and the daemon's ends, which this side has inherited and closes. */
  readonly others: readonly number[];
  readonly role: Role;
}

/** Two connections to a daemon, which is forked here, on the client's CPU, and passes on what comes from one to the other. */
function* open(p: Program, meeting: Meeting): Routine<Ends<Connection>> {
  const client = done('socketpair', yield* p.socketpair(SocketType.STREAM));
  const daemonToClient = p.second;
  const server = done('socketpair', yield* p.socketpair(SocketType.STREAM));
  const daemonToServer = p.second;
  const room = roomFor(meeting);
  done(
    'fork',
    yield* p.fork(function* (q) {
      done('sched_setaffinity', yield* q.setAffinity([meeting.cpus[0]]));
      for (const fd of [client, server]) done('close', yield* q.close(fd));
      yield* daemon(q, [daemonToClient, daemonToServer], room, (from) => [1 - from]);
    }),
  );
  for (const fd of [daemonToClient, daemonToServer]) done('close', yield* p.close(fd));
  return [
    { fd: client, others: [server], role: 'caller' },
    { fd: server, others: [client], role: 'callee' },
  ];
}

function endpointWith(validation: Validation) {
  return function* (p: Program, { fd, others, role }: Connection, meeting: Meeting): Routine<Endpoint> {
    const library = new Library(p, role, validation);
    const room = roomFor(meeting);
    const bytes = 4096 + room + streamRoom(room);
    const pollfd = done('mmap', yield* p.allocate(bytes));
    yield* p.memset(pollfd, 0, bytes);
    const out = pollfd + 4096;
    const stream = yield* polledStream(p, fd, pollfd, out + room, room);
    let shown = 0;
    let inherited = others;
    return {
      *send(address, length) {
        yield* sendAll(p, fd, out, yield* library.build(out, address, length));
      },
      *receive(_address, length) {
        stream.drop(shown);
        shown = yield* stream.next();
        if (shown === 0) throw new MachineError('CALL_FAILED', 'recvmsg came to the end of the stream');
        library.load(length);
        return stream.address + HEADER;
      },
      *close() {
        for (const one of [fd, ...inherited]) done('close', yield* p.close(one));
        inherited = [];
      },
    };
  };
}

/** Messages by way of a daemon. @param validation whether the programs' library looks at what comes; the daemon always does */
export function byDaemon(validation: Validation): Mechanism {
  return {
    name: validation === 'on' ? 'dbus' : 'dbus-trusting',
    title: `D-Bus: calls of a method by way of a daemon${validation === 'on' ? '' : ', libraries that do not validate'}`,
    copies: 5,
    sizes: [1, 1024 * 1024],
    waits: ['sleep'],
    streams: true,
    start: byFork(open, endpointWith(validation)),
  };
}
