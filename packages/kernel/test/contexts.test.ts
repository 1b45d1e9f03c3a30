import { ModelBug } from '@rpal/hw-x86';
import { Signal, SignalMask } from '@rpal/uapi';
import { expect, it } from 'vitest';
import { executable, type Main, NoCode, type Process } from '../src/index.js';
import { ends, run, runOn, smallMachine } from './support.js';

it('what ends leaves nothing behind: contexts, processes', () => {
  const machine = smallMachine();
  const { contexts, processes } = machine.kernel;
  const sizes: number[][] = [];
  runOn(machine, function* (p) {
    for (let i = 0; i < 500; i++) {
      yield* p.fork(function* (child) {
        if (i % 3 === 0) yield* child.clone(function* () {});
        if (i % 5 === 0) yield* child.exec(executable('second image', function* () {}));
      });
      yield* p.wait();
      if (i === 9 || i === 499) sizes.push([contexts.size, processes.size]);
    }
  });
  expect(sizes).toEqual([
    [1, 1],
    [1, 1],
  ]);
  expect(contexts.size).toBe(0);
});

it('signals that nobody took leave no account of their user behind', () => {
  const machine = smallMachine();
  const { accounts } = machine.kernel.signals;
  const open: number[] = [];
  runOn(machine, function* (p) {
    for (let uid = 1000; uid < 1003; uid++) {
      yield* p.fork(function* (child) {
        yield* child.setuid(uid);
        yield* child.sigprocmask(SignalMask.BLOCK, 1 << (Signal.USR1 - 1));
        const self = yield* child.getpid();
        yield* child.kill(self, Signal.USR1);
        open.push(accounts.size);
      });
      yield* p.wait();
    }
  });
  expect(open).toEqual([1, 1, 1]);
  expect(accounts.size).toBe(0);
});

it('an address leads to the context it was given to, and to nothing once that one is gone', () => {
  const machine = smallMachine();
  const { contexts } = machine.kernel;
  runOn(machine, function* (p) {
    const { cpu } = p.context;
    const addresses = new Set<number>();
    for (let i = 0; i < 3; i++) {
      let address = 0;
      yield* p.fork(function* (child) {
        yield* child.getpid();
        address = child.context.resumeAddress;
        expect(contexts.at(child.context.cpu, address + 15)).toBe(child.context);
      });
      yield* p.wait();
      expect(contexts.at(cpu, address)).toBeInstanceOf(NoCode);
      addresses.add(address);
    }
    expect(addresses.size, 'the place is used again, its address is not').toBe(3);
    for (const wrong of [0, -1, 2 ** 47, p.context.resumeAddress - 1]) expect(contexts.at(cpu, wrong)).toBeInstanceOf(NoCode);
  });
});

it.each([
  ['nothing is mapped: SIGSEGV', () => 0x1000, Signal.SEGV],
  ['the memory is not for execution: SIGSEGV', ({ dataStart }: Process) => dataStart, Signal.SEGV],
  ['there is memory without an instruction: SIGILL', ({ textStart }: Process) => textStart, Signal.ILL],
])('a jump to where %s', (_what, target, signal) => {
  const main: Main = function* (p) {
    const { cpu, contexts, thread } = p.context;
    cpu.context = new NoCode(contexts, cpu, target(thread.process));
    yield* p.compute(1);
  };
  run(ends({ signal }, main));
});

it('where there is no code no system call is made: nobody can ask for its arguments', () => {
  runOn(smallMachine(), function* (p) {
    const { cpu, contexts } = p.context;
    expect(() => new NoCode(contexts, cpu, 0x1000).args).toThrow(ModelBug);
    yield* p.getpid();
  });
});
