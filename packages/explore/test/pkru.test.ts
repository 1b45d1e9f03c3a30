import { SyscallNumber, type UserContext } from '@rpal/kernel';
import { pkruOf, type RpalOptions, readAllPkru } from '@rpal/rpal-core';
import { Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { Choice, caller, nothing, pictureOf, type Run, type Scenario, type Strategy, send, systemCall } from '../src/index.js';
import { calls, type Other, posts, scene, signals } from './scenes.js';
import { at, heldAt, inRetSection, now, rows, script, trace, usually } from './trace.js';

/** The caller is the first service to be made, or the second: its key, and the callee's, in a scene of one or two others. */
const CALLER = 0;
const calleeOf = (others: number): number => others;

const hex = (pkru: number): string => (pkru >>> 0).toString(16);
const own = (key: number): string => hex(pkruOf(key));
const both = (a: number, b: number): string => hex(pkruOf(a) & pkruOf(b));

/** Rows of section 7.6 of the specification that were looked at. */
const exercised = new Set<string>();
const row = (moment: string, look: () => void): void => {
  it(moment, () => {
    look();
    exercised.add(moment);
  });
};

/** What CPU 0 went through, without states and rows of tables: `context pkru`. */
function contexts(scenario: Scenario, strategy: (run: Run) => Strategy, until?: RegExp, options?: RpalOptions): string[] {
  const { lines } = trace(scenario, strategy, rows(), until, options);
  const seen = lines.filter((line) => !/^[rs]\d+$/.test(line)).map((line) => line.replace(/ \S+\/\S+( [A-Z_]+)*$| gone$/, ''));
  return seen.filter((line, i) => line !== seen[i - 1]);
}

/** A caller that has opened key 9 of its own accord, and calls. */
const open9 = pkruOf(CALLER) & pkruOf(9);
const callsWithKey9: Other = (stage, p) =>
  caller(stage, p, 'callee', function* (c) {
    yield* p.sleep(2e6);
    p.wrpkru(open9);
    yield* stage.meet(p);
    yield* send(stage, c, 1);
    stage.note('calls');
    stage.leave();
    yield* p.sleep(30e6);
  });

const PURE = [
  `caller-0 ${own(CALLER)}`,
  `caller-0 ${both(CALLER, 1)}`,
  `caller-0 > callee ${both(CALLER, 1)}`,
  `caller-0 > callee ${own(1)}`,
  `caller-0 > callee ${both(CALLER, 1)}`,
  `caller-0 ${both(CALLER, 1)}`,
  `caller-0 ${own(CALLER)}`,
];

describe('PKRU through a call, row by row', () => {
  row('idle service thread: own key only', () => {
    expect(contexts(scene(1, nothing, calls()), usually)[0]).toBe(`caller-0 ${own(CALLER)}`);
  });

  row('signal handler: own key only, whatever was open', () => {
    let inHandler = 0;
    const handles: Other = (stage, p) =>
      caller(stage, p, 'callee', function* () {
        yield* p.sigaction(Signal.USR2, function* (handler) {
          inHandler = handler.rdpkru();
          yield* handler.getpid();
        });
        yield* stage.meet(p);
        p.wrpkru(0);
        yield* p.kill(p.context.thread.process.pid, Signal.USR2);
        stage.leave();
      });
    trace(scene(1, nothing, handles), usually, rows());
    expect(hex(inHandler)).toBe(own(CALLER));
  });

  row("sender, inside rpal_write_ptrs before touching the peer: previous and the peer's key", () => {
    expect(contexts(scene(1, nothing, callsWithKey9), usually).slice(0, 2)).toEqual([
      `caller-0 ${hex(open9)}`,
      `caller-0 ${hex(open9 & pkruOf(1))}`,
    ]);
  });

  row("receiver, first instructions after the jump: still the sender's", () => {
    expect(contexts(scene(1, nothing, callsWithKey9), usually)[2]).toBe(`caller-0 > callee ${hex(open9 & pkruOf(1))}`);
  });

  row("receiver, after rpal_epoll_wait has saved the sender's value: the receiver's key only", () => {
    expect(contexts(scene(1, nothing, callsWithKey9), usually)[3]).toBe(`caller-0 > callee ${own(1)}`);
  });

  row("receiver, ret section: the sender's saved value", () => {
    expect(contexts(scene(1, nothing, callsWithKey9), usually)[4]).toBe(`caller-0 > callee ${hex(open9 & pkruOf(1))}`);
  });

  row('sender, leaving rpal_write_ptrs: the value before the call', () => {
    expect(contexts(scene(1, nothing, callsWithKey9), usually)).toEqual([
      `caller-0 ${hex(open9)}`,
      `caller-0 ${hex(open9 & pkruOf(1))}`,
      `caller-0 > callee ${hex(open9 & pkruOf(1))}`,
      `caller-0 > callee ${own(1)}`,
      `caller-0 > callee ${hex(open9 & pkruOf(1))}`,
      `caller-0 ${hex(open9 & pkruOf(1))}`,
      `caller-0 ${hex(open9)}`,
    ]);
    expect(contexts(scene(1, nothing, calls()), usually)).toEqual(PURE);
  });

  row('during rpal_uds_fdmap: all keys readable, own key writable', () => {
    const maps: Other = (stage, p) =>
      caller(stage, p, 'callee', function* ({ lib, fd, server }) {
        yield* p.sleep(2e6);
        yield* stage.meet(p);
        yield* lib.udsFdmap(server, fd);
        stage.leave();
      });
    const during: string[] = [];
    const seen = contexts(scene(1, nothing, maps), (run) => {
      const { entry } = run.stage.machine.kernel;
      const { syscall } = entry;
      entry.syscall = (cpu) => {
        if ((cpu.context as UserContext).nr === SyscallNumber.ioctl && cpu.id === 0) during.push(hex(cpu.mmu.pkru));
        return syscall.call(entry, cpu);
      };
      return usually();
    });
    expect(during).toEqual([hex(readAllPkru(CALLER))]);
    expect(new Set(seen)).toEqual(new Set([`caller-0 ${own(CALLER)}`]));
  });

  row('lazy switch: the register is untouched', () => {
    expect(contexts(scene(1, systemCall, calls()), usually)).toEqual([
      `caller-0 ${own(CALLER)}`,
      `caller-0 ${both(CALLER, 1)}`,
      `caller-0 > callee ${both(CALLER, 1)}`,
      `caller-0 > callee ${own(1)}`,
      `callee ${own(1)}`,
      `callee ${both(CALLER, 1)}`,
      `callee > caller-0 ${both(CALLER, 1)}`,
      `caller-0 ${both(CALLER, 1)}`,
      `caller-0 ${own(CALLER)}`,
    ]);
  });

  row("kernel return of a sender: own and the receiver's key", () => {
    const yields = function* (p: Parameters<typeof systemCall>[0]) {
      yield* p.schedYield();
    };
    const seen = contexts(scene(1, yields, callsWithKey9), usually);
    // What it had opened itself is closed until it leaves.
    expect(seen.slice(seen.indexOf(`caller-0 ${both(CALLER, 1)}`))).toEqual([`caller-0 ${both(CALLER, 1)}`, `caller-0 ${hex(open9)}`]);
  });

  row('kernel return of a receiver: own key only', () => {
    let returned = -1;
    const order = script([0, (run) => heldAt(run, 0) === 'rpal_fast_ep_poll: READY_LS'], [1, (run) => run.stage.noted('done') > 0]);
    const { lines, run } = trace(
      scene(2, systemCall, calls(), posts),
      (going) => {
        const { bus, platform } = going.stage.machine;
        bus.events.rpalReceiverState.on('test', (cpu, _time, _rcc, number) => {
          if (number === 14) returned = platform.cpus[cpu]?.mmu.pkru ?? -1;
        });
        return order(going);
      },
      rows(),
      /^r14/,
    );
    expect(lines).toContain('r14');
    expect(run.stage.rpal.instruments.kernelReturns).toBe(1);
    expect(hex(returned)).toBe(own(calleeOf(2)));
  });

  row("critical-section fix-up S->R: the sender's and the receiver's key", () => {
    // Before the sender's value is loaded: the receiver's key alone is open when the NMI comes.
    const seen = contexts(scene(1, nothing, callsWithKey9), at(Choice.nmi(2, 0), inRetSection));
    expect(seen.slice(3)).toEqual([`caller-0 > callee ${own(1)}`, `caller-0 ${both(CALLER, 1)}`, `caller-0 ${hex(open9)}`]);
  });

  row("critical-section fix-up R->S: the current value and the sender's key", () => {
    // Behind the ret section: the sender's value is loaded, its context is not.
    const behind = (run: Run): boolean =>
      /^callee \w+ LAZY_SWITCH\/RUNNING/.test(now(run).line) &&
      !inRetSection(run) &&
      run.stage.machine.platform.cpus[0]?.fsBase !== undefined;
    const seen = contexts(scene(1, systemCall, callsWithKey9), at(Choice.nmi(2, 0), behind));
    const open = hex(open9 & pkruOf(1));
    expect(seen.slice(seen.indexOf(`callee ${open}`))).toEqual([`callee ${open}`, `caller-0 ${open}`, `caller-0 ${hex(open9)}`]);
  });

  row('after recovery from a fault: own key only', () => {
    const order = script(
      [1, (run) => run.stage.noted('done') > 0],
      [2, (run) => pictureOf(run).receivers.length === 0],
      [0, (run) => run.stage.noted('calls') > 0],
    );
    const seen = contexts(scene(2, nothing, callsWithKey9, signals('callee', Signal.KILL)), order);
    expect(seen).toEqual([
      `caller-0 ${hex(open9)}`,
      `caller-0 ${hex(open9 & pkruOf(2))}`,
      `caller-0 ${own(CALLER)}`,
      `caller-0 ${hex(open9)}`,
    ]);
  });

  it('has had every row looked at', () => {
    console.log(`PKRU through a call (7.6), rows exercised:\n  ${[...exercised].join('\n  ')}`);
    // Its first row is two here.
    expect(exercised.size).toBe(14);
  });
});
