import type { Cpu } from '@rpal/hw-x86';
import { WaitQueue } from '@rpal/sched';
import { Errno, Poll } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { begin, type Caller, File, PollItem, PollOperation, type PollTable, VfsStep } from '../src/index.js';
import { Lab } from './lab.js';

/** A file that is ready for what it is told to be ready for. */
class Switch extends File {
  readonly queue: WaitQueue = new WaitQueue('switch');
  events = 0;

  constructor() {
    super(0);
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    table?.register(cpu, this.queue);
    return this.events;
  }

  turn(cpu: Cpu, events: number): number {
    this.events = events;
    this.queue.wakeOne(cpu, events);
    return 0;
  }
}

function withFiles() {
  const lab = new Lab();
  const files = [new Switch().get(), new Switch().get()] as const;
  for (const file of files) lab.files.install(lab.cpu, file);
  const items = (...events: number[]) => events.map((bits, fd) => new PollItem(fd, lab.files.peek(fd), bits));
  /** Polls; the result, and what was found. */
  const operation = (caller: Caller, list: readonly PollItem[], timeout: number, always: number = Poll.ERR | Poll.HUP) =>
    new PollOperation(caller, lab.scheduler, lab.files, list, always, timeout, (_cpu, result) => result);
  return { lab, files, items, operation };
}

describe('poll', () => {
  it('finds what was asked for, and errors unasked', () => {
    const { lab, files, items, operation } = withFiles();
    const look = (...list: PollItem[]) => {
      const result = lab.call((cpu, caller) => begin(cpu, caller, operation(caller, list, 0)));
      return [result, list.map(({ found }) => found)];
    };
    expect(look(...items(Poll.IN, Poll.IN))).toEqual([0, [0, 0]]);
    files[0].events = Poll.IN | Poll.OUT;
    files[1].events = Poll.HUP;
    expect(look(...items(Poll.IN, 0))).toEqual([2, [Poll.IN, Poll.HUP]]);
    expect(look(new PollItem(9, null, Poll.IN), new PollItem(-1, null, Poll.IN))).toEqual([1, [Poll.NVAL, 0]]);
  });

  it('charges for each look at its files', () => {
    const { lab, files, items, operation } = withFiles();
    const price = lab.cpu.costs.step[VfsStep.pollBody] as number;
    lab.call((cpu, caller) => begin(cpu, caller, operation(caller, items(Poll.IN), 0)));
    expect(lab.spentOn(VfsStep.pollBody)).toBe(price);
    lab.actor(function* ({ caller }) {
      yield (cpu) => begin(cpu, caller, operation(caller, items(Poll.IN), -1));
    }, 1);
    lab.run();
    lab.call((cpu) => files[0].turn(cpu, Poll.IN));
    lab.finish();
    expect(lab.spentOn(VfsStep.pollBody), 'before it sleeps, and when it is woken').toBe(3 * price);
  });

  it('holds the files only as long as it lasts', () => {
    const { lab, files, items, operation } = withFiles();
    const before = files[0].count;
    const list = items(Poll.IN);
    const call = operation(lab.caller, list, 0);
    expect(files[0].count).toBe(before + 1);
    lab.call((cpu, caller) => begin(cpu, caller, call));
    expect([files[0].count, files[0].queue.active]).toEqual([before, false]);
  });

  it('sleeps until one of them has what it waits for', () => {
    const { lab, files, items, operation } = withFiles();
    const got: number[] = [];
    lab.actor(function* ({ caller }) {
      got.push(yield (cpu) => begin(cpu, caller, operation(caller, items(Poll.IN, Poll.IN), -1)));
    }, 1);
    lab.run();
    expect([got, files.map(({ queue }) => queue.active)]).toEqual([[], [true, true]]);
    lab.call((cpu) => files[1].turn(cpu, Poll.OUT));
    lab.run();
    expect(got).toEqual([]);
    lab.call((cpu) => files[1].turn(cpu, Poll.IN));
    lab.finish();
    expect([got, files.map(({ queue }) => queue.active)]).toEqual([[1], [false, false]]);
  });

  it('ends with its time, and with a signal; then it says how long it would have waited', () => {
    const { lab, items, operation } = withFiles();
    const got: number[] = [];
    lab.actor(function* ({ caller }) {
      got.push(yield (cpu) => begin(cpu, caller, operation(caller, items(Poll.IN), 2e6)));
    }, 1);
    lab.run(1e6);
    expect(got).toEqual([]);
    lab.run(2e6);
    let left = -1;
    const sleeper = lab.actor(function* ({ caller }) {
      const call: PollOperation = new PollOperation(caller, lab.scheduler, lab.files, items(Poll.IN), 0, 5e6, (cpu, result) => {
        left = call.left(cpu);
        return result;
      });
      got.push(yield (cpu) => begin(cpu, caller, call));
    }, 1);
    lab.run(2e6);
    lab.actor(function* () {
      yield (cpu) => {
        sleeper.interrupt(cpu);
        return 0;
      };
    });
    lab.finish();
    expect(got).toEqual([0, -Errno.ERESTARTNOHAND]);
    expect(left / 1e6).toBeCloseTo(3, 1);
  });

  it('looks at what a descriptor refers to by then', () => {
    const { lab, files, items, operation } = withFiles();
    const list = items(Poll.IN);
    const got: number[] = [];
    lab.actor(function* ({ caller }) {
      got.push(yield (cpu) => begin(cpu, caller, operation(caller, list, -1)));
    }, 1);
    lab.run();
    lab.files.close(lab.cpu, 0);
    lab.call((cpu) => files[0].turn(cpu, Poll.IN));
    lab.finish();
    expect([got, list[0]?.found]).toEqual([[1], Poll.NVAL]);
  });
});
