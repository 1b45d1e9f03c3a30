import { describe, expect, it } from 'vitest';
import type { Refusal } from '../src/caps/capability.js';
import type { Dispatcher, DomainProgram } from '../src/kernel/dispatcher.js';
import { Multikernel } from '../src/machine/multikernel.js';
import { opteron8380 } from '../src/machines/index.js';

const PAGE = 4096;
const HERE = 0x1_0000_0000;

/** A multikernel of five cores, on two sockets. */
function multikernel(): Multikernel {
  return new Multikernel({ profile: opteron8380, cores: 5, slice: 5 });
}

/** Slots that programs are told when they run. */
type Slots = Record<string, number>;

/** Runs programs that share RAM of four frames; what they note is returned. */
function sharing(
  programs: Readonly<
    Record<string, readonly [core: number, program: (d: Dispatcher, ram: number, note: (what: unknown) => void) => Generator<void, void>]>
  >,
) {
  const os = multikernel();
  const notes: Record<string, unknown[]> = {};
  const slots: Slots = {};
  const domains = Object.entries(programs).map(([name, [core, program]]) => {
    const heard: unknown[] = [];
    notes[name] = heard;
    return os.domain(name, core, (d) => program(d, slots[name] as number, (what) => heard.push(what)));
  });
  const given = os.memory(4, ...domains);
  domains.forEach(({ name }, i) => {
    slots[name] = given[i] as number;
  });
  const waiting = os.run();
  return { os, notes, waiting, domains };
}

/** Waits until other cores have come so far. */
function* until(d: Dispatcher, ready: () => boolean): Generator<void, void> {
  while (!ready()) {
    yield* d.words.pause();
    yield* d.yield();
  }
}

describe('capabilities', () => {
  it('are looked up by a system call, which is booked with the look-up', () => {
    const booked = ({ core }: Dispatcher) =>
      core.cpu.ledger.entries.find(({ step }) => step.name.endsWith(':capabilityLookup'))?.count ?? 0;
    const { notes } = sharing({
      owner: [
        0,
        function* (d, ram, note) {
          const before = booked(d);
          yield* d.identify(ram);
          yield* d.copy(ram);
          note(booked(d) - before);
        },
      ],
    });
    expect(notes.owner).toEqual([2]);
  });

  it('make frames of RAM, which can be mapped, written and read', () => {
    const { notes, waiting, os } = sharing({
      owner: [
        0,
        function* (d, ram, note) {
          const frames = yield* d.retype(ram, 'frame', 2, 2);
          note(yield* d.map(frames as number, HERE));
          yield* d.words.store(HERE + PAGE, 7);
          note(yield* d.words.load(HERE + PAGE));
          note(yield* d.unmap(HERE + PAGE));
          note(yield* d.unmap(HERE + PAGE));
        },
      ],
    });
    expect(notes.owner).toEqual([null, 7, null, 'BAD_ADDRESS']);
    expect(waiting).toEqual([]);
    expect(os.drivers.map(({ capabilities }) => capabilities.size.claims)).toEqual([0, 0, 0, 0, 0]);
  });

  const refusals: readonly (readonly [string, (d: Dispatcher, ram: number) => Generator<void, unknown>, Refusal])[] = [
    ['RAM is mapped', (d, ram) => d.map(ram, HERE), 'WRONG_TYPE'],
    ['a slot is empty', (d) => d.map(99, HERE), 'NO_CAPABILITY'],
    ['there is too little RAM', (d, ram) => d.retype(ram, 'frame', 3, 2), 'BAD_RETYPE'],
    ['there is nothing to be made', (d, ram) => d.retype(ram, 'frame', 0, 1), 'BAD_RETYPE'],
    ['RAM is to become an endpoint', (d, ram) => d.retype(ram, 'endpoint', 1, 1), 'BAD_RETYPE'],
    [
      'a frame is to become another frame',
      function* (d, ram) {
        return yield* d.retype((yield* d.retype(ram, 'frame', 1, 1)) as number, 'frame', 1, 1);
      },
      'WRONG_TYPE',
    ],
    [
      'RAM has been typed',
      function* (d, ram) {
        yield* d.retype(ram, 'frame', 1, 1);
        return yield* d.retype(ram, 'frame', 1, 1);
      },
      'TYPED_ALREADY',
    ],
    [
      'a copy gives no right to write',
      function* (d, ram) {
        const frame = (yield* d.retype(ram, 'frame', 1, 1)) as number;
        return yield* d.map((yield* d.copy(frame, false)) as number, HERE);
      },
      'NO_RIGHT',
    ],
    [
      "the address is the kernel's",
      function* (d, ram) {
        return yield* d.map((yield* d.retype(ram, 'frame', 1, 1)) as number, 0x10_0000);
      },
      'BAD_ADDRESS',
    ],
    [
      'the address is in use',
      function* (d, ram) {
        const frame = (yield* d.retype(ram, 'frame', 1, 4)) as number;
        yield* d.map(frame, HERE);
        return yield* d.map(frame, HERE + PAGE);
      },
      'BAD_ADDRESS',
    ],
    ['an endpoint is revoked', (d) => d.revoke(d.driver.monitorSlot(d)), 'WRONG_TYPE'],
  ];
  it.each(refusals)('are refused where %s', (_what, ask, refusal) => {
    const { notes } = sharing({
      owner: [
        0,
        function* (d, ram, note) {
          note(yield* ask(d, ram));
        },
      ],
    });
    expect(notes.owner).toEqual([refusal]);
  });

  it('let one core alone type memory that two cores have, at whatever moments they try', () => {
    for (let delay = 0; delay < 8000; delay += 500) {
      let through = 0;
      const type: (wait: number) => (d: Dispatcher, ram: number, note: (what: unknown) => void) => Generator<void, void> = (wait) =>
        function* (d, ram, note) {
          yield* d.core.compute(1 + wait);
          const made = yield* d.retype(ram, 'frame', 1, 4);
          note(typeof made === 'number' ? 'made' : made);
          through++;
          // What is made goes with who has made it.
          yield* until(d, () => through === 2);
        };
      const { notes, waiting } = sharing({ left: [0, type(0)], right: [4, type(delay)] });
      expect([...(notes.left as unknown[]), ...(notes.right as unknown[])].sort()).toEqual(['TYPED_ALREADY', 'made']);
      expect(waiting).toEqual([]);
    }
  });

  it('are taken from everybody by a revocation, and their pages with them: who goes on using one dies', () => {
    let shown = false;
    let revoked = false;
    const { notes, os, domains } = sharing({
      owner: [
        0,
        function* (d, ram, note) {
          yield* until(d, () => shown);
          note(yield* d.revoke(ram));
          note((yield* d.identify(ram))?.type);
          revoked = true;
          note(typeof (yield* d.retype(ram, 'frame', 1, 1)));
        },
      ],
      user: [
        4,
        function* (d, ram, note) {
          const frame = (yield* d.retype(ram, 'frame', 1, 4)) as number;
          yield* d.map(frame, HERE);
          yield* d.words.store(HERE, 1);
          shown = true;
          for (;;) {
            note(yield* d.words.load(HERE));
            if (revoked) note('read after the revocation');
            yield* d.yield();
          }
        },
      ],
    });
    expect(notes.owner).toEqual([null, 'ram', 'number']);
    expect(new Set(notes.user)).toEqual(new Set([1]));
    expect(domains.map(({ dead, faulted }) => [dead, faulted])).toEqual([
      [true, false],
      [true, true],
    ]);
    expect(
      os.drivers.flatMap(({ capabilities }) =>
        capabilities.descendants({ type: 'ram', first: 0, count: 2 ** 30, writable: true, receiver: -1 }),
      ),
    ).toEqual([]);
  });
});

