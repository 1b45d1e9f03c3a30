import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BareMetal, dataCaches, findProfile, LARGE_PAGE_SIZE, LocalApic, PAGE_SIZE, Pte, Vector } from '../src/index.js';

/** What a core may do next. Numbers select addresses, targets and lengths. */
const action = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('read', 'write', 'fetch'), where: fc.nat(11) } as const) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('compute'), cycles: fc.nat(5000) } as const) },
  fc.record({ kind: fc.constantFrom('pkru', 'mode', 'invlpg', 'invpcid', 'load', 'ipi', 'nmi', 'timer'), where: fc.nat(11) } as const),
  fc.record({ kind: fc.constant('mwait'), state: fc.constantFrom('C1', 'C1E', 'C6'), where: fc.nat(11) } as const),
);
const programs = fc.array(fc.array(action, { maxLength: 25 }), { minLength: 1, maxLength: 3 });
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** Runs the programs on the first cores, on a machine where much goes wrong: missing pages, closed keys, other rights. */
function run(all: readonly Action[][], caches: boolean): { metal: BareMetal; starts: readonly number[]; exceptions: number } {
  const metal = new BareMetal({ profile: small, caches: caches ? dataCaches : null });
  const root = metal.addressSpace();
  for (let i = 0; i < 8; i++) {
    metal.map(root, i * PAGE_SIZE, {
      flags: Pte.user | (i % 3 ? Pte.writable : 0) | (i === 5 ? Pte.global : 0),
      key: i % 4,
      noExecute: i % 2 === 0,
    });
  }
  metal.map(root, LARGE_PAGE_SIZE, { size: LARGE_PAGE_SIZE });
  const address = (where: number): number => (where < 10 ? where * PAGE_SIZE : LARGE_PAGE_SIZE + where * 4096) + 64 * where;
  let exceptions = 0;
  metal.onException = () => {
    exceptions++;
    return 'skip';
  };
  const starts = metal.platform.cpus.map(({ clock }) => clock);
  all.forEach((actions, number) => {
    metal.start(number, function* (core) {
      core.load(root, number + 1);
      core.user = true;
      for (const one of actions) {
        yield;
        switch (one.kind) {
          case 'read':
            core.read64(address(one.where));
            break;
          case 'write':
            core.write64(address(one.where), one.where);
            break;
          case 'fetch':
            core.fetch(address(one.where));
            break;
          case 'compute':
            yield* core.compute(one.cycles);
            break;
          case 'pkru':
            core.wrpkru(one.where * 0x11);
            break;
          case 'mode':
            core.user = !core.user;
            break;
          case 'invlpg':
            core.invlpg(address(one.where));
            break;
          case 'invpcid':
            core.invpcid((one.where % 4) as 0, 1, address(one.where));
            break;
          case 'load':
            core.load(root, 1 + (one.where % 3), one.where % 2 === 0);
            break;
          case 'ipi':
            LocalApic.of(core.cpu).sendIpi(metal.core(one.where % 3).cpu, 'fixed', Vector.reschedule);
            break;
          case 'nmi':
            LocalApic.of(core.cpu).sendIpi(metal.core(one.where % 3).cpu, 'nmi');
            break;
          case 'timer':
            LocalApic.of(core.cpu).configureTimer('one-shot', Vector.localTimer);
            LocalApic.of(core.cpu).startTimer(1 + one.where * 20);
            break;
          case 'mwait':
            // Something must end the wait.
            LocalApic.of(core.cpu).configureTimer('one-shot', Vector.localTimer);
            LocalApic.of(core.cpu).startTimer(500);
            core.monitor(address(one.where));
            yield* core.mwait(one.state);
            break;
        }
      }
    });
  });
  expect(metal.run()).toBe('deadlock');
  return { metal, starts, exceptions };
}

/** The first profile with four cores, so that a machine is made quickly. */
const xeon = findProfile('xeon-platinum-8336c')!;
const small = { ...xeon, topology: { ...xeon.topology, coresPerSocket: 2, coresPerCache: 2, threadsPerCore: 1 } };

describe('whatever programs do', () => {
  it('every cycle of every core is in its books, and every word of its work in the fingerprint', () => {
    fc.assert(
      fc.property(programs, fc.boolean(), (all, caches) => {
        const first = run(all, caches);
        for (const { id, clock, ownLedger } of first.metal.platform.cpus) {
          expect(ownLedger.total).toBe(clock - (first.starts[id] as number));
          for (const { cycles } of ownLedger.entries) expect(cycles).toBeGreaterThan(0);
        }
        const second = run(all, caches);
        expect(second.metal.platform.fingerprint().digest()).toBe(first.metal.platform.fingerprint().digest());
        expect(second.exceptions).toBe(first.exceptions);
      }),
      { numRuns: 12 },
    );
  });
});
