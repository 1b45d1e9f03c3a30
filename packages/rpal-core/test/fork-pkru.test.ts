import { definePlugin } from '@rpal/bus';
import { describe, expect, it } from 'vitest';
import { rpal } from '../src/index.js';
import { Control, finish, rpalImage, smallMachine } from './world.js';

/** PKRU of a new thread whose parent's PKRU changes after it has been copied, as an interrupt does that installs a key. */
function childPkru(without: readonly 30[]): number {
  let armed = false;
  const installs = definePlugin({
    name: 'installs',
    version: '1.0.0',
    setup: ({ plugin, hooks }) => {
      hooks.kernelClone.tap(plugin, (cpu) => {
        if (armed) cpu.mmu.pkru = 0x5550;
      });
    },
  });
  const machine = smallMachine({ plugins: [installs(), rpal({ without })] });
  let seen = -1;
  machine.spawn(
    rpalImage('service', function* (p) {
      const control = yield* Control.open(p);
      yield* control.enable();
      p.wrpkru(0x5554);
      armed = true;
      yield* p.clone(function* (q) {
        seen = q.rdpkru();
        yield* q.getpid();
      });
      armed = false;
      yield* p.sleep(1e6);
    }),
  );
  finish(machine);
  return seen;
}

describe('a thread that is made while a key is being installed', () => {
  it('gets the PKRU that its parent has when it is on the list of tasks (patch 30)', () => expect(childPkru([])).toBe(0x5550));

  it('without the patch has the one that was copied before', () => expect(childPkru([30])).toBe(0x5554));
});
