import { type ExperimentRow, type Mechanism, pingPong, streaming, verdicts } from '@rpal/compare';
import { createMachine, executable, type Machine, type Program, Time } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import { Errno, MapFlag, OpenFlag, Poll, Prot } from '@rpal/uapi';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { finish, smallProfile } from '../../../scripts/testing/run.ts';
import { BROADCAST, BUS_PATH, BusIoctl, bus, busOf, byDaemon, byKernel, kernelBus } from '../src/index.js';
import { Pool } from '../src/kernel/pool.js';

const { SEND, RECEIVE, FREE, OWN, MATCH, OPEN } = BusIoctl;

/** A page with what a program passes to the bus: a request, room for what is received, a name, a message. */
interface Desk {
  readonly fd: number;
  readonly pool: number;
  send(id: number, text: string, name?: string): Generator<void, number>;
  /** The text of the next message and its sender, which stays in the pool if it is kept; or an errno. */
  receive(): Generator<void, { from: number; text: string; offset: number } | number>;
  name(command: number, name: string): Generator<void, number>;
}

function* desk(p: Program): Generator<void, Desk> {
  const fd = yield* p.open(BUS_PATH, OpenFlag.RDWR);
  expect(fd).toBeGreaterThanOrEqual(0);
  const pool = yield* p.mmap(0, 65_536, Prot.READ, MapFlag.SHARED, fd);
  const page = yield* p.allocate(8192);
  const [received, names, message] = [page + 64, page + 128, page + 4096];
  function* putName(name: string): Generator<void, void> {
    yield* p.storeBytes(names, new TextEncoder().encode(`${name}\0`));
  }
  return {
    fd,
    pool,
    *send(id, text, name = '') {
      yield* putName(name);
      yield* p.storeBytes(message, new TextEncoder().encode(text));
      for (const [i, word] of [id, names, message, text.length].entries()) yield* p.store64(page + 8 * i, word);
      return yield* p.ioctl(fd, SEND, page);
    },
    *receive() {
      const result = yield* p.ioctl(fd, RECEIVE, received);
      if (result < 0) return result;
      const [from, offset, length] = [yield* p.load64(received), yield* p.load64(received + 8), yield* p.load64(received + 16)];
      const bytes = new Uint8Array(length);
      yield* p.loadBytes(pool + offset, bytes);
      return { from, text: new TextDecoder().decode(bytes), offset };
    },
    *name(command, name) {
      yield* putName(name);
      return yield* p.ioctl(fd, command, names);
    },
  };
}

function run(...mains: ((p: Program) => Generator<void, void>)[]): Machine {
  const machine = createMachine({ profile: smallProfile(), plugins: [posix(), kernelBus({ poolBytes: 65_536 })] });
  for (const [i, main] of mains.entries()) machine.spawn(executable(`program ${i}`, main));
  finish(machine);
  return machine;
}

