import { defaultProfile, entryAddress, entryFrame, LEVEL_SPAN, PAGE_SIZE, type PhysicalMemory, Pte } from '@rpal/hw-x86';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Capability, type Environment, Exokernel, granted, PageTables, type Routine } from '../src/index.js';

const PROGRAMS = 3;
const PAGE = 0x4000_0000;

/** An entry of page tables that maps a page, or leads to a table. */
interface Entry {
  readonly frame: number;
  readonly writable: boolean;
  readonly leaf: boolean;
}

function entriesOf(memory: PhysicalMemory, table: number, level = 4): readonly Entry[] {
  const found: Entry[] = [];
  for (let i = 0; i < 512; i++) {
    const entry = entryAddress(table, i * (LEVEL_SPAN[level] as number), level);
    const low = memory.read32(entry);
    if ((low & Pte.present) === 0) continue;
    const frame = entryFrame(low, memory.read32(entry + 4));
    found.push({ frame, writable: (low & Pte.writable) !== 0, leaf: level === 1 });
    if (level > 1) found.push(...entriesOf(memory, frame, level - 1));
  }
  return found;
}

const action = fc.record({
  who: fc.nat(PROGRAMS - 1),
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('allocate', 'map') },
    { weight: 8, arbitrary: fc.constantFrom('table', 'free', 'weaken', 'give', 'forge', 'unbind', 'restrict', 'revoke') },
    { weight: 1, arbitrary: fc.constantFrom('wild', 'end') },
  ),
  which: fc.nat(7),
  place: fc.nat(7),
  write: fc.boolean(),
});
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

describe('whatever programs do', () => {
  it('page tables show only what was allowed, tables are written by the kernel alone, and all of it goes back', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(fc.array(action, { minLength: 40, maxLength: 100 }), (actions) => {
        const os = new Exokernel({ profile: defaultProfile, frames: 40, slice: 20 });
        const { memory } = os.machine.platform;
        const before = memory.framesInUse;
        /** Capabilities that each program has come by, and frames that it may have bound, for writing or at all. */
        const held: Capability[][] = Array.from({ length: PROGRAMS }, () => []);
        const allowed = held.map(() => ({ read: new Set<number>(), write: new Set<number>() }));
        let next = 0;
        const programs: Environment[] = [];
        /** Whether a program is to act; what the dead were to do is left out. */
        const turn = (who: number): boolean => {
          while (programs[actions[next]?.who ?? -1]?.dead === true) next++;
          return next >= actions.length || actions[next]?.who === who;
        };
        const act = function* (e: Environment, tables: PageTables, who: number, at: Action): Routine<boolean> {
          const mine = held[who] as Capability[];
          const capability = mine[at.which % Math.max(1, mine.length)];
          const address = PAGE + PAGE_SIZE * at.place;
          const take = (answer: Capability | string) => {
            if (!granted(answer)) return;
            mine.push(answer as Capability);
            allowed[who]?.read.add((answer as Capability).frame);
            if ((answer as Capability).writable) allowed[who]?.write.add((answer as Capability).frame);
          };
          let answer: unknown = null;
          if (at.what === 'allocate') take((yield* e.allocate()) as Capability | string);
          else if (at.what === 'unbind') answer = yield* e.unbind(address);
          else if (at.what === 'restrict') answer = yield* e.restrict(address);
          else if (at.what === 'revoke') os.revoke(e, 1, 5);
          else if (at.what === 'wild') yield* at.write ? e.store(address, 1) : e.load(address);
          else if (at.what === 'end') return false;
          else if (capability !== undefined) {
            if (at.what === 'map') answer = yield* tables.map(capability, address, at.write ? 'write' : 'read');
            else if (at.what === 'table') answer = yield* e.bindTable(capability, 0x4000_0000_0000 + LEVEL_SPAN[4]! * at.place, 3);
            else if (at.what === 'free') answer = yield* e.free(capability);
            else if (at.what === 'weaken') take((yield* e.weaken(capability)) as Capability | string);
            else if (at.what === 'forge') mine.push({ ...capability, frame: capability.frame + at.place, writable: true });
            else {
              const to = at.place % PROGRAMS;
              (held[to] as Capability[]).push(capability);
              if (os.frames.find(capability) !== null) {
                allowed[to]?.read.add(capability.frame);
                if (capability.writable) allowed[to]?.write.add(capability.frame);
              }
            }
          }
          reached.add(`${at.what} ${answer ?? 'done'}`);
          return true;
        };
        const check = (): void => {
          for (const [who, program] of programs.entries()) {
            if (program.dead) continue;
            for (const { frame, writable, leaf } of entriesOf(memory, program.root)) {
              const owned = os.frames.get(frame);
              expect(owned).toBeDefined();
              expect(owned.table && leaf && writable).toBe(false);
              if (!leaf) expect([owned.owner, owned.table]).toEqual([program, true]);
              else if (!owned.table || owned.owner !== program) {
                expect(allowed[who]?.read.has(frame)).toBe(true);
                if (writable) expect(allowed[who]?.write.has(frame)).toBe(true);
              }
            }
          }
        };
        for (const who of held.keys())
          programs.push(
            os.environment(`program ${who}`, function* (e) {
              const tables = new PageTables(e);
              for (;;) {
                while (!turn(who)) yield* e.yield();
                const at = actions[next];
                if (at === undefined) return;
                next++;
                if (!(yield* act(e, tables, who, at))) return;
                check();
              }
            }),
          );
        os.run();
        expect([os.frames.used, memory.framesInUse]).toEqual([0, before]);
      }),
      { seed: 1995, numRuns: 40 },
    );
    expect(reached.size).toBeGreaterThan(20);
  });
});
