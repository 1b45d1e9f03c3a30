import { executable } from '@rpal/kernel';
import { Errno } from '@rpal/uapi';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_REQUEST_SERVICE, MapType, QUARANTINE_NS, RPAL_NR_ID, type RpalService, rpalThread } from '../src/index.js';
import { Control, finish, pairOfServices, rpalImage, run, until, type World, world } from './world.js';

/** Lets `ns` nanoseconds pass on a machine. */
function pass({ machine }: World, ns: number): void {
  machine.spawn(
    executable('clock', function* (p) {
      yield* p.sleep(ns);
    }),
  );
  finish(machine, ns + 1e9);
}

describe('a service', () => {
  it('begins at exec, with the lowest id and the next key, and three references', () => {
    const setting = world();
    let service: RpalService | null = null;
    let references = 0;
    run(setting, function* (p) {
      service = rpalThread(p.context.thread).service;
      references = service?.references ?? 0;
      yield* p.sleep(1);
    });
    expect(service).toMatchObject({ id: 0, key: 1, enabled: false, pkey: -1, requestsLeft: 15 });
    expect(references).toBe(3);
  });

  it('counts a reference for each thread, and loses it with the thread', () => {
    const counts: number[] = [];
    run(world(), function* (p) {
      const service = rpalThread(p.context.thread).service as RpalService;
      let stop = false;
      yield* p.clone(function* (q) {
        counts.push(service.references);
        yield* until(q, () => stop);
      });
      yield* until(p, () => counts.length === 1);
      stop = true;
      yield* p.sleep(1e6);
      counts.push(service.references);
    });
    expect(counts).toEqual([4, 3]);
  });

  it('is not inherited by a forked child', () => {
    let inherited: unknown = 'not looked at';
    run(world(), function* (p) {
      yield* p.fork(function* (q) {
        inherited = rpalThread(q.context.thread).service;
        yield* q.sleep(1);
      });
      yield* p.wait();
    });
    expect(inherited).toBeNull();
  });

  it('keeps its id for 30 s after the last reference; keys are never used again', () => {
    const setting = world();
    const ids: number[] = [];
    const keys: number[] = [];
    const start = () =>
      run(setting, function* (p) {
        const c = yield* Control.open(p);
        ids.push(yield* c.id());
        keys.push(yield* c.key());
      });
    start();
    start();
    pass(setting, QUARANTINE_NS - 1e9);
    start();
    pass(setting, 2e9);
    start();
    expect(ids).toEqual([0, 1, 2, 0]);
    expect(keys).toEqual([1, 2, 3, 4]);
  });

  it('that is dead keeps its id as long as somebody still requests it', () => {
    const setting = world();
    let during = -1;
    pairOfServices(
      { ...setting, within: QUARANTINE_NS + 2e9 },
      function* () {},
      function* (p, c, peer) {
        yield* until(p, () => peer.exit !== null);
        yield* p.sleep(QUARANTINE_NS + 1e9);
        during = setting.rpal.idsInUse;
        yield* c.release(1);
      },
    );
    expect(during).toBe(2);
    pass(setting, QUARANTINE_NS + 1e9);
    expect(setting.rpal.idsInUse).toBe(0);
  });

  it('is not made for the 255th RPAL process: it starts as any other', () => {
    const setting = world();
    let go = false;
    let ready = 0;
    const { machine, rpal } = setting;
    for (let i = 0; i < RPAL_NR_ID; i++) {
      machine.spawn(
        rpalImage(`service-${i}`, function* (p) {
          ready++;
          while (!go) yield* p.sleep(1e6);
        }),
        i % 4,
      );
    }
    let service: unknown = 'not looked at';
    let address = 0;
    while (ready < RPAL_NR_ID) machine.run(machine.platform.now + 1e7);
    machine.spawn(
      rpalImage('one-too-many', function* (p) {
        service = rpalThread(p.context.thread).service;
        address = yield* p.allocate(4096);
        go = true;
      }),
    );
    finish(machine);
    expect(service).toBeNull();
    expect(address).toBeGreaterThan(0x7f00_0000_0000);
    expect(rpal.instruments.leakedServices).toBe(1);
  });

  it('dies with its last thread, not with its first', () => {
    const setting = world();
    let alive = false;
    run(setting, function* (p) {
      const c = yield* Control.open(p);
      yield* p.clone(function* (q) {
        yield* q.sleep(2e6);
        alive = setting.rpal.byKey.has(1);
      });
      yield* c.enable();
      yield* p.syscall(60, 0);
    });
    expect(alive).toBe(true);
    expect(setting.rpal.byKey.size).toBe(0);
  });
});

