import { Signal } from '@rpal/uapi';
import { expect, it } from 'vitest';
import { type Main, type Program, Time } from '../src/index.js';
import { run, runOn, smallMachine } from './support.js';

/** A routine that waits, and notes where it is. */
function* routine(p: Program, notes: string[], name: string): Generator<void, void> {
  notes.push(`${name} begins`);
  yield* p.sleep(Time.ms);
  notes.push(`${name} ends`);
}

it('a called routine runs to its end before its caller goes on, at any depth', () => {
  const notes: string[] = [];
  run(function* (p) {
    notes.push('main begins');
    yield* p.call(
      (function* () {
        yield* p.call(routine(p, notes, 'inner'));
        notes.push('outer goes on');
        yield* p.getpid();
      })(),
    );
    yield* p.call(routine(p, notes, 'second'));
    notes.push('main ends');
  });
  expect(notes).toEqual(['main begins', 'inner begins', 'inner ends', 'outer goes on', 'second begins', 'second ends', 'main ends']);
});

it('takes the same model time as yield*', () => {
  const fingerprintOf = (main: Main): string => {
    const machine = smallMachine();
    runOn(machine, main);
    return machine.fingerprint();
  };
  const flat = fingerprintOf(function* (p) {
    yield* p.call(routine(p, [], 'flat'));
  });
  const delegated = fingerprintOf(function* (p) {
    yield* routine(p, [], 'delegated');
  });
  expect(flat).toBe(delegated);
});

it('a signal handler that calls a routine leaves the interrupted one as it was', () => {
  const notes: string[] = [];
  run(function* (p) {
    const self = yield* p.getpid();
    yield* p.sigaction(Signal.USR1, function* (handler) {
      yield* handler.call(routine(handler, notes, 'handler'));
    });
    yield* p.fork(function* (child) {
      yield* child.sleep(Time.ms / 2);
      yield* child.kill(self, Signal.USR1);
    });
    yield* p.call(routine(p, notes, 'main'));
    notes.push('back');
    yield* p.wait();
  });
  expect(notes).toEqual(['main begins', 'handler begins', 'handler ends', 'main ends', 'back']);
});
