import { Errno } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { callState, type QuirkName, Rcc, ReceiverState, RpalIoctl, Scc } from '../src/index.js';
import { alone, epollReceiver, forged, orCrash, withPeer } from './experiments.js';
import { mustEnd, until, world } from './world.js';

// Defects that do more than one thing: what quirks.test.ts does not show of them.

describe.each([0, -1])('wait-arguments-unchecked: a call context that asks for %i events', (asked) => {
  // An event is there, and a millisecond is all that the wait has. After twenty another thread asks for eight.
  const wait = (repair: readonly QuirkName[]): unknown =>
    alone(world({ repair }), function* (p, c) {
      const { page, epfd, fd } = yield* epollReceiver(p, c);
      yield* p.store64(c.note, 1);
      yield* p.write(fd, c.note, 8);
      yield* p.store32(page + Rcc.maxevents, asked);
      yield* p.clone(function* (q) {
        yield* q.setAffinity([3]);
        yield* q.sleep(20e6);
        yield* q.store32(page + Rcc.maxevents, 8);
      });
      const { cpu } = p.context;
      const begun = cpu.clock;
      const result = yield* p.epollWait(epfd, c.note, 8, 1);
      return { result, late: (cpu.clock - begun) / cpu.costs.tscPerNs > 19e6 };
    });

  it('reproduced: none is delivered, and the wait goes on without end, past its time', () => {
    expect(wait([])).toEqual({ result: 1, late: true });
  });

  it('repaired: the wait is refused', () => {
    expect(wait(['wait-arguments-unchecked'])).toEqual({ result: -Errno.EINVAL, late: false });
  });
});

describe('fs-base-of-register-cleared: a receiver that has loaded the FS base of another, and unregisters', () => {
  const seen = (repair: readonly QuirkName[]): unknown =>
    forged(world({ repair }), function* (p, c) {
      const base = p.rdfsbase();
      const other = (yield* c.share()) + 512;
      yield* p.clone(function* (q) {
        yield* q.ioctl(c.fd, RpalIoctl.REGISTER_RECEIVER, other);
        const own = q.rdfsbase();
        q.wrfsbase(base);
        expect(yield* q.ioctl(c.fd, RpalIoctl.UNREGISTER_RECEIVER, 0)).toBe(0);
        q.wrfsbase(own);
      });
      yield* p.sleep(5e6);
    });

  it("reproduced: the other's entry is gone, and whoever calls it makes its system calls as himself", () => {
    expect(seen([])).toBe('the own pid');
  });

  it('repaired: the other can be called', () => expect(seen(['fs-base-of-register-cleared'])).toBe('the pid of the victim'));
});

describe('wake-up-cpu-uninitialised: a lazy switch to a receiver that a refused wake-up has left in the waking state', () => {
  // As in refused-task-stays-waking: a note for an idle CPU, and another state in the word before that CPU looks.
  const seen = (repair: readonly QuirkName[]): unknown => {
    let base = 0;
    let refused = false;
    return orCrash(() =>
      withPeer(
        world({ repair }),
        function* (p, c) {
          mustEnd(p, 'anyhow');
          const page = yield* c.share();
          const output = yield* p.pipe();
          const input = p.second;
          const own = p.rdfsbase();
          yield* p.clone(function* (q) {
            yield* q.setAffinity([3]);
            yield* q.sleep(1e6);
            yield* q.write(input, c.note, 1);
            yield* q.store32(page + Rcc.receiverState, callState(3, 7));
            yield* q.sleep(5e5);
            refused = true;
            base = own;
          });
          yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
          yield* p.read(output, c.note, 1);
        },
        function* (p, c, peer) {
          yield* c.ioctl(RpalIoctl.REGISTER_SENDER, yield* c.share());
          yield* until(p, () => refused);
          const own = p.rdfsbase();
          p.wrfsbase(base);
          const pid = yield* p.getpid();
          p.wrfsbase(own);
          return pid === peer.pid ? 'the pid of the victim' : 'the own pid';
        },
      ),
    );
  };

  it('reproduced', () => expect(seen([])).toBe('uninitialised, patch 15'));

  it('repaired: it is taken up as one that sleeps', () => expect(seen(['wake-up-cpu-uninitialised'])).not.toMatch(/patch 15/));
});

describe('sender-id-unchecked: an id above 65,535', () => {
  const ID = 0x2_0005;
  /** What registering with it gives, and the state of the receiver that it then calls, with the word as far as there is room for the id. */
  const seen = (repair: readonly QuirkName[]): unknown => {
    let page = 0;
    let base = 0;
    return withPeer(
      world({ repair }),
      function* (p, c) {
        mustEnd(p, 'anyhow');
        page = yield* c.share();
        yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
        base = p.rdfsbase();
        yield* p.sleep(10e6);
      },
      function* (p, c) {
        const own = yield* c.share();
        yield* p.store32(own + Scc.senderId, ID);
        const registered = yield* c.ioctl(RpalIoctl.REGISTER_SENDER, own);
        if (registered !== 0) return registered;
        yield* until(p, () => base !== 0);
        yield* p.sleep(1e6);
        const service = yield* c.id();
        p.wrpkru(0);
        yield* p.store32(page + Rcc.receiverState, callState(service, ID & 0xffff));
        const mine = p.rdfsbase();
        p.wrfsbase(base);
        yield* p.getpid();
        const state = yield* p.load32(page + Rcc.receiverState);
        p.wrfsbase(mine);
        return state === ReceiverState.LAZY_SWITCH ? 'LAZY_SWITCH' : state === callState(service, ID & 0xffff) ? 'CALL' : state;
      },
    );
  };

  it('reproduced: it runs into the id of the service, so the word of the call is not found, and the receiver stays in CALL', () => {
    expect(seen([])).toBe('CALL');
  });

  it('repaired: it is refused', () => expect(seen(['sender-id-unchecked'])).toBe(-Errno.EINVAL));
});
