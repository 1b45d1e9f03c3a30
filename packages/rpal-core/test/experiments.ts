import type { Call, Program } from '@rpal/kernel';
import { Epoll, Poll } from '@rpal/uapi';
import { Rcc, RPAL_EP_POLL_MAGIC, RpalBug, RpalIoctl } from '../src/index.js';
import { type Body, Control, mustEnd, pairOfServices, run, until, type World } from './world.js';

/** Runs one service. @returns what `body` returns last, or how the process ended */
export function alone(setting: World, body: (p: Parameters<Body>[0], c: Control) => Generator<void, unknown>): unknown {
  let seen: unknown;
  const [process] = run(setting, function* (p) {
    mustEnd(p, 'anyhow');
    seen = yield* body(p, yield* Control.open(p));
  });
  return process?.exit?.signal === 0 ? seen : `killed by ${process?.exit?.signal}`;
}

/** Runs two linked services. @returns what the second one noted, or how it ended */
export function withPeer(setting: World, owner: Body, body: (...of: Parameters<Body>) => Generator<void, unknown>): unknown {
  let seen: unknown;
  const [, second] = pairOfServices(setting, owner, function* (p, c, peer) {
    mustEnd(p, 'anyhow');
    seen = yield* body(p, c, peer);
  });
  return second?.exit?.signal === 0 ? seen : `killed by ${second?.exit?.signal}`;
}

/** What `experiment` gives, or how the kernel ends in it. */
export function orCrash(experiment: () => unknown): unknown {
  try {
    return experiment();
  } catch (error) {
    if (error instanceof RpalBug) return `${error.kind}, patch ${error.patch}`;
    throw error;
  }
}

/**
 * Makes the thread a receiver that is to wait on an epoll with RPAL's arguments: for 8 events, into the note.
 * @param count of the eventfd that the epoll looks at @param events of it
 * @returns the page of its record, and descriptors of the epoll and of the eventfd
 */
export function* epollReceiver(
  p: Program,
  c: Control,
  { count = 0, events = Poll.IN }: { readonly count?: number; readonly events?: number } = {},
): Generator<void, { readonly page: number; readonly epfd: number; readonly fd: number }> {
  const page = yield* c.share();
  const fd = yield* p.eventfd(count);
  const epfd = yield* p.epollCreate();
  yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, events);
  yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
  yield* p.store32(page + Rcc.epPollMagic, RPAL_EP_POLL_MAGIC);
  yield* p.store64(page + Rcc.events, c.note);
  yield* p.store32(page + Rcc.maxevents, 8);
  return { page, epfd, fd };
}

/** Links a receiver that `victim` makes, and asleep when it is there, with a sender that enters the kernel with its FS base. */
export function forged(
  setting: World,
  victim: (p: Program, c: Control) => Generator<void, void>,
  enters: (p: Program) => Generator<void, number> | Call = (p) => p.getpid(),
): unknown {
  let base = 0;
  return orCrash(() =>
    withPeer(
      setting,
      function* (p, c) {
        // Who runs on in its stead does not get far.
        mustEnd(p, 'anyhow');
        yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, yield* c.share());
        const found = p.rdfsbase();
        yield* p.clone(function* (q) {
          yield* q.sleep(5e5);
          base = found;
        });
        yield* victim(p, c);
      },
      function* (p, c, peer) {
        yield* c.ioctl(RpalIoctl.REGISTER_SENDER, yield* c.share());
        yield* until(p, () => base !== 0);
        yield* p.sleep(2e6);
        const own = p.rdfsbase();
        p.wrfsbase(base);
        const pid = yield* enters(p);
        p.wrfsbase(own);
        return pid === peer.pid ? 'the pid of the victim' : 'the own pid';
      },
    ),
  );
}