describe('attacks', () => {
  /** What a program may try against another domain of its core, whose page shows 42. @returns whether the attacker has died, and what it has read */
  function attack(program: (d: Dispatcher, victim: Dispatcher) => Generator<void, unknown>) {
    const os = multikernel();
    let read: unknown = 'nothing';
    const slots: Slots = {};
    const victim: Dispatcher = os.domain('victim', 0, function* (d) {
      const frame = (yield* d.retype(slots.victim as number, 'frame', 1, 1)) as number;
      yield* d.map(frame, HERE);
      yield* d.words.store(HERE, 42);
      yield* d.receive();
      read = [read, yield* d.words.load(HERE)];
    });
    const attacker: DomainProgram = function* (d) {
      yield* until(d, () => victim.blocked);
      read = yield* program(d, victim);
      yield* d.lrpc(slots.victims as number);
    };
    const own = os.domain('attacker', 0, attacker);
    [slots.victim] = os.memory(1, victim) as [number];
    slots.victims = os.endpoint(own, victim);
    os.run();
    return { dies: own.faulted, read, victim: victim.dead };
  }

  it('reading and writing what is mapped in another domain ends the attacker', () => {
    expect(attack((d) => d.words.load(HERE))).toEqual({ dies: true, read: 'nothing', victim: false });
    expect(attack((d) => d.words.store(HERE, 1))).toEqual({ dies: true, read: 'nothing', victim: false });
  });

  it('so do the kernel, page tables and the monitor: no user page shows them', () => {
    for (const address of [0x10_0000, 0x20_0000, 0x2_0000_0000]) {
      expect(attack((d) => d.words.store(address, 1)).dies).toBe(true);
    }
  });

  it("another domain's slots are none", () => {
    const theirs = (d: Dispatcher, victim: Dispatcher) =>
      d.driver.capabilities.of(victim.id).find(({ capability }) => capability.type === 'frame')?.number as number;
    expect(attack((d, victim) => d.map(theirs(d, victim), 2 * HERE)).read).toEqual(['NO_CAPABILITY', 42]);
    expect(attack((d, victim) => d.revoke(theirs(d, victim))).read).toEqual(['NO_CAPABILITY', 42]);
    expect(attack((d, victim) => d.grant(theirs(d, victim), theirs(d, victim))).read).toEqual(['NO_CAPABILITY', 42]);
  });

  it('an LRPC without an endpoint is refused, and nobody can send in the name of another', () => {
    expect(attack((d) => d.lrpc(77, 1)).read).toEqual(['NO_CAPABILITY', 42]);
    const os = multikernel();
    let heard: unknown;
    const server = os.domain('server', 0, function* (d) {
      heard = yield* d.receive();
    });
    let slot = 0;
    const client = os.domain('client', 0, function* (d) {
      yield* d.lrpc(slot, 99, 1);
    });
    slot = os.endpoint(client, server);
    os.run();
    expect(heard).toEqual({ from: client.id, words: [99, 1] });
  });
});
