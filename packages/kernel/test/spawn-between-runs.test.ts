import { expect, it } from 'vitest';
import { executable, Time } from '../src/index.js';
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
