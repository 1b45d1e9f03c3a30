import { type Mechanism, pingPong, verdicts } from '@rpal/compare';
import { createMachine, executable, type Machine, type Program, Time } from '@rpal/kernel';
import { Errno, MapFlag, Prot } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { finish, smallProfile } from '../../../scripts/testing/run.ts';
import { copyOnWrite, flip, mapping, PageSend, pageAccept, pageFlip, pageSend } from '../src/index.js';

const PAGE = 4096;
const { MOVE, SHARE } = PageSend;

/** A receiver with a window of four pages full of 9, for the sender that forks it; both note their addresses. */
interface Pair {
  readonly pid: number;
  readonly window: number;
}

/** Runs a sender against a receiver: `send` while the receiver waits, then `look` in the receiver. */
function transfer(
  send: (p: Program, to: Pair) => Generator<void, void>,
  look: (q: Program, window: number) => Generator<void, void>,
): Machine {
  const machine = createMachine({ profile: smallProfile(), plugins: [pageFlip()] });
  machine.spawn(
    executable('sender', function* (p) {
      const own = yield* p.getpid();
      let window = 0;
      let sent = false;
      const pid = yield* p.fork(function* (q) {
        window = yield* q.allocate(4 * PAGE);
        yield* q.memset(window, 9, 4 * PAGE);
        expect(yield* pageAccept(q, window, 4 * PAGE, own)).toBe(0);
        while (!sent) yield* q.sleep(Time.us);
        yield* look(q, window);
      });
      yield* p.sleep(Time.ms);
      yield* send(p, { pid, window });
      sent = true;
      yield* p.wait();
    }),
  );
  finish(machine);
  return machine;
}