/** Sides of a small group of services doing things in an order that a property chooses. */
type Act = { readonly who: number; readonly what: 'request' | 'release' | 'enable' | 'disable'; readonly whom: number };

describe('requests and releases in every order', () => {
  const SERVICES = 3;
  const act = fc.record<Act>({
    who: fc.integer({ min: 0, max: SERVICES - 1 }),
    what: fc.constantFrom('request', 'release', 'enable', 'disable'),
    whom: fc.integer({ min: 0, max: SERVICES - 1 }),
  });

  it('keep quotas, bits, references and page-table links consistent, and answer as the rules say', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 25 }), (acts) => {
        const setting = world();
        const model = new Model(SERVICES);
        let turn = -SERVICES;
        const problems: string[] = [];
        const mains = Array.from(
          { length: SERVICES },
          (_, me) =>
            function* (p: Parameters<typeof Control.open>[0]) {
              const c = yield* Control.open(p);
              turn++;
              for (let i = 0; i < acts.length; i++) {
                const { who, what, whom } = acts[i] as Act;
                yield* until(p, () => turn >= i);
                if (who !== me) continue;
                const expected = model.apply(acts[i] as Act);
                const key = whom + 1;
                const result =
                  what === 'request'
                    ? (yield* c.request(key)).result
                    : what === 'release'
                      ? yield* c.release(key)
                      : what === 'enable'
                        ? yield* c.enable()
                        : yield* c.disable();
                if (result !== expected) problems.push(`${i}: ${who} ${what} ${whom} gives ${result}, not ${expected}`);
                problems.push(...inconsistencies(setting, model).map((problem) => `${i}: ${problem}`));
                turn = i + 1;
              }
              yield* until(p, () => turn >= acts.length);
            },
        );
        run(setting, ...mains);
        expect(problems).toEqual([]);
      }),
      { numRuns: 40, seed: 5 },
    );
  });
});

/** The rules in a few lines: who is enabled, who has requested whom. */
class Model {
  readonly enabled: boolean[];
  readonly hasKey: boolean[];
  readonly requests: boolean[][];

  constructor(services: number) {
    this.enabled = Array(services).fill(false);
    this.hasKey = Array(services).fill(false);
    this.requests = Array.from({ length: services }, () => Array(services).fill(false));
  }

  apply({ who, what, whom }: Act): number {
    const mine = this.requests[who] as boolean[];
    switch (what) {
      case 'enable':
        this.enabled[who] = true;
        this.hasKey[who] = true;
        return 0;
      case 'disable':
        if (!this.enabled[who]) return -Errno.EINVAL;
        this.enabled[who] = false;
        mine.fill(false);
        return 0;
      case 'request':
        if (who === whom || !this.enabled[who]) return -Errno.EINVAL;
        if (!this.enabled[whom]) return -Errno.EPERM;
        if (mine[whom]) return -Errno.EINVAL;
        mine[whom] = true;
        return 0;
      default:
        if (who === whom || !mine[whom]) return -Errno.EINVAL;
        mine[whom] = false;
        return 0;
    }
  }
}

function inconsistencies({ rpal }: World, model: Model): string[] {
  const problems: string[] = [];
  const services = [...rpal.byKey.values()].sort((a, b) => a.id - b.id);
  for (const a of services) {
    const requests = a.map.filter(({ type }) => (type & MapType.REQUEST) !== 0).length;
    if (requests + a.requestsLeft !== MAX_REQUEST_SERVICE) problems.push(`quota of ${a.id}`);
    const refs = 3 + services.filter((b) => b.map[a.id]?.service === a).length;
    if (a.references !== refs) problems.push(`references of ${a.id}: ${a.references}, not ${refs}`);
    for (const b of services) {
      if (a === b) continue;
      const asked = model.requests[a.id]?.[b.id] === true;
      const back = model.requests[b.id]?.[a.id] === true;
      const type = (asked ? MapType.REQUEST : 0) | (back ? MapType.REVERSE : 0);
      if (a.map[b.id]?.type !== type) problems.push(`type of ${a.id} to ${b.id}`);
      const low = a.mm.manager.memory.read32(a.mm.tables.topEntry(b.base));
      if ((low !== 0) !== (asked && back)) problems.push(`entry of ${b.id} in ${a.id}`);
      if (low !== 0 && (low & 0x200) === 0) problems.push(`copied entry of ${b.id} in ${a.id} without the ignore bit`);
    }
    if ((a.mm.manager.memory.read32(a.mm.tables.topEntry(a.base)) & 0x200) !== 0) problems.push(`own entry of ${a.id} with the ignore bit`);
  }
  return problems;
}
