import { definePlugin } from '@rpal/bus';
import { Errno, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { createMachine, executable, MachineError, type Main, Time } from '../src/index.js';
import { ends, run, runOn, smallMachine } from './support.js';

describe('a process', () => {
  it('ends with what its program returns, or with what it passes to exit', () => {
    const [returned, exited] = run(
      ends({ status: 3 }, function* (p) {
        yield* p.getpid();
        return 3;
      }),
      ends({ status: 259 & 0xff }, function* (p) {
        yield* p.exit(259);
        throw new Error('unreachable');
      }),
    );
    expect(returned?.exit).toEqual({ status: 3, signal: 0, code: 0, address: 0 });
    expect(exited?.exit?.status).toBe(259 & 0xff);
  });

  it('is told about its children: wait returns them as they end, then ECHILD', () => {
    const results: number[] = [];
    run(function* (p) {
      const slow = yield* p.fork(function* (child) {
        yield* child.sleep(2 * Time.ms);
      });
      const quick = yield* p.fork(function* () {});
      results.push((yield* p.wait()) - quick, (yield* p.wait(slow)) - slow, yield* p.wait());
    });
    expect(results).toEqual([0, 0, -Errno.ECHILD]);
  });

  it('has a copy of its parent memory, and its parent pid', () => {
    const seen: number[] = [];
    run(function* (p) {
      const memory = yield* p.allocate(4096);
      yield* p.store32(memory, 1);
      const self = yield* p.getpid();
      yield* p.fork(function* (child) {
        yield* child.store32(memory, 2);
        seen.push((yield* child.getppid()) - self, yield* child.load32(memory));
      });
      yield* p.wait();
      seen.push(yield* p.load32(memory));
    });
    expect(seen).toEqual([0, 2, 1]);
  });

  it('shares memory and descriptors among its threads', () => {
    const seen: number[] = [];
    run(function* (p) {
      const memory = yield* p.allocate(4096);
      const process = yield* p.getpid();
      yield* p.clone(function* (thread) {
        yield* thread.store32(memory, 7);
        seen.push((yield* thread.getpid()) - process, yield* thread.epollCreate());
      });
      yield* p.sleep(Time.ms);
      seen.push(yield* p.load32(memory), yield* p.close(0));
    });
    expect(seen).toEqual([0, 0, 7, 0]);
  });

  it('dies of a signal whose default action is to terminate, not of SIGCHLD and SIGCONT', () => {
    const machine = smallMachine();
    const [, victim] = runOn(
      machine,
      function* (p) {
        yield* p.sleep(Time.ms);
        for (const signal of [0, Signal.CHLD, Signal.CONT]) expect(yield* p.kill(2, signal)).toBe(0);
        yield* p.sleep(Time.ms);
        expect(machine.kernel.processes.get(2)?.exit).toBeNull();
        expect(yield* p.kill(2, Signal.TERM)).toBe(0);
        yield* p.sleep(Time.ms);
        expect(yield* p.kill(2, Signal.TERM)).toBe(-Errno.ESRCH);
        expect(yield* p.kill(99, 0)).toBe(-Errno.ESRCH);
        expect(yield* p.kill(1, 77)).toBe(-Errno.EINVAL);
      },
      ends({ signal: Signal.TERM }, function* (p) {
        for (;;) yield* p.compute(1000);
      }),
    );
    expect(victim?.exit).toEqual({ status: 0, signal: Signal.TERM, code: 0, address: 0 });
  });

  it('dies of SIGSEGV, with the address, when it touches what is not mapped', () => {
    const [process] = run(
      ends({ signal: Signal.SEGV, code: 1, address: 0x1234_5000 }, function* (p) {
        yield* p.store32(0x1234_5000, 1);
      }),
    );
    expect(process?.exit).toEqual({ status: 0, signal: Signal.SEGV, code: 1, address: 0x1234_5000 });
  });

  it('takes all its threads along when its main program ends', () => {
    const [process] = run(
      ends({ status: 9 }, function* (p) {
        yield* p.clone(function* (thread) {
          for (;;) yield* thread.compute(1000);
        });
        return 9;
      }),
    );
    expect(process?.exit?.status).toBe(9);
    expect(process?.threads).toEqual([]);
  });

  it('gets ENOSYS for a call that the kernel does not have', () => {
    run(function* (p) {
      expect(yield* p.syscall(9999)).toBe(-Errno.ENOSYS);
    });
  });
});

describe('time', () => {
  it('passes while a program computes or sleeps: at least as much as asked for', () => {
    run(function* (p) {
      const ghz = p.context.cpu.costs.profile.clock.tscGHz;
      const start = p.rdtsc();
      yield* p.compute(100_000);
      const computed = p.rdtsc();
      expect(computed - start).toBeGreaterThanOrEqual(100_000);
      expect(computed - start).toBeLessThan(101_000);
      yield* p.sleep(Time.ms);
      const slept = (p.rdtsc() - computed) / ghz;
      expect(slept).toBeGreaterThanOrEqual(Time.ms);
      // Up to the timer slack of 50 us later, and a wake-up.
      expect(slept).toBeLessThan(1.06 * Time.ms);
      expect(yield* p.sleep(-1)).toBe(-Errno.EINVAL);
    });
  });
});

describe('a machine', () => {
  const forks: Main = function* (p) {
    for (let i = 0; i < 5; i++) {
      yield* p.fork(function* (child) {
        yield* child.compute(1000 * i);
      });
    }
    for (let i = 0; i < 5; i++) yield* p.wait();
  };

  it('does the same again: equal fingerprints for equal inputs, others for another seed', () => {
    const fingerprint = (seed: number) => {
      const machine = smallMachine({ seed });
      runOn(machine, forks);
      return machine.fingerprint();
    };
    expect(fingerprint(1)).toBe(fingerprint(1));
    expect(fingerprint(2)).not.toBe(fingerprint(1));
  });

  it('may be run in pieces: where it pauses makes no difference', () => {
    const whole = smallMachine();
    runOn(whole, forks);
    const pieces = smallMachine();
    pieces.spawn(executable('program 0', forks));
    let runs = 1;
    while (pieces.run(pieces.platform.now + 50_000) === 'until') runs++;
    expect(runs).toBeGreaterThan(2);
    expect(pieces.fingerprint()).toBe(whole.fingerprint());
  });

  it('says who waits for ever if nothing can happen any more', () => {
    const machine = smallMachine();
    machine.spawn(
      executable('stuck', function* (p) {
        const epfd = yield* p.epollCreate();
        yield* p.epollWait(epfd, yield* p.allocate(4096), 1, -1);
      }),
    );
    let error: MachineError | undefined;
    try {
      machine.run();
    } catch (caught) {
      error = caught as MachineError;
    }
    expect(error).toBeInstanceOf(MachineError);
    expect(error?.code).toBe('DEADLOCK');
    expect(error?.message).toContain('stuck (process 1) in epoll_wait(epfd 0');
  });

  it('says then, too, who died of a signal before, though its parent has not asked', () => {
    const machine = smallMachine();
    machine.spawn(
      executable('client', function* (p) {
        const requests = yield* p.pipe();
        const toServer = p.second;
        const answers = yield* p.pipe();
        const toClient = p.second;
        const room = yield* p.allocate(4096);
        yield* p.fork(function* (child) {
          yield* child.read(requests, room, 1);
          yield* child.kill(yield* child.getpid(), Signal.KILL);
          yield* child.write(toClient, room, 1);
        });
        yield* p.write(toServer, room, 1);
        yield* p.read(answers, room, 1);
      }),
    );
    expect(() => machine.run()).toThrow(
      /these wait: client \(process 1\) in read\(fd 2.*\. Before, client \(process 2\) died of SIGKILL on CPU \d at .*, in kill\(pid 2, sig SIGKILL\)$/,
    );
  });

  it('refuses what cannot be: a CPU that is not there, an idle state that the CPU has not, a bad clock', () => {
    const machine = smallMachine();
    expect(() => machine.spawn(executable('x', forks), 4)).toThrow('cpu: 4 is not one of the 4 CPUs');
    expect(() => createMachine({ idle: 'C9' as never })).toThrow('idle on xeon-platinum-8336c: "C9" is none of');
  });

  it('tells what is plugged in where', () => {
    const machine = smallMachine({
      plugins: [
        definePlugin({
          name: 'watcher',
          version: '1.0.0',
          setup: ({ hooks }) => {
            hooks.kernelThreadExit.tap('watcher', () => {});
          },
        })(),
      ],
    });
    expect(machine.plugins).toEqual(['watcher']);
    expect(JSON.stringify(machine.describe())).toContain('watcher');
  });
});

describe('the seams of the kernel', () => {
  it('announce entries of watched threads, exec, clone and exit, in that order', () => {
    const seen: string[] = [];
    const machine = smallMachine({
      plugins: [
        definePlugin({
          name: 'observer',
          version: '1.0.0',
          setup: ({ hooks }) => {
            hooks.kernelExec.tap('observer', (_cpu, thread, image) => {
              thread.entryWatched = true;
              seen.push(`exec ${image.name}`);
            });
            hooks.kernelEntry.tap('observer', (_cpu, thread, kind) => seen.push(`entry ${thread.pid} ${kind}`));
            hooks.kernelClone.tap('observer', (_cpu, parent, child) => seen.push(`clone ${parent.pid} ${child.pid}`));
            hooks.kernelThreadExit.tap('observer', (_cpu, thread, last) => seen.push(`exit ${thread.pid} ${last}`));
          },
        })(),
      ],
    });
    const calls: number[] = [];
    machine.kernel.seams.events.syscallEnter.on('test', (_cpu, _time, thread, nr) => {
      if (thread.pid === 1) calls.push(nr);
    });
    runOn(machine, function* (p) {
      yield* p.getpid();
      yield* p.fork(function* () {});
      yield* p.wait();
    });
    expect(seen.filter((line) => !line.startsWith('entry 1 2'))).toEqual([
      'exec program 0',
      'entry 1 0',
      'entry 1 0',
      'clone 1 2',
      'entry 1 0',
      'exit 2 true',
      'entry 1 0',
      'exit 1 true',
    ]);
    expect(calls).toEqual([39, 57, 61, 231]);
  });
});
