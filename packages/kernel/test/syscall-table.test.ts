import { definePlugin, type Plugin } from '@rpal/bus';
import { type WaitQueue as Queue, type Scheduler, WaitQueue } from '@rpal/sched';
import { Errno, Signal, SignalFlag } from '@rpal/uapi';
import { type Caller, Pending, RetryOperation, Waiter } from '@rpal/vfs';
import { describe, expect, it } from 'vitest';
import { KernelStep, MachineError, SyscallNumber, SyscallTable, Time } from '../src/index.js';
import { runOn, smallMachine } from './support.js';

const Call = { gate: 1000, open: 1001, divide: 1002 } as const;

/** Sleeps until the gate is open. */
class Passage extends RetryOperation {
  readonly #gate: Gate;

  constructor(caller: Caller, scheduler: Scheduler, gate: Gate) {
    super(caller, scheduler, Waiter.NONEXCLUSIVE);
    this.#gate = gate;
  }

  protected override get queue(): Queue {
    return this.#gate.queue;
  }

  protected override attempt(): number {
    this.#gate.attempts++;
    return this.#gate.open ? 7 : Pending.NOTHING_YET;
  }
}

class Gate {
  readonly queue = new WaitQueue('gate');
  open = false;
  attempts = 0;
}

/** Calls of a plugin: one sleeps until another opens the gate, one has two results and costs something. */
function calls(gate: Gate): Plugin {
  return definePlugin({
    name: 'gates',
    version: '1.0.0',
    setup({ plugin, syscalls, machine }) {
      const { scheduler } = machine.kernel;
      syscalls.define(
        Call.gate,
        (cpu, thread) => {
          const passage = new Passage(thread, scheduler, gate);
          thread.operation = passage;
          return passage.step(cpu);
        },
        { name: 'gate', plugin },
      );
      syscalls.define(
        Call.open,
        (cpu) => {
          gate.open = true;
          gate.queue.wakeAll(cpu);
          return 0;
        },
        { name: 'gate_open', plugin },
      );
      syscalls.define(
        Call.divide,
        (cpu, _thread, registers) => {
          if (registers.a1 === 0) return -Errno.EINVAL;
          cpu.charge(KernelStep.getpid);
          registers.second = registers.a0 % registers.a1;
          return Math.floor(registers.a0 / registers.a1);
        },
        { name: 'divide', plugin },
      );
    },
  })();
}

function machineWith(gate = new Gate()) {
  return smallMachine({ plugins: [calls(gate)] });
}

describe('a system call that a plugin defines', () => {
  it('has several results, and takes the time that it charges', () => {
    const machine = machineWith();
    const seen: number[] = [];
    const times: number[] = [];
    runOn(machine, function* (p) {
      yield* p.syscall(Call.divide, 1, 1);
      for (const divisor of [5, 0]) {
        const before = p.rdtsc();
        seen.push(yield* p.syscall(Call.divide, 17, divisor), p.second);
        times.push(p.rdtsc() - before);
      }
    });
    expect(seen).toEqual([3, 2, -Errno.EINVAL, 2]);
    const [done, refused] = times as [number, number];
    expect(done - refused).toBe(machine.platform.costs.step[KernelStep.getpid]);
  });

  it('sleeps until it is woken', () => {
    const gate = new Gate();
    const seen: string[] = [];
    runOn(
      machineWith(gate),
      function* (p) {
        seen.push(`waits`);
        seen.push(`through: ${yield* p.syscall(Call.gate)}`);
      },
      function* (p) {
        yield* p.sleep(Time.ms);
        seen.push('opens');
        yield* p.syscall(Call.open);
      },
    );
    expect(seen).toEqual(['waits', 'opens', 'through: 7']);
    expect(gate.attempts, 'one before it slept, one after').toBe(2);
  });

  it.each([
    ['ends with EINTR when a handler runs', 0, -Errno.EINTR],
    ['is made again after a handler with SA_RESTART', SignalFlag.RESTART, 7],
  ])('%s', (_what, flags, expected) => {
    const results: number[] = [];
    runOn(machineWith(), function* (p) {
      const self = yield* p.getpid();
      yield* p.sigaction(Signal.USR1, function* () {}, flags);
      yield* p.fork(function* (child) {
        yield* child.sleep(Time.ms);
        yield* child.kill(self, Signal.USR1);
        yield* child.sleep(Time.ms);
        yield* child.syscall(Call.open);
      });
      results.push(yield* p.syscall(Call.gate));
      yield* p.wait();
    });
    expect(results).toEqual([expected]);
  });

  it('keeps the descriptors that it holds open while it sleeps', () => {
    const gate = new Gate();
    const holding = definePlugin({
      name: 'holding',
      version: '1.0.0',
      setup({ plugin, syscalls, machine }) {
        syscalls.define(
          1500,
          (cpu, thread) => {
            thread.operation = new Passage(thread, machine.kernel.scheduler, gate);
            return thread.operation.step(cpu);
          },
          { name: 'hold', plugin, holds: [2] },
        );
      },
    });
    const results: number[] = [];
    runOn(smallMachine({ plugins: [calls(gate), holding()] }), function* (p) {
      const from = yield* p.pipe();
      const to = p.second;
      const buffer = yield* p.allocate(4096);
      yield* p.sigaction(Signal.PIPE, 'ignore');
      yield* p.clone(function* (t) {
        yield* t.syscall(1500, 0, 0, from);
      });
      yield* p.sleep(Time.ms);
      yield* p.close(from);
      results.push(yield* p.write(to, buffer, 1));
      yield* p.syscall(Call.open);
      yield* p.sleep(Time.ms);
      results.push(yield* p.write(to, buffer, 1));
    });
    expect(results, 'the pipe has a reader as long as the call sleeps').toEqual([1, -Errno.EPIPE]);
  });

  it('is in the table of this machine, and of no other', () => {
    const table = machineWith().kernel.syscalls;
    expect(table.get(Call.gate)).toMatchObject({ nr: 1000, name: 'gate', plugin: 'gates' });
    expect(table.get(SyscallNumber.read)).toMatchObject({ name: 'read', plugin: null, holds: [0] });
    expect([...table].filter(({ plugin }) => plugin !== null).map(({ name }) => name)).toEqual(['gate', 'gate_open', 'divide']);
    const plain = smallMachine();
    expect(plain.kernel.syscalls.get(Call.gate)).toBeUndefined();
    const results: number[] = [];
    runOn(plain, function* (p) {
      for (const nr of [Call.gate, 4095, 1e9, -1]) results.push(yield* p.syscall(nr));
    });
    expect(results).toEqual(Array(4).fill(-Errno.ENOSYS));
  });
});

