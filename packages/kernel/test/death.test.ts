import { definePlugin } from '@rpal/bus';
import { MapFlag, Prot, Signal, SignalCode, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { executable, type Machine, type MachineError, type Main, ProcessDeathError, SyscallNumber } from '../src/index.js';
import { callText } from '../src/process/call-text.js';
import { smallMachine } from './support.js';

/** What running these programs throws. */
function failureOf(machine: Machine, ...mains: Main[]): ProcessDeathError {
  for (const [index, main] of mains.entries()) machine.spawn(executable(`program ${index}`, main), index);
  try {
    machine.run();
  } catch (error) {
    if (error instanceof ProcessDeathError) return error;
    throw error;
  }
  throw new Error('the run ended well');
}

const forEver: Main = function* (p) {
  for (;;) yield* p.compute(1e6);
};

describe('a process that dies of a signal', () => {
  it('ends the run with who, which signal and code, where, when, and after what call', () => {
    const error = failureOf(smallMachine(), function* (p) {
      yield* p.getpid();
      yield* p.load64(0x1234_5000);
    });
    expect(error.code).toBe('PROCESS_DIED');
    expect(error.message).toMatch(
      /^program 0 \(process 1\) died of SIGSEGV \(SEGV_MAPERR at address 0x12345000\) on CPU 0 at \d+ TSC cycles \(\d+\.\d{3} us\), in user mode, after getpid\(\)\. Mend the program/,
    );
    expect(error.deaths).toMatchObject([
      { pid: 1, tid: 1, signal: Signal.SEGV, code: SignalCode.SEGV_MAPERR, address: 0x1234_5000, cpu: 0 },
    ]);
  });

  it('is found in the call that killed it, with the arguments', () => {
    const error = failureOf(smallMachine(), function* (p) {
      const fd = yield* p.socketpair(SocketType.STREAM);
      yield* p.close(p.second);
      yield* p.write(fd, yield* p.allocate(4096), 7);
    });
    expect(error.message).toMatch(/died of SIGPIPE on CPU 0 at .*, in write\(fd 0, buf 0x[0-9a-f]+, count 7\)\./);
  });

  it('is found in the call in which it slept', () => {
    const error = failureOf(
      smallMachine(),
      function* (p) {
        yield* p.pause();
      },
      function* (p) {
        yield* p.sleep(1e6);
        yield* p.kill(1, Signal.TERM);
      },
    );
    expect(error.message).toContain('program 0 (process 1) died of SIGTERM');
    expect(error.message).toContain('in pause()');
  });

  it('names the thread that took the signal', () => {
    const error = failureOf(smallMachine(), function* (p) {
      yield* p.clone(function* (thread) {
        yield* thread.store8(0x1000, 1);
      });
      yield* p.pause();
    });
    expect(error.message).toContain('program 0 (process 1, thread 2) died of SIGSEGV');
    expect(error.message).toContain('in user mode, before any system call');
  });

  it('ends the run though others would run for ever, and the run can go on', () => {
    const machine = smallMachine();
    const error = failureOf(machine, forEver, function* (p) {
      yield* p.kill(yield* p.getpid(), Signal.ABRT);
    });
    expect(error.deaths).toMatchObject([{ pid: 2, signal: Signal.ABRT }]);
    // It is told once.
    expect(machine.run(machine.platform.now + 1e6)).toBe('until');
    expect(machine.deaths).toHaveLength(1);
  });

  it('is only listed if the run is to report deaths', () => {
    const machine = smallMachine();
    const process = machine.spawn(
      executable('doomed', function* (p) {
        yield* p.load8(0);
      }),
    );
    expect(machine.run({ deaths: 'report' })).toBe('ended');
    expect(machine.deaths).toMatchObject([{ name: 'doomed', signal: Signal.SEGV }]);
    expect(process.exit?.signal).toBe(Signal.SEGV);
  });

  it('is the affair of a parent that waits for it', () => {
    const machine = smallMachine();
    let status = -1;
    machine.spawn(
      executable('parent', function* (p) {
        yield* p.fork(function* (child) {
          yield* child.load8(0);
        });
        yield* p.wait();
        status = p.second;
      }),
    );
    expect(machine.run()).toBe('ended');
    expect([status, machine.deaths]).toEqual([Signal.SEGV, []]);
  });

  it.each([
    ['ends without having waited for it', 0],
    ['has ended before', 5e6],
  ])('comes to light when its parent %s', (_when, delay) => {
    const error = failureOf(smallMachine(), function* (p) {
      yield* p.fork(function* (child) {
        yield* child.sleep(delay);
        yield* child.load8(0);
      });
      yield* p.sleep(1e6);
    });
    expect(error.deaths).toMatchObject([{ pid: 2, signal: Signal.SEGV }]);
  });

  it('comes to light at once when its parent ignores SIGCHLD', () => {
    const error = failureOf(smallMachine(), function* (p) {
      yield* p.sigaction(Signal.CHLD, 'ignore');
      yield* p.fork(function* (child) {
        yield* child.load8(0);
      });
      yield* forEver(p);
    });
    expect(error.deaths).toMatchObject([{ pid: 2 }]);
  });

  it('has the code of the fault that killed it, not of one that was handled', () => {
    const machine = smallMachine();
    const process = machine.spawn(
      executable('survivor', function* (p) {
        const page = yield* p.mmap(0, 4096, Prot.NONE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
        yield* p.sigaction(Signal.SEGV, function* (q) {
          yield* q.mprotect(page, 4096, Prot.READ);
        });
        yield* p.load8(page);
        yield* p.kill(yield* p.getpid(), Signal.BUS);
      }),
    );
    machine.run({ deaths: 'report' });
    expect(process.exit).toEqual({ status: 0, signal: Signal.BUS, code: 0, address: 0 });
  });

  it('is not what an ordinary end is, whatever its status', () => {
    const machine = smallMachine();
    machine.spawn(
      // biome-ignore lint/correctness/useYield: it only ends
      executable('three', function* () {
        return 3;
      }),
    );
    expect(machine.run()).toBe('ended');
    expect(machine.deaths).toEqual([]);
  });

  it('is a MachineError among others', () => {
    const error: MachineError = failureOf(smallMachine(), function* (p) {
      yield* p.load8(0);
    });
    expect(error.name).toBe('MachineError');
  });
});

describe('the text of a system call', () => {
  const call = (nr: number, text: string, ...args: number[]) => {
    const [a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0] = args;
    return callText({ nr, a0, a1, a2, a3, a4, a5, text }, smallMachine().kernel.syscalls);
  };

  it('names arguments, and writes addresses and flags in hexadecimal', () => {
    expect(call(SyscallNumber.mmap, '', 0, 4096, 3, 0x22, -1, 0)).toBe(
      'mmap(addr 0x0, length 4096, prot 0x3, flags 0x22, fd -1, offset 0)',
    );
  });

  it('has strings, signals and futex operations by name, and leaves out registers that carry nothing', () => {
    expect(call(SyscallNumber.open, '/proc/rpal', 0, 2)).toBe('open(path "/proc/rpal", flags 0x2)');
    expect(call(SyscallNumber.kill, '', 7, Signal.TERM)).toBe('kill(pid 7, sig SIGTERM)');
    expect(call(SyscallNumber.futex, '', 0x1000, 128, 5, -1)).toBe(
      'futex(uaddr 0x1000, op FUTEX_WAIT|FUTEX_PRIVATE_FLAG, val 5, timeout_ns -1, uaddr2 0x0, val3 0)',
    );
    expect(call(SyscallNumber.getpid, '')).toBe('getpid()');
  });

  it('does not invent names', () => {
    expect(call(999, '', 1, 2)).toBe('call 999(0x1, 0x2)');
  });

  it("has a plugin's calls by the name that it gave them", () => {
    const { syscalls } = smallMachine({
      plugins: [
        definePlugin({
          name: 'switcher',
          version: '0.1.0',
          setup: ({ plugin, machine }) => machine.kernel.syscalls.define(1000, () => 0, { name: 'switch_to', plugin }),
        })(),
      ],
    }).kernel;
    expect(callText({ nr: 1000, a0: 7, a1: 0, a2: 0, a3: 0, a4: 0, a5: 0, text: '' }, syscalls)).toBe('switch_to(0x7)');
  });
});