describe('a bus in the kernel', () => {
  it('takes a message to a connection by its id or by its name, where its reader finds it in its own pool', () => {
    run(function* (p) {
      const [one, two] = [yield* desk(p), yield* desk(p)];
      expect(yield* two.name(OWN, 'org.example.Two')).toBe(0);
      expect(yield* one.send(2, 'by id')).toBe(0);
      expect(yield* one.send(0, 'by name', 'org.example.Two')).toBe(0);
      const first = yield* two.receive();
      const second = yield* two.receive();
      expect([first, second]).toMatchObject([
        { from: 1, text: 'by id' },
        { from: 1, text: 'by name' },
      ]);
      expect(yield* two.receive()).toBe(-Errno.EAGAIN);
      const { offset } = first as { offset: number };
      expect([yield* p.ioctl(two.fd, FREE, offset), yield* p.ioctl(two.fd, FREE, offset)]).toEqual([0, -Errno.ENXIO]);
    });
  });

  it('wakes a reader that polls, and says in fdinfo and mmap no more than it is', () => {
    const seen: string[] = [];
    run(function* (p) {
      const one = yield* desk(p);
      yield* p.fork(function* (q) {
        const two = yield* desk(q);
        const fds = yield* q.allocate(4096);
        yield* q.store32(fds, two.fd);
        yield* q.store32(fds + 4, Poll.IN);
        expect(yield* q.poll(fds, 1, -1)).toBe(1);
        const got = yield* two.receive();
        if (typeof got !== 'number') seen.push(got.text);
      });
      yield* p.sleep(Time.ms);
      expect(yield* one.send(2, 'wake up')).toBe(0);
      yield* p.wait();
      expect(yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED, one.fd)).toBe(-Errno.EACCES);
      expect(yield* p.read(one.fd, one.pool, 8)).toBe(-Errno.EINVAL);
    });
    expect(seen).toEqual(['wake up']);
  });

  it('refuses what leads nowhere: ids and names that nobody has, names that are taken, messages of nothing, addresses without memory', () => {
    run(function* (p) {
      const [one, two] = [yield* desk(p), yield* desk(p)];
      expect(yield* one.name(OWN, 'org.example.One')).toBe(0);
      expect(yield* one.name(OWN, 'org.example.One')).toBe(0);
      expect(yield* two.name(OWN, 'org.example.One')).toBe(-Errno.EEXIST);
      expect(yield* two.name(OWN, '')).toBe(-Errno.EINVAL);
      expect(yield* two.name(OWN, 'x'.repeat(256))).toBe(-Errno.EINVAL);
      expect(yield* two.send(99, 'x')).toBe(-Errno.ENXIO);
      expect(yield* two.send(0, 'x', 'org.example.Nobody')).toBe(-Errno.ESRCH);
      expect(yield* two.send(1, '')).toBe(-Errno.EINVAL);
      for (const command of [SEND, OWN]) expect(yield* p.ioctl(two.fd, command, 0)).toBe(-Errno.EFAULT);
      expect(yield* p.ioctl(two.fd, MATCH, -1)).toBe(-Errno.EINVAL);
      expect(yield* p.ioctl(two.fd, 1, 0)).toBe(-Errno.ENOTTY);
    });
  });

  it('has room for so much in a pool, and all of it again once what was read is given back', () => {
    run(function* (p) {
      const [one, two] = [yield* desk(p), yield* desk(p)];
      const text = 'x'.repeat(4000);
      let sent = 0;
      while ((yield* one.send(2, text)) === 0) sent++;
      expect(sent).toBe(Math.floor(65_536 / 4000));
      expect(yield* one.send(2, text)).toBe(-Errno.ENOBUFS);
      const got = yield* two.receive();
      expect(yield* one.send(2, text)).toBe(-Errno.ENOBUFS);
      expect(yield* p.ioctl(two.fd, FREE, (got as { offset: number }).offset)).toBe(0);
      expect(yield* one.send(2, text)).toBe(0);
    });
  });

  it('brings broadcasts to those who have asked for them, one that has no room left out', () => {
    run(function* (p) {
      const [one, two, three, four] = [yield* desk(p), yield* desk(p), yield* desk(p), yield* desk(p)];
      expect(yield* p.ioctl(two.fd, MATCH, 0)).toBe(0);
      expect(yield* p.ioctl(three.fd, MATCH, 2)).toBe(0);
      expect(yield* p.ioctl(four.fd, MATCH, 1)).toBe(0);
      while ((yield* one.send(4, 'x'.repeat(4000))) === 0);
      expect(yield* one.send(BROADCAST, 'y'.repeat(4000))).toBe(0);
      expect(yield* two.receive()).toMatchObject({ from: 1 });
      expect(yield* three.receive()).toBe(-Errno.EAGAIN);
      expect(yield* one.receive()).toBe(-Errno.EAGAIN);
      expect(yield* four.receive()).toMatchObject({ text: 'x'.repeat(4000) });
    });
  });

  it('does not let one user send to another unasked, but an answer goes back', () => {
    run(function* (p) {
      const root = yield* desk(p);
      yield* p.fork(function* (q) {
        expect(yield* q.setuid(1000)).toBe(0);
        const user = yield* desk(q);
        expect(yield* user.send(1, 'unasked')).toBe(-Errno.EPERM);
        while (typeof (yield* user.receive()) === 'number') yield* q.sleep(Time.us);
        expect([yield* user.send(1, 'the answer'), yield* user.send(1, 'and more')]).toEqual([0, -Errno.EPERM]);
      });
      yield* p.sleep(Time.ms);
      expect(yield* root.send(2, 'asked')).toBe(0);
      yield* p.wait();
      expect(yield* root.receive()).toMatchObject({ from: 2, text: 'the answer' });
      expect(yield* p.ioctl(root.fd, OPEN, 0)).toBe(0);
      yield* p.fork(function* (q) {
        expect(yield* q.setuid(1000)).toBe(0);
        expect(yield* (yield* desk(q)).send(1, 'welcome')).toBe(0);
      });
      yield* p.wait();
    });
  });

  it('forgets who has died: id and names are free, and all memory comes back', () => {
    const machine = run(function* (p) {
      const one = yield* desk(p);
      const before = p.context.cpu.memory.framesInUse;
      for (let i = 0; i < 3; i++) {
        yield* p.fork(function* (q) {
          const two = yield* desk(q);
          expect(yield* two.name(OWN, 'org.example.Short')).toBe(0);
          yield* q.sleep(Time.ms);
        });
        yield* p.sleep(Time.ms / 2);
        expect(yield* one.send(0, 'never read', 'org.example.Short')).toBe(0);
        yield* p.wait();
      }
      expect(yield* one.send(2, 'x')).toBe(-Errno.ENXIO);
      expect(yield* one.send(0, 'x', 'org.example.Short')).toBe(-Errno.ESRCH);
      expect(p.context.cpu.memory.framesInUse - before).toBeLessThan(8);
    });
    expect(busOf(machine).size).toBe(0);
  });

  it('is asked for on a machine that has it', () => {
    expect(() => busOf(createMachine())).toThrow('built without @rpal/kernel-bus; add kernelBus() to its plugins');
    expect(() => kernelBus({ poolBytes: 5 })).not.toThrow();
    expect(() => createMachine({ plugins: [kernelBus({ poolBytes: 5 })] })).toThrow(/kernel-bus.*poolBytes/s);
  });
});

