import { describe, expectTypeOf, it } from 'vitest';
import {
  type Call,
  executable,
  type Image,
  type Machine,
  type MachineOptions,
  type Main,
  type Process,
  type Program,
  type RunOptions,
} from '../src/index.js';

describe('types', () => {
  it('of a program: calls are for yield*, and come to numbers', () => {
    const main = function* (p: Program): Generator<void, number> {
      const fd = yield* p.open('/proc/rpal', 2);
      expectTypeOf(fd).toEqualTypeOf<number>();
      expectTypeOf(p.read).toEqualTypeOf<(fd: number, buffer: number, count: number) => Call>();
      expectTypeOf(p.rdtsc()).toEqualTypeOf<number>();
      // @ts-expect-error: what has not been awaited is not a number
      const forgotten: number = p.getpid();
      return forgotten;
    };
    expectTypeOf(main).toExtend<Main>();
    expectTypeOf(executable).returns.toExtend<Image>();
  });

  it('of a program: wrong arguments do not compile', () => {
    const wrong = function* (p: Program): Generator<void, void> {
      // @ts-expect-error: a descriptor is a number
      yield* p.close('3');
      // @ts-expect-error: a path is a string
      yield* p.open(3, 0);
      // @ts-expect-error: a child is a generator function
      yield* p.fork(() => 7);
      // @ts-expect-error: a handler gets the program, the signal and a value, and returns nothing
      yield* p.sigaction(10, 'stop');
    };
    expectTypeOf(wrong).toExtend<Main>();
    // @ts-expect-error: a program is a generator function
    expectTypeOf(executable).toBeCallableWith('x', async () => {});
  });

  it('of a machine', () => {
    expectTypeOf<Machine['spawn']>().toEqualTypeOf<(image: Image, cpu?: number) => Process>();
    expectTypeOf<Machine['run']>().toEqualTypeOf<(options?: number | RunOptions) => 'ended' | 'until'>();
    expectTypeOf<{ profile: 'xeon-platinum-8336c' }>().toExtend<MachineOptions>();
    expectTypeOf<{ profile: number }>().not.toExtend<MachineOptions>();
    expectTypeOf<RunOptions['deaths']>().toEqualTypeOf<'throw' | 'report' | undefined>();
  });
});
