import type { Program } from '@rpal/kernel';
import { Signal } from '@rpal/uapi';
import { type CalleeWork, callee, caller, type Scenario, type Stage, send } from '../src/index.js';

type Subprogram = Generator<void, void>;
export type Other = (stage: Stage, p: Program) => Subprogram;

/** Longer than anything that is watched: nobody hangs up meanwhile. */
const REST = 30e6;

/**
 * A callee on CPU `home`, and others on CPUs 0, 1, ..., all of them connected to it. One NMI and one tick
 * can be thrown in, so that every point of a kernel entry is seen.
 */
export function scene(home: number, work: CalleeWork, ...others: readonly Other[]): Scenario {
  return {
    name: 'scene',
    about: '',
    cpus: Math.max(home + 1, others.length),
    nmis: 1,
    ticks: 1,
    setUp(stage) {
      stage.expect(others.length);
      stage.spawn('callee', home, (p) => callee(stage, p, 'callee', others.length, work));
      others.forEach((other, i) => {
        stage.spawn(`caller-${i}`, i, (p) => other(stage, p));
      });
    },
  };
}

/** Calls so many times, with a word each; notes its results, and that it is done. */
export const calls =
  (times = 1): Other =>
  (stage, p) =>
    caller(stage, p, 'callee', function* (c) {
      yield* p.sleep(2e6);
      yield* stage.meet(p);
      for (let k = 0; k < times; k++) {
        yield* send(stage, c, k + 1);
        stage.note('calls');
      }
      stage.leave();
      yield* p.sleep(REST);
    });

/** Writes a byte to its socket: a kernel event for the receiver. */
export const posts: Other = (stage, p) =>
  caller(stage, p, 'callee', function* ({ fd, words }) {
    yield* p.sleep(2e6);
    yield* stage.meet(p);
    yield* p.write(fd, words, 1);
    stage.note('done');
    stage.leave();
    yield* p.sleep(REST);
  });

/** Sends a signal. */
export const signals =
  (name: string, signal: number = Signal.USR1): Other =>
  (stage, p) =>
    caller(stage, p, 'callee', function* () {
      yield* p.sleep(2e6);
      yield* stage.meet(p);
      yield* p.kill(stage.processes.find((process) => process.name === name)?.pid as number, signal);
      stage.note('done');
      stage.leave();
      yield* p.sleep(REST);
    });

/** Takes the callee away from its CPU, to CPU 0. */
export const moves: Other = (stage, p) =>
  caller(stage, p, 'callee', function* () {
    yield* p.sleep(2e6);
    yield* stage.meet(p);
    yield* p.setAffinity([0], stage.processes.find(({ name }) => name === 'callee')?.pid as number);
    stage.note('moved');
    stage.leave();
    yield* p.sleep(REST);
  });