describe('a pool', () => {
  it('never gives one byte to two pieces, and all of them again after all have been freed', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.integer({ min: 1, max: 900 }), fc.constant(0)), { maxLength: 60 }), (operations) => {
        const pool = new Pool(4096);
        const pieces: { offset: number; length: number }[] = [];
        for (const length of operations) {
          const oldest = pieces[0];
          if (length === 0) {
            if (oldest !== undefined) expect(pool.free((pieces.shift() as { offset: number }).offset)).toBe(true);
            continue;
          }
          const offset = pool.allocate(length);
          if (offset < 0) continue;
          expect([offset % 8, offset + length <= 4096]).toEqual([0, true]);
          for (const other of pieces) expect(offset + length <= other.offset || other.offset + other.length <= offset).toBe(true);
          pieces.push({ offset, length });
        }
        expect(pool.size).toBe(pieces.length);
        for (const { offset } of pieces) expect(pool.free(offset)).toBe(true);
        expect([pool.allocate(4096), pool.free(1)]).toEqual([0, false]);
      }),
    );
  });
});

describe.each([byDaemon('on'), byKernel('on'), byDaemon('off'), byKernel('off')].map((mechanism) => [mechanism.name, mechanism] as const))(
  'messages by %s',
  (_name, mechanism: Mechanism) => {
    const options = (size: number, cpus: readonly [number, number], messages = 5) => ({
      machine: { profile: smallProfile() },
      size,
      cpus,
      waiting: 'sleep' as const,
      messages,
      warmUp: 10,
    });

    it.each([
      [1, [0, 1]],
      [1, [0, 0]],
      [32, [0, 1]],
      [5000, [0, 0]],
      [70_000, [0, 1]],
    ] as const)('bring every byte there and back, and every cycle is booked: %d bytes on CPUs %j', (size, cpus) => {
      const { there, back, roundTrip } = pingPong(mechanism, options(size, cpus));
      for (const trip of [there, back]) expect(trip.booked).toBe(trip.totalCycles);
      expect(there.totalCycles + back.totalCycles).toBe(roundTrip.totalCycles);
    });

    it('stream', () => {
      expect(streaming(mechanism, options(64, [0, 1], 100)).elapsed).toBeGreaterThan(0);
    });
  },
);

describe('rpal-bench os bus', () => {
  const rows = (name: string): readonly ExperimentRow[] => {
    const experiment = bus.experiments.find((each) => each.name === name);
    if (experiment === undefined) throw new Error(name);
    return verdicts(experiment, experiment.run({ costs: 'central', seed: 1 }));
  };

  it('comes out with the ratios that were published', () => {
    for (const row of rows('ping-pong')) expect([row.published.id, row.verdict]).not.toContain('misses');
  });

  it('shows that broadcasts grow more slowly by the kernel', () => {
    expect(rows('broadcast')[0]).toMatchObject({ verdict: 'holds' });
  });
});
