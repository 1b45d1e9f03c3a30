import { type Scenario, type Stage, searchAll } from '@rpal/explore';
import { defaultProfile } from '@rpal/hw-x86';
import { done, type Program } from '@rpal/kernel';
import { describe, expect, it } from 'vitest';
import { Exokernel, endOf, PageTables, PIPE_BYTES, Pipe, type PipeEnd, publish, type Routine, subscribe } from '../src/index.js';

const PAGE = 0x4000_0000;

/** Two environments that have a page in common. */
function pair(
  writer: (pipe: Pipe) => Routine,
  reader: (pipe: Pipe) => Routine,
): { readonly os: Exokernel; readonly left: readonly string[]; readonly faulted: boolean } {
  const os = new Exokernel({ profile: defaultProfile, slice: 3 });
  const a = os.environment('writer', function* (e) {
    yield* publish(e, new PageTables(e), PAGE);
    yield* e.yield();
    yield* writer(new Pipe(endOf(e, b.id), PAGE));
  });
  const b = os.environment('reader', function* (e) {
    expect(yield* subscribe(e, new PageTables(e), a.id, PAGE)).toBe(null);
    yield* reader(new Pipe(endOf(e, a.id), PAGE, 'inline'));
  });
  const left = os.run().map(({ name }) => name);
  return { os, left, faulted: a.faulted || b.faulted };
}

describe('a pipe of the library', () => {
  it('brings words in their order, more than it has room for, with slices that end anywhere', () => {
    const got: (number | null)[] = [];
    const { left, faulted, os } = pair(
      function* (pipe) {
        for (let i = 0; i < 200; i++) expect(yield* pipe.write(i)).toBe(true);
        // The page is its own: the reader has to be done before it ends.
        while (got.length < 200) yield* pipe.write(-1);
      },
      function* (pipe) {
        while (got.length < 200) got.push(yield* pipe.read());
      },
    );
    expect(got).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect([left, faulted, os.frames.used]).toEqual([[], false, 0]);
  });

  it('tells a writer that its reader is gone', () => {
    let written = 0;
    const { left } = pair(
      function* (pipe) {
        while (yield* pipe.write(1)) written++;
      },
      function* (pipe) {
        yield* pipe.read();
      },
    );
    expect(left).toEqual([]);
    expect(written).toBeGreaterThanOrEqual(32);
  });

  it('takes its page with it when the owner of the page ends: the reader traps, and ends, too', () => {
    const { left, faulted, os } = pair(
      function* (pipe) {
        yield* pipe.write(1);
      },
      function* (pipe) {
        for (;;) yield* pipe.read();
      },
    );
    expect([left, faulted, os.frames.used]).toEqual([[], true, 0]);
  });

  it('gives a reader what was written before the writer was gone, and then null', () => {
    const words = new Map<number, number>();
    const end = (turn: () => boolean): PipeEnd => ({
      *load(address) {
        yield;
        return words.get(address) ?? 0;
      },
      *store(address, value) {
        yield;
        words.set(address, value);
      },
      charge() {},
      *turn() {
        yield;
        return turn();
      },
    });
    const run = <T>(routine: Routine<T>): T => {
      for (;;) {
        const { done: over, value } = routine.next();
        if (over === true) return value;
      }
    };
    run(
      new Pipe(
        end(() => true),
        0,
      ).write(7),
    );
    const reader = new Pipe(
      end(() => false),
      0,
    );
    expect([run(reader.read()), run(reader.read())]).toEqual([7, null]);
  });
});

/** A pipe's end in a process of Linux, every word a step of its own: whatever another CPU can see in between, it may see. */
function wordByWord(p: Program): PipeEnd {
  return {
    *load(address) {
      yield;
      return yield* p.load64(address);
    },
    *store(address, value) {
      yield;
      yield* p.store64(address, value);
    },
    charge() {},
    // Nobody waits here: who finds nothing goes away.
    *turn() {
      yield;
      return false;
    },
  };
}

/**
 * One writes a word while another reads twice.
 * @param before words that are in the pipe already: 1, 2 ..
 * @returns what either has seen, in all interleavings
 */
function outcomes(before: number): readonly string[] {
  const seen = new Set<string>();
  let got: (number | null)[] = [];
  let written = false;
  const scenario: Scenario = {
    name: 'pipe',
    about: 'one writes while another reads',
    cpus: 2,
    setUp(stage: Stage) {
      got = [];
      stage.expect(2);
      stage.spawn('pipe', 0, function* (p) {
        const base = yield* p.allocate(4096);
        yield* p.memset(base, 0, PIPE_BYTES);
        const pipe = new Pipe(wordByWord(p), base);
        for (let word = 1; word <= before; word++) yield* pipe.write(word);
        let over = false;
        done(
          'clone',
          yield* p.clone(function* (q) {
            done('sched_setaffinity', yield* q.setAffinity([1]));
            yield* q.load8(base);
            yield* stage.meet(q);
            const other = new Pipe(wordByWord(q), base);
            for (let look = 0; look < 2; look++) got.push(yield* other.read());
            stage.leave(q);
            over = true;
          }),
        );
        yield* stage.meet(p);
        written = yield* pipe.write(before + 1);
        stage.leave(p);
        while (!over) done('nanosleep', yield* p.sleep(1000));
      });
    },
    verdict() {
      seen.add(`${written ? 'written' : 'full'}, read ${got.map((word) => word ?? 'nothing').join(' ')}`);
      return null;
    },
  };
  const { failure, covered } = searchAll(scenario, {}, { runs: 20_000 });
  expect([failure, covered]).toEqual([null, Number.POSITIVE_INFINITY]);
  return [...seen].sort();
}

describe('a pipe in all interleavings of its words', () => {
  it.each([
    [0, ['written, read 1 nothing', 'written, read nothing 1', 'written, read nothing nothing']],
    [1, ['written, read 1 2', 'written, read 1 nothing']],
    [32, ['full, read 1 2', 'written, read 1 2']],
  ])('brings words in their order, each once, and overwrites none: %d were there before', (before, expected) => {
    expect(outcomes(before)).toEqual(expected);
  });
});
