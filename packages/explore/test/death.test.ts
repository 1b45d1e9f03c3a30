import { executable } from '@rpal/kernel';
import type { QuirkName, RpalOptions, RpalService } from '@rpal/rpal-core';
import { Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { Run, type Scenario, type Stage, type Strategy } from '../src/index.js';
import { callee, caller, send, type Work } from '../src/roles.js';

/** The second caller is on CPU 1, the callee on CPU 2. */
const KILLER = 3;
/** Longer than the quarantine of ids. */
const WITNESS = 32e9;
/** Peer memory is gone (patch 35). */
const ERR_PEER_MEM = -117;

/** Every step in turn if RPAL_EXHAUSTIVE is set: some 1200 runs, a minute or two. Otherwise every fifteenth. */
const STRIDE = process.env.RPAL_EXHAUSTIVE === undefined ? 15 : 1;

/** What a callee does within a call. */
const works: Readonly<Record<string, Work>> = {
  *'only computes'() {},
  *'makes a system call, so that the kernel switches'(p) {
    yield* p.getpid();
  },
  *'gives the CPU away, so that the caller returns by the kernel'(p) {
    yield* p.schedYield();
  },
};

type Victim = 'caller-0' | 'callee';

/** What there is after the end of everything, and after the quarantine. */
interface Rest {
  readonly frames: number;
  readonly ids: number;
  readonly references: number;
  readonly openFiles: number;
  readonly tasks: number;
  readonly processes: number;
}

interface Outcome {
  readonly failure: string | null;
  /** Results of the calls, by caller. */
  readonly results: Readonly<Record<string, readonly number[]>>;
  readonly received: readonly number[];
  readonly rest: Rest;
  /** Choices until the first caller was through with its calls. */
  readonly length: number;
}

/**
 * Two callers of one callee, one after the other; each calls twice. A victim is killed by a third process at step `at` of
 * what happens from the first call on, or not at all.
 */
function run(options: RpalOptions, work: Work, victim: Victim, at = Number.POSITIVE_INFINITY): Outcome {
  const received: number[] = [];
  const results: Record<string, number[]> = { 'caller-0': [], 'caller-1': [] };
  const services = new Set<RpalService>();
  let armed = at === Number.POSITIVE_INFINITY;
  let killed = false;
  let dead = false;
  let length = -1;
  const scenario: Scenario = {
    name: 'death',
    about: 'one side of a call is killed at one of its steps',
    cpus: 4,
    setUp(stage) {
      stage.expect(3);
      stage.mayDie.add(victim);
      stage.spawn('callee', 2, (p) =>
        callee(stage, p, 'callee', 2, function* (q, word, fd) {
          received.push(word);
          yield* work(q, word, fd);
        }),
      );
      for (const me of [0, 1]) {
        stage.spawn(`caller-${me}`, me, (p) =>
          caller(stage, p, 'callee', function* (c) {
            yield* p.sleep(2e6);
            yield* stage.meet(p);
            if (me === 1) while (length < 0 && !dead) yield* p.sleep(2e5);
            for (let k = 1; k <= 2; k++) results[`caller-${me}`]?.push(yield* send(stage, c, 100 * me + k));
            if (me === 0) length = execution.schedule.length;
          }),
        );
      }
      stage.spawn('killer', KILLER, function* (p) {
        yield* stage.meet(p);
        // Never asleep, so that it can act at any moment.
        while (!armed) yield* p.getpid();
        for (const { service } of threadsOf(stage)) if (service !== null) services.add(service);
        const process = stage.processes.find(({ name }) => name === victim);
        dead = at !== Number.POSITIVE_INFINITY;
        if (dead) yield* p.kill(process?.pid as number, Signal.KILL);
        killed = true;
      });
      const witness = executable('witness', function* (p) {
        yield* p.sleep(WITNESS);
      });
      stage.processes.push(stage.machine.spawn(witness, KILLER));
    },
  };
  const execution = new Run(scenario, options, { steps: 20_000 });
  const { stage } = execution;
  const descriptors = Array.from({ length: 32 }, (_, fd) => fd);
  const files = stage.processes.flatMap(({ files: table }) => descriptors.map((fd) => table.peek(fd)));
  /** The usual order, but the killer steps at `at` and not before, until it has killed. */
  const strategy: Strategy = {
    choose(enabled, usual, { schedule }) {
      if (schedule.length >= at) armed = true;
      if (armed && !killed && enabled.includes(KILLER)) return KILLER;
      if (usual !== KILLER || armed) return usual;
      return enabled.find((choice) => choice !== KILLER) ?? usual;
    },
  };
  const { failure } = execution.execute(strategy);
  const { kernel } = stage.machine;
  return {
    failure,
    results,
    received,
    length,
    rest: {
      frames: kernel.memory.frames.inUse,
      ids: stage.rpal.idsInUse,
      references: [...services].reduce((sum, { references }) => sum + references, 0),
      openFiles: files.filter((file) => file !== null && file.count !== 0).length,
      tasks: kernel.scheduler.runQueues.reduce((sum, rq) => sum + rq.running, 0),
      processes: kernel.processes.size,
    },
  };
}

function threadsOf(stage: Stage) {
  return stage.processes.flatMap(({ threads }) => threads).map(({ rpal }) => rpal);
}

/** What is documented for the survivor of each death. */
function judge(victim: Victim, { failure, results, received }: Outcome): string | null {
  if (failure !== null) return failure;
  if (new Set(received).size !== received.length) return `received twice: ${received}`;
  const [first = [], second = []] = [results['caller-0'], results['caller-1']];
  if (victim === 'caller-0') {
    // The other caller loses nothing; of the victim's words each arrives once or not at all, and what it was told has arrived.
    if (`${second}` !== '1,1' || !received.includes(101) || !received.includes(102)) return `the survivor: ${second}, received ${received}`;
    return first.every((_, index) => received.includes(index + 1)) ? null : `returned from a call that never arrived: ${received}`;
  }
  if (first.length !== 2 || second.length !== 2) return `a caller is stuck: ${first}; ${second}`;
  // A call is through, or queued and lost with the receiver, or the peer's memory is gone.
  for (const result of [...first, ...second]) if (result !== 1 && result !== ERR_PEER_MEM) return `a call returned ${result}`;
  return null;
}

describe.each(Object.entries(works))('a callee that %s', (_name, work) => {
  describe.each(['callee', 'caller-0'] as const)('killed at every step: %s', (victim) => {
    it.each([
      ['as written', {}],
      ['repaired', { repair: 'all' }],
    ] as const)(
      '%s: the others live on with the documented results, and nothing is left over that is not left without a death',
      (_which, options) => {
        const undisturbed = run(options, work, victim);
        expect(undisturbed.failure).toBeNull();
        expect(undisturbed.received).toEqual([1, 2, 101, 102]);
        for (let at = 0; at <= undisturbed.length; at += STRIDE) {
          const outcome = run(options, work, victim, at);
          expect(judge(victim, outcome), `killed at step ${at}`).toBeNull();
          expect(outcome.rest, `killed at step ${at}`).toEqual(undisturbed.rest);
        }
      },
      600_000,
    );
  });
});

describe('what is left over after 32 seconds', () => {
  const nothing = works['only computes'] as Work;

  /** Frames that two runs differ by. */
  const kept = (options: RpalOptions): number =>
    run(options, nothing, 'callee').rest.frames - run({ repair: 'all' }, nothing, 'callee').rest.frames;

  it('repaired: no id, no reference, no open file; the witness and its frames', () => {
    const { rest } = run({ repair: 'all' }, nothing, 'callee');
    expect(rest).toEqual({ frames: expect.any(Number), ids: 0, references: 0, openFiles: 0, tasks: 1, processes: 0 });
    expect(rest.frames).toBeLessThan(4);
  });

  it('as written: seven of the eight pages of each sender area (shared-page-leak), and nothing else', () => {
    const leak: QuirkName = 'shared-page-leak';
    expect(kept({})).toBe(3 * 7);
    expect(kept({ repair: [leak] })).toBe(0);
  });
});
