import { Signal, SignalCode } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { RpalIoctl } from '../src/index.js';
import { mustEnd, pairOfServices, until, world } from './world.js';

describe('a sender that touches memory of a peer that is gone', () => {
  it('dies of it if it is in no call: it has armed no point to be taken back to', () => {
    const setting = world();
    let recoveries = 0;
    setting.rpal.instruments.events.rpalRecovery.on('test', () => recoveries++);
    let shown = 0;
    const [, sender] = pairOfServices(
      setting,
      function* (p, c) {
        shown = c.note;
        yield* p.compute(1);
      },
      function* (p, c, peer) {
        yield* c.ioctl(RpalIoctl.REGISTER_SENDER, yield* c.share());
        yield* until(p, () => peer.exit !== null);
        mustEnd(p, { signal: Signal.SEGV, code: SignalCode.SEGV_MAPERR, address: shown });
        yield* p.load64(shown);
      },
    );
    expect(sender?.exit).toMatchObject({ signal: Signal.SEGV });
    expect(recoveries).toBe(0);
  });
});