describe('sending pages', () => {
  it('moves them: the receiver has the bytes, and the sender fresh memory', () => {
    transfer(
      function* (p, { pid, window }) {
        const at = yield* p.allocate(2 * PAGE);
        yield* p.memset(at, 7, 2 * PAGE);
        expect(yield* pageSend(p, pid, at, window + PAGE, 2 * PAGE, MOVE)).toBe(0);
        expect([yield* p.load8(at), yield* p.load8(at + 2 * PAGE - 1)]).toEqual([0, 0]);
        yield* p.store8(at, 3);
      },
      function* (q, window) {
        const bytes: number[] = [];
        for (let page = 0; page < 4; page++) bytes.push(yield* q.load8(window + page * PAGE + 5));
        expect(bytes).toEqual([9, 7, 7, 9]);
        // They are its own: it writes them in place.
        const { minorFaults } = q.context.thread.memory;
        yield* q.store8(window + PAGE, 1);
        expect([yield* q.load8(window + PAGE), q.context.thread.memory.minorFaults]).toEqual([1, minorFaults]);
      },
    );
  });

  it('shares them until one side writes, whichever it is', () => {
    let at = 0;
    transfer(
      function* (p, { pid, window }) {
        at = yield* p.allocate(2 * PAGE);
        yield* p.memset(at, 7, 2 * PAGE);
        expect(yield* pageSend(p, pid, at, window, 2 * PAGE, SHARE)).toBe(0);
        yield* p.store8(at, 8);
        expect([yield* p.load8(at), yield* p.load8(at + PAGE)]).toEqual([8, 7]);
        yield* p.sleep(3 * Time.ms);
        expect(yield* p.load8(at + PAGE)).toBe(7);
      },
      function* (q, window) {
        expect([yield* q.load8(window), yield* q.load8(window + PAGE)]).toEqual([7, 7]);
        yield* q.store8(window + PAGE, 6);
        expect(yield* q.load8(window + PAGE)).toBe(6);
      },
    );
  });

  it('takes rights away on every CPU: a thread of the sender on another one cannot write a shared page behind the back of the receiver', () => {
    transfer(
      function* (p, { pid, window }) {
        const at = yield* p.allocate(PAGE);
        yield* p.memset(at, 7, PAGE);
        let shared = false;
        yield* p.clone(function* (q) {
          yield* q.setAffinity([1]);
          yield* q.store8(at, 7);
          while (!shared) yield* q.compute(1000);
          yield* q.store8(at, 66);
        });
        yield* p.setAffinity([0]);
        yield* p.sleep(Time.ms);
        expect(yield* pageSend(p, pid, at, window, PAGE, SHARE)).toBe(0);
        shared = true;
        yield* p.sleep(Time.ms);
        expect(yield* p.load8(at)).toBe(66);
      },
      function* (q, window) {
        yield* q.sleep(3 * Time.ms);
        expect(yield* q.load8(window)).toBe(7);
      },
    );
  });

  it('is refused where nobody has opened a window, beyond it, for odd addresses, and for memory that is not private', () => {
    transfer(
      function* (p, { pid, window }) {
        const at = yield* p.allocate(8 * PAGE);
        const shared = yield* p.mmap(0, PAGE, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS);
        const own = yield* p.getpid();
        const seen: number[] = [];
        for (const [to, from, target, length, how] of [
          [pid, at, window, 0, MOVE],
          [pid, at + 1, window, PAGE, MOVE],
          [pid, at, window + 1, PAGE, MOVE],
          [pid, at, window, PAGE + 1, MOVE],
          [pid, at, window, PAGE, 2],
          [pid, at, window, 8 * PAGE, MOVE],
          [pid, at, window - PAGE, PAGE, MOVE],
          [pid, shared, window, PAGE, MOVE],
          [pid, 0, window, PAGE, SHARE],
          [4000, at, window, PAGE, MOVE],
          [own, at, window, PAGE, MOVE],
        ] as const)
          seen.push(yield* pageSend(p, to, from, target, length, how));
        const { EINVAL, EPERM, EFAULT, ESRCH } = Errno;
        expect(seen.map((n) => -n)).toEqual([EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, EPERM, EPERM, EFAULT, EFAULT, ESRCH, EINVAL]);
        // The window was opened for its parent.
        yield* p.fork(function* (other) {
          expect(yield* pageSend(other, pid, at, window, PAGE, MOVE)).toBe(-EPERM);
        });
        yield* p.wait();
        const accepted = [
          yield* pageAccept(p, at + 1, PAGE, pid),
          yield* pageAccept(p, at, 0, pid),
          yield* pageAccept(p, shared, PAGE, pid),
          yield* pageAccept(p, at, PAGE, 4000),
        ];
        expect(accepted.map((n) => -n)).toEqual([EINVAL, EINVAL, EFAULT, ESRCH]);
        for (let i = 0; i < 64; i++) expect(yield* pageAccept(p, at, PAGE, pid)).toBe(0);
        expect(yield* pageAccept(p, at, PAGE, pid)).toBe(-Errno.ENOSPC);
      },
      function* (q, window) {
        expect(yield* q.load8(window)).toBe(9);
      },
    );
  });

  it('leaves the counts right: no frame is lost or freed twice, whoever ends first', () => {
    for (const how of [MOVE, SHARE]) {
      const frames: number[] = [];
      const machine = createMachine({ profile: smallProfile(), plugins: [pageFlip()] });
      const program = function* (p: Program): Generator<void, void> {
        const at = yield* p.allocate(4 * PAGE);
        yield* p.memset(at, 1, 4 * PAGE);
        const own = yield* p.getpid();
        for (let round = 0; round < 3; round++) {
          let window = 0;
          const pid = yield* p.fork(function* (q) {
            window = yield* q.allocate(4 * PAGE);
            expect(yield* pageAccept(q, window, 4 * PAGE, own)).toBe(0);
            yield* q.sleep(2 * Time.ms);
            expect(yield* q.load8(window)).toBe(round === 0 || how === SHARE ? 1 : 0);
          });
          yield* p.sleep(Time.ms);
          for (let i = 0; i < 3; i++) if (i === 0 || how === SHARE) expect(yield* pageSend(p, pid, at, window, 4 * PAGE, how)).toBe(0);
          yield* p.wait();
          frames.push(p.context.cpu.memory.framesInUse);
        }
      };
      machine.spawn(executable('program', program));
      finish(machine);
      expect(frames[2]).toBe(frames[1]);
    }
  });
});

describe.each([flip, copyOnWrite].map((mechanism) => [mechanism.name, mechanism] as const))(
  'messages by %s',
  (_name, mechanism: Mechanism) => {
    it.each([
      [32, [0, 1]],
      [5000, [0, 0]],
      [70_000, [0, 1]],
    ] as const)('bring every byte there and back, and every cycle is booked: %d bytes on CPUs %j', (size, cpus) => {
      const options = { machine: { profile: smallProfile() }, size, cpus, waiting: 'sleep' as const, messages: 5, warmUp: 10 };
      const { there, back, roundTrip } = pingPong(mechanism, options);
      for (const trip of [there, back]) expect(trip.booked).toBe(trip.totalCycles);
      expect(there.totalCycles + back.totalCycles).toBe(roundTrip.totalCycles);
    });
  },
);

describe('rpal-bench os flip', () => {
  it('says at which size mapping wins, and that a small message is better copied', () => {
    const [experiment] = mapping.experiments;
    const rows = verdicts(experiment!, experiment!.run({ costs: 'central', seed: 1 }));
    expect(rows.map(({ verdict }) => verdict)).toEqual(['holds']);
  });
});
