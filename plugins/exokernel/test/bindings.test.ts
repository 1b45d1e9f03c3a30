import { defaultProfile, FaultCode, USER_TOP } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { type Capability, type Environment, Exokernel, granted, PageTables, type Routine } from '../src/index.js';

const PAGE = 0x4000_0000;
const kernel = (options = {}) => new Exokernel({ profile: defaultProfile, ...options });

/** Runs a program alone. @returns the machine, after it */
function alone(
  program: (e: Environment, tables: PageTables) => Routine,
  options = {},
): { readonly os: Exokernel; readonly e: Environment } {
  const os = kernel(options);
  const e = os.environment('program', (own) => program(own, new PageTables(own)));
  os.run();
  return { os, e };
}

function must<T>(answer: T | string): T {
  if (typeof answer === 'string') throw new Error(`refused: ${answer}`);
  return answer;
}

describe('secure bindings', () => {
  it('show a frame where the library has put tables, and nothing before', () => {
    const answers: unknown[] = [];
    const { os, e } = alone(function* (own) {
      const frame = must(yield* own.allocate());
      answers.push(yield* own.bind(frame, PAGE, 'write'));
      for (const level of [3, 2, 1] as const) {
        const table = must(yield* own.allocate());
        answers.push(yield* own.bindTable(table, 0, level === 3 ? 3 : level));
        if (level === 1) answers.push(yield* own.bindTable(must(yield* own.allocate()), 0, 1));
        if (level !== 3) answers.push(yield* own.bindTable(table, PAGE, level));
        if (level === 2) answers.push(yield* own.bindTable(must(yield* own.allocate()), PAGE, 2));
        if (level === 1) answers.push(yield* own.bindTable(must(yield* own.allocate()), PAGE, 1));
      }
      answers.push(yield* own.bind(frame, PAGE, 'write'), yield* own.bind(frame, PAGE, 'write'));
      yield* own.store(PAGE + 8, 42);
      answers.push(yield* own.load(PAGE + 8));
    });
    expect(e.faulted).toBe(false);
    expect(answers).toEqual(['NO_TABLE', null, ...[null, 'IN_USE', null], ...[null, 'BOUND', 'IN_USE', null], ...[null, 'BOUND'], 42]);
    expect(os.frames.used).toBe(0);
  });

  it('are refused for addresses that are not whole pages of user memory', () => {
    const answers = new Set<unknown>();
    alone(function* (own) {
      const frame = must(yield* own.allocate());
      for (const address of [1, -4096, USER_TOP, 2 ** 60, Number.NaN, 0.5]) {
        answers.add(yield* own.bind(frame, address, 'read'));
        answers.add(yield* own.bindTable(frame, address, 1));
      }
      answers.add(yield* own.bindTable(frame, 4096, 3));
    });
    expect([...answers]).toEqual(['BAD_ADDRESS']);
  });

  it('share a page with whoever was given a capability, with no more rights than that has', () => {
    const os = kernel();
    const answers: unknown[] = [];
    let given: Capability | null = null;
    const writer = os.environment('writer', function* (e) {
      const frame = must(yield* new PageTables(e).fresh(PAGE));
      yield* e.store(PAGE, 7);
      given = must(yield* e.weaken(frame));
      yield* e.serve();
    });
    const reader = os.environment('reader', function* (e) {
      const tables = new PageTables(e);
      const frame = given as unknown as Capability;
      answers.push(yield* tables.map({ ...frame, writable: true }, PAGE, 'write'));
      answers.push(yield* tables.map(frame, PAGE, 'write'));
      answers.push(yield* tables.map(frame, PAGE, 'read'));
      answers.push(yield* e.load(PAGE));
      answers.push(yield* e.free(frame));
      e.entries.exception = function* ({ code }) {
        yield;
        answers.push(code);
        return 'skip';
      };
      yield* e.store(PAGE, 8);
      answers.push(yield* e.load(PAGE));
    });
    expect(os.run()).toEqual([writer]);
    expect(reader.faulted).toBe(false);
    expect(answers).toEqual(['FORGED', 'NO_RIGHT', null, 7, 'NOT_OWNER', FaultCode.present | FaultCode.write | FaultCode.user, 7]);
  });

  it('are broken for everybody when the owner frees the frame, and its capabilities are worth nothing', () => {
    const os = kernel();
    let frame: Capability | null = null;
    const answers: unknown[] = [];
    const owner = os.environment('owner', function* (e) {
      frame = must(yield* new PageTables(e).fresh(PAGE));
      yield* e.yield();
      answers.push(yield* e.free(frame));
      answers.push(yield* e.bind(frame, PAGE, 'read'));
      // The same frame in its next life.
      const again = must(yield* e.allocate());
      answers.push(again.frame === frame.frame, again.check === frame.check);
    });
    const user = os.environment('user', function* (e) {
      yield* new PageTables(e).map(frame as unknown as Capability, PAGE, 'write');
      yield* e.store(PAGE, 5);
      yield* e.yield();
      yield* e.load(PAGE);
    });
    os.run();
    expect(answers).toEqual([null, 'FORGED', true, false]);
    expect([owner.faulted, user.faulted]).toEqual([false, true]);
  });

  it('are broken when the owner ends, those of its page tables, too', () => {
    const os = kernel();
    const given: Capability[] = [];
    os.environment('owner', function* (e) {
      const [page, table] = [must(yield* e.allocate()), must(yield* e.allocate())];
      expect(yield* e.bindTable(table, 0x4000_0000_0000, 3)).toBe(null);
      given.push(page, table);
      yield* e.yield();
    });
    const answers: unknown[] = [];
    const user = os.environment('user', function* (e) {
      const tables = new PageTables(e);
      for (const [i, capability] of given.entries()) answers.push(yield* tables.map(capability, PAGE + 4096 * i, 'read'));
      yield* e.load(PAGE + 4096);
      yield* e.yield();
      e.entries.exception = function* ({ address }) {
        yield;
        answers.push(address - PAGE);
        return 'skip';
      };
      for (let i = 0; i < 2; i++) yield* e.load(PAGE + 4096 * i);
    });
    os.run();
    expect(user.faulted).toBe(false);
    expect(answers).toEqual([null, null, 0, 4096]);
  });
});

