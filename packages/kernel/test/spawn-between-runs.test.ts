import { SocketType } from '@rpal/uapi';
import { expect, it } from 'vitest';
import { DeadlockError, executable, Time } from '../src/index.js';
import { smallMachine } from './support.js';

it('a program that is spawned between two runs begins where the first ended, not at the next timer', () => {
  const machine = smallMachine();
  const { costs } = machine.platform;
  const boot = machine.platform.now;
  machine.spawn(
    executable('sleeper', function* (p) {
      yield* p.sleep(100 * Time.ms);
    }),
  );
  const until = boot + 10 * Time.ms * costs.tscPerNs;
  expect(machine.run({ until })).toBe('until');
  expect(machine.platform.now).toBe(until);
  let began = 0;
  machine.spawn(
    executable('late', function* (p) {
      began = p.rdtsc();
      yield* p.getpid();
    }),
    1,
  );
  expect(machine.run()).toBe('ended');
  const late = (began - until) / costs.tscPerNs;
  expect(late).toBeGreaterThan(0);
  expect(late).toBeLessThan(2 * Time.ms);
});

it('a program that waits for one which is not there yet is no deadlock before a time, and is one in a run to the end', () => {
  const machine = smallMachine();
  const server = (path: string) =>
    executable('server', function* (p) {
      const listener = yield* p.socket(SocketType.STREAM);
      yield* p.bind(listener, path);
      yield* p.listen(listener, 1);
      yield* p.accept(listener);
    });
  machine.spawn(server('/tmp/socket'));
  const later = () => machine.platform.now + Time.ms * machine.platform.costs.tscPerNs;
  expect(machine.run({ until: later() })).toBe('until');
  machine.spawn(
    executable('client', function* (p) {
      yield* p.connect(yield* p.socket(SocketType.STREAM), '/tmp/socket');
    }),
  );
  expect(machine.run({ until: later() })).toBe('ended');
  machine.spawn(server('/tmp/other'));
  expect(machine.run({ until: later() })).toBe('until');
  expect(() => machine.run()).toThrow(DeadlockError);
});
