import { byFork, CompareError, type Endpoint, type Ends, type Mechanism, type Meeting, type Routine } from '@rpal/compare';
import { PAGE_SIZE, pageCeil } from '@rpal/hw-x86';
import { done, exactly, type Program } from '@rpal/kernel';
import { pageAccept, pageFlip, pageSend } from './plugin.js';
import { PageSend } from './send-pages.js';

/** What a side knows: pipes for notes, and where the other side's window is, once it has opened it. */
interface Side {
  readonly from: number;
  readonly to: number;
  readonly self: 0 | 1;
  readonly pids: number[];
  readonly windows: number[];
}

function* open(p: Program): Routine<Ends<Side>> {
  const there = done('pipe2', yield* p.pipe());
  const thereEnd = p.second;
  const back = done('pipe2', yield* p.pipe());
  const shared = { pids: [], windows: [] };
  return [
    { from: back, to: thereEnd, self: 0, ...shared },
    { from: there, to: p.second, self: 1, ...shared },
  ];
}

function endpointOf(how: number) {
  return function* (p: Program, { from, to, self, pids, windows }: Side, meeting: Meeting): Routine<Endpoint> {
    const other = 1 - self;
    pids[self] = done('getpid', yield* p.getpid());
    while (pids[other] === undefined) done('nanosleep', yield* p.sleep(1000));
    const room = pageCeil(meeting.size);
    const window = done('mmap', yield* p.allocate(room + PAGE_SIZE));
    yield* p.memset(window, 0, room + PAGE_SIZE);
    const note = window + room;
    done('page_accept', yield* pageAccept(p, window, room, pids[other] as number));
    windows[self] = window;
    while (windows[other] === undefined) done('nanosleep', yield* p.sleep(1000));
    return {
      *send(address, length) {
        if (address % PAGE_SIZE !== 0) throw new CompareError('USAGE', `whole pages are sent; ${address} is not where one begins`);
        const sent = yield* pageSend(p, pids[other] as number, address, windows[other] as number, pageCeil(length), how);
        done('page_send', sent);
        exactly('write', yield* p.write(to, note, 8), 8);
      },
      *receive() {
        exactly('read', yield* p.read(from, note, 8), 8);
        return window;
      },
    };
  };
}

const common = { copies: 0, sizes: [1, 1024 * 1024], waits: ['sleep'], streams: false, plugins: () => [pageFlip()] } as const;

/** The sender gives its pages away. @public for comparisons of your own */
export const flip: Mechanism = {
  ...common,
  name: 'flip',
  title: "page flipping: the sender's pages become the receiver's, a note goes through a pipe",
  start: byFork(open, endpointOf(PageSend.MOVE)),
};

/** Both sides have the pages, until one writes. @public for comparisons of your own */
export const copyOnWrite: Mechanism = {
  ...common,
  name: 'cow',
  title: 'both sides get the pages to read, a write makes a copy; a note goes through a pipe',
  start: byFork(open, endpointOf(PageSend.SHARE)),
};