describe("a library's page tables", () => {
  it('tell what has been written without the kernel', () => {
    const seen: unknown[] = [];
    const { e } = alone(function* (own, tables) {
      for (let i = 0; i < 4; i++) must(yield* tables.fresh(PAGE + 4096 * i));
      seen.push(yield* tables.dirty(PAGE));
      seen.push(yield* tables.show(PAGE), yield* tables.show(0x7000_0000));
      yield* own.store(PAGE + 4096, 1);
      yield* own.load(PAGE + 2 * 4096);
      for (let i = 0; i < 4; i++) seen.push(yield* tables.dirty(PAGE + 4096 * i));
    });
    expect(e.faulted).toBe(false);
    expect(seen).toEqual([null, null, 'NO_TABLE', false, true, false, false]);
  });

  it('cannot be written by the program, nor freed while they are tables', () => {
    const answers: unknown[] = [];
    const { e } = alone(function* (own, tables) {
      const spare = must(yield* tables.fresh(PAGE));
      const table = must(yield* own.allocate());
      answers.push(yield* own.bindTable(spare, 0x8000_0000, 1));
      yield* own.bindTable(table, 0x60_0000, 2);
      yield* own.bindTable(table, 0x4000_0000_0000, 3);
      answers.push(yield* tables.map(table, PAGE + 4096, 'write'), yield* own.free(table));
      answers.push(yield* tables.map(table, PAGE + 4096, 'read'), yield* own.bindTable(table, 0x5000_0000_0000, 3));
      yield* own.store(PAGE + 4096, 0x1007);
    });
    expect(answers).toEqual(['IN_USE', 'IS_TABLE', 'IN_USE', null, 'IN_USE']);
    expect(e.faulted).toBe(true);
  });

  it('restrict a page, so that the next write comes to the handler', () => {
    let written = 0;
    const { e } = alone(function* (own, tables) {
      const frame = must(yield* tables.fresh(PAGE));
      own.entries.exception = function* ({ address }) {
        written = address;
        yield* own.unbind(PAGE);
        yield* own.bind(frame, PAGE, 'write');
        return 'retry';
      };
      yield* own.store(PAGE, 1);
      yield* own.restrict(PAGE);
      yield* own.store(PAGE + 16, 3);
      expect(yield* own.load(PAGE + 16)).toBe(3);
    });
    expect(e.faulted).toBe(false);
    expect(written).toBe(PAGE + 16);
  });
});

