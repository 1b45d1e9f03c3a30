import { byFork, type Endpoint, type Ends, type Mechanism, type Meeting, type Routine } from '@rpal/compare';
import { done, type Program } from '@rpal/kernel';
import { Errno, MapFlag, OpenFlag, Poll, Prot, utf8 } from '@rpal/uapi';
import { BusIoctl } from '../kernel/connection.js';
import { HEADER, Library, type Role, roomFor, type Validation } from '../library/message.js';
import { BUS_PATH, kernelBus, POOL_BYTES } from '../plugin.js';

/** What a side knows: its own connection, opened before the other side is forked, and under which names the two are on the bus. */
interface Side {
  readonly fd: number;
  readonly name: string;
  readonly other: string;
  readonly role: Role;
}

const CALLER = 'org.example.Caller';
const CALLEE = 'org.example.Callee';

function* open(p: Program): Routine<Ends<Side>> {
  const client = done('open', yield* p.open(BUS_PATH, OpenFlag.RDWR));
  const server = done('open', yield* p.open(BUS_PATH, OpenFlag.RDWR));
  return [
    { fd: client, name: CALLER, other: CALLEE, role: 'caller' },
    { fd: server, name: CALLEE, other: CALLER, role: 'callee' },
  ];
}

function endpointWith(validation: Validation) {
  return function* (p: Program, { fd, name, other, role }: Side, meeting: Meeting): Routine<Endpoint> {
    const library = new Library(p, role, validation);
    const room = roomFor(meeting);
    // All of its pool.
    const pool = done('mmap', yield* p.mmap(0, POOL_BYTES, Prot.READ, MapFlag.SHARED, fd));
    const pollfd = done('mmap', yield* p.allocate(4096 + room));
    yield* p.memset(pollfd, 0, 4096 + room);
    yield* p.store32(pollfd, fd);
    yield* p.store32(pollfd + 4, Poll.IN);
    const request = pollfd + 64;
    const received = pollfd + 128;
    const out = pollfd + 4096;
    const names = pollfd + 256;
    yield* p.storeBytes(names, utf8(`${name}\0`));
    done('ioctl', yield* p.ioctl(fd, BusIoctl.OWN, names));
    yield* p.storeBytes(names, utf8(`${other}\0`));
    yield* p.store64(request, 0);
    yield* p.store64(request + 8, names);
    yield* p.store64(request + 16, out);
    let shown = -1;
    return {
      *send(address, length) {
        yield* p.store64(request + 24, yield* library.build(out, address, length));
        for (;;) {
          const result = yield* p.ioctl(fd, BusIoctl.SEND, request);
          if (result !== -Errno.ENOBUFS) return void done('ioctl', result);
          // The receiver has not kept up.
          done('nanosleep', yield* p.sleep(1000));
        }
      },
      *receive(_address, length) {
        if (shown >= 0) done('ioctl', yield* p.ioctl(fd, BusIoctl.FREE, shown));
        for (;;) {
          done('poll', yield* p.poll(pollfd, 1, -1));
          const result = yield* p.ioctl(fd, BusIoctl.RECEIVE, received);
          if (result !== -Errno.EAGAIN) {
            done('ioctl', result);
            break;
          }
        }
        shown = yield* p.load64(received + 8);
        library.load(length);
        return pool + shown + HEADER;
      },
    };
  };
}

/** Messages by way of a bus in the kernel. @param validation whether the programs' library looks at what comes */
export function byKernel(validation: Validation): Mechanism {
  return {
    name: validation === 'on' ? 'kdbus' : 'kdbus-trusting',
    title: `a bus in the kernel: calls of a method, copied once${validation === 'on' ? '' : ', libraries that do not validate'}`,
    copies: 2,
    sizes: [1, 1024 * 1024],
    waits: ['sleep'],
    streams: true,
    plugins: () => [kernelBus()],
    start: byFork(open, endpointWith(validation)),
  };
}