describe('a call that cannot be defined', () => {
  const handler = (): number => 0;
  it.each([
    ['the number of a call of Linux', SyscallNumber.read, { name: 'mine' }, /Linux has number 0 as read; choose a free number/],
    ['the number of another plugin', 1000, { name: 'mine', plugin: 'two' }, /plugin "one" has defined number 1000 as first/],
    ['a number that there is not', 4096, { name: 'mine' }, /its number is 4096; choose a whole number from 1000 to 4095/],
    ['a broken number', 1000.5, { name: 'mine' }, /its number is 1000.5/],
    ['no name', 1001, {}, /it has no name; give one/],
    ['an argument to hold that there is not', 1001, { name: 'mine', holds: [6] }, /arguments are 0 to 5/],
  ])('for %s', (_what, nr, declaration, message) => {
    const table = new SyscallTable();
    table.define(SyscallNumber.read, handler);
    table.define(1000, handler, { name: 'first', plugin: 'one' });
    expect(() => table.define(nr, handler, declaration)).toThrow(message);
    expect(() => table.define(nr, handler, declaration)).toThrow(MachineError);
  });

  it('because it has no handler', () => {
    expect(() => new SyscallTable().define(1000, undefined as never, { name: 'mine' })).toThrow(/its handler is not a function/);
  });

  it('because the machine has been built', () => {
    expect(() => smallMachine().kernel.syscalls.define(1000, handler, { name: 'late' })).toThrow(/define calls in the plugin's setup\(\)/);
  });
});

describe('A call that is there', () => {
  const extending = (nr: number): Plugin =>
    definePlugin({
      name: 'extending',
      version: '1.0.0',
      setup({ plugin, syscalls }) {
        syscalls.extend(nr, (inner) => (cpu, thread, registers) => (registers.a0 === 7 ? 77 : inner(cpu, thread, registers)), {
          plugin,
          missing: 'the rest',
        });
      },
    })();

  it('is made more of by a plugin: what that does not know goes on to what was there', () => {
    const machine = smallMachine({ plugins: [extending(SyscallNumber.getpid)] });
    runOn(machine, function* (p) {
      expect([yield* p.syscall(SyscallNumber.getpid, 7), yield* p.getpid()]).toEqual([77, 1]);
    });
    expect(machine.kernel.syscalls.get(SyscallNumber.getpid)).toMatchObject({ name: 'getpid', plugin: null, missing: 'the rest' });
  });

  it('must be there, and before the machine is built', () => {
    expect(() => smallMachine({ plugins: [extending(999)] })).toThrow(
      'system call 999 cannot be extended by plugin "extending": there is none with this number; define it',
    );
    expect(() => smallMachine().kernel.syscalls.extend(SyscallNumber.getpid, (inner) => inner, { plugin: 'late' })).toThrow(
      'system call getpid cannot be extended by plugin "late": the machine has been built',
    );
  });
});