describe('an exception', () => {
  it('ends an environment without a handler, and one whose handler traps without end', () => {
    expect(alone((own) => discard(own.load(PAGE))).e.faulted).toBe(true);
    let depth = 0;
    const { e } = alone(function* (own) {
      own.entries.exception = function* () {
        depth++;
        yield* own.load(PAGE);
        return 'retry';
      };
      yield* own.load(PAGE);
    });
    expect([e.faulted, depth]).toEqual([true, 8]);
  });

  it('of an instruction that user mode may not execute comes to the handler, too', () => {
    const vectors: number[] = [];
    const { e } = alone(function* (own) {
      own.entries.exception = function* ({ vector }) {
        yield;
        vectors.push(vector);
        return 'skip';
      };
      yield* own.invlpg(PAGE);
      yield* own.load(2 ** 50);
    });
    expect([e.faulted, vectors]).toEqual([false, [13, 13]]);
  });
});

describe('revocation', () => {
  const taken = (obliging: boolean, patience: number) => {
    const os = kernel();
    const log: unknown[] = [];
    const e = os.environment('library', function* (own) {
      const tables = new PageTables(own);
      const pages: Capability[] = [];
      for (let i = 0; i < 4; i++) pages.push(must(yield* tables.fresh(PAGE + 4096 * i)));
      own.entries.revoke = function* (count) {
        log.push(`asked for ${count}`);
        if (obliging) for (const page of pages.splice(0, count)) yield* own.free(page);
      };
      own.entries.repossess = function* (lost) {
        yield;
        log.push(...lost.map(({ addresses }) => addresses.map((address) => (address - PAGE) / 4096)));
      };
      yield* own.store(PAGE + 3 * 4096, 1);
      os.revoke(own, 2, patience);
      yield* own.wait(() => false);
    });
    const other = os.environment('other', function* (own) {
      for (let i = 0; i < 300; i++) yield* own.yield();
    });
    os.run();
    return { log, pages: e.pages, faulted: e.faulted || other.faulted };
  };

  it('is served by the library, which chooses what it gives back', () => {
    expect(taken(true, 50)).toEqual({ log: ['asked for 2'], pages: 2, faulted: false });
  });

  it('takes the newest pages by force when time is over, and tells which', () => {
    expect(taken(false, 20)).toEqual({ log: ['asked for 2', [2], [3]], pages: 2, faulted: false });
  });

  it('waits for the deadline even if nobody wants the CPU', () => {
    const os = kernel();
    const e = os.environment('library', function* (own) {
      must(yield* new PageTables(own).fresh(PAGE));
      os.revoke(own, 1, 10);
      yield* own.wait(() => false);
    });
    os.run();
    expect([e.pages, e.dead]).toEqual([0, false]);
  });
});

describe('memory', () => {
  it('is refused when all is taken, comes cleared, and goes back when its environment ends', () => {
    const os = kernel({ frames: 6 });
    const { memory } = os.machine.platform;
    const before = memory.framesInUse;
    const answers: unknown[] = [];
    os.environment('first', function* (e) {
      const tables = new PageTables(e);
      yield* tables.fresh(PAGE);
      yield* e.store(PAGE, 0x5ec2e7);
      for (let i = 0; i < 3; i++) answers.push(granted(yield* e.allocate()));
      yield* e.yield();
    });
    os.environment('second', function* (e) {
      answers.push(yield* e.allocate());
      yield* e.yield();
      const tables = new PageTables(e);
      for (let i = 0; i < 3; i++) {
        yield* tables.fresh(PAGE + 4096 * i);
        answers.push(yield* e.load(PAGE + 4096 * i));
      }
    });
    expect(os.run()).toEqual([]);
    expect(answers).toEqual([true, true, false, 'NO_MEMORY', 0, 0, 0]);
    expect([os.frames.used, memory.framesInUse]).toEqual([0, before]);
  });
});

function* discard(routine: Routine<unknown>): Routine {
  yield* routine;
}
