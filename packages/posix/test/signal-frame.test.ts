import { type Program, Time } from '@rpal/kernel';
import { Errno, LinuxCall, Prot, Signal, SignalCode, SignalFlag } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { Frame, SignalFrame } from '../src/index.js';
import { MEMORY, NOWHERE, peek, poke, type Step, sameAsLinux } from './real/same-as-linux.js';
import { ends, run } from './support.js';

const { sigaltstack } = LinuxCall;
const SA_ONSTACK = 0x0800_0000;
const AUTODISARM = 0x8000_0000 | 0;

/** A `stack_t` at `at`. */
function* stackT(p: Program, at: number, address: number, flags: number, bytes: number): Generator<void, number> {
  yield* p.store64(at, address);
  yield* p.store32(at + 8, flags);
  yield* p.store64(at + 16, bytes);
  return yield* p.syscall(sigaltstack, at, 0);
}

describe('The frame of a signal handler', () => {
  it('lies below the red zone, aligned as after a call, with siginfo, registers, mask and extended state', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      yield* p.sigprocmask(0, 1 << 11);
      const before = p.context.rsp;
      let seen = 0;
      yield* p.sigaction(Signal.USR1, function* (q, _signal, value) {
        const frame = new SignalFrame(q);
        expect([frame.address % 16, frame.address < before - 128]).toEqual([8, true]);
        expect([yield* q.load32(frame.info), value]).toEqual([Signal.USR1, 0]);
        expect(yield* frame.register('rsp')).toBe(before);
        expect(yield* frame.mask()).toBe(1 << 11);
        const state = yield* q.load64(frame.address + Frame.fpState);
        expect([state % 64, yield* q.load32(state + 464)]).toEqual([0, 0x4650_5853]);
        const bytes = yield* q.load32(state + 468);
        expect(yield* q.load32(state + bytes - 4), 'the second magic word ends it').toBe(0x4650_5845);
        expect(bytes).toBe(2696 + 4);
        expect(yield* frame.pkru()).toBe(0x5555_5554);
        seen++;
      });
      yield* p.kill(self, Signal.USR1);
      expect([seen, p.context.rsp]).toEqual([1, before]);
    });
  });

  it('of a fault says where, why and under which key; PKRU that a handler writes into it is in force when the access is made again', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      yield* p.store32(at, 7);
      const key = yield* p.pkeyAlloc(0, 0);
      yield* p.pkeyMprotect(at, 4096, Prot.READ | Prot.WRITE, key);
      const found: number[] = [];
      yield* p.sigaction(Signal.SEGV, function* (q) {
        const frame = new SignalFrame(q);
        found.push(yield* frame.code(), yield* frame.faultAddress(), yield* frame.key());
        const pkru = yield* frame.pkru();
        expect((pkru >>> (2 * key)) & 1).toBe(1);
        yield* frame.setPkru(pkru & ~(3 << (2 * key)));
      });
      p.wrpkru(p.rdpkru() | (1 << (2 * key)));
      expect(yield* p.load32(at)).toBe(7);
      expect(found).toEqual([SignalCode.SEGV_PKUERR, at, key]);
      expect((p.rdpkru() >>> (2 * key)) & 3).toBe(0);
    });
  });

  it('decides what is blocked afterwards, what a call returns, and whether it is made again', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      yield* p.sigaction(Signal.USR1, function* (q) {
        const frame = new SignalFrame(q);
        yield* frame.setMask(1 << 11, 1);
        yield* frame.setRegister('rax', -77);
      });
      const kick = function* (q: Program): Generator<void, void> {
        yield* q.sleep(Time.ms);
        yield* q.kill(self, Signal.USR1);
      };
      yield* p.fork(kick);
      const end = yield* p.pipe();
      expect(yield* p.read(end, yield* p.allocate(4096), 1)).toBe(-77);
      expect([yield* p.sigprocmask(0, 0), p.second]).toEqual([1 << 11, 1]);
      yield* p.wait();
      // With SA_RESTART the frame leads to the instruction of the call, with its number as it was.
      const seen: number[] = [];
      yield* p.sigaction(
        Signal.USR1,
        function* (q) {
          const frame = new SignalFrame(q);
          seen.push(yield* frame.register('rax'), yield* frame.register('rdi'));
          yield* frame.setRegister('rdi', end + 1);
        },
        SignalFlag.RESTART,
      );
      yield* p.fork(kick);
      expect(yield* p.read(end, yield* p.allocate(4096), 1), 'made again with another descriptor').toBe(-Errno.EBADF);
      expect(seen).toEqual([LinuxCall.read, end]);
      yield* p.wait();
    });
  });

  it('with another instruction pointer leads there, which may be nowhere', () => {
    run(
      ends({ signal: Signal.SEGV, code: SignalCode.SEGV_MAPERR, address: 0x1234_5000 }, function* (p) {
        yield* p.sigaction(Signal.USR1, function* (q) {
          yield* new SignalFrame(q).setRegister('rip', 0x1234_5000);
        });
        yield* p.kill(yield* p.getpid(), Signal.USR1);
        yield* p.sleep(Time.ms);
      }),
    );
  });

  it('is one of several when handlers are interrupted, and kills if it does not fit', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const frames: number[] = [];
      for (const signal of [Signal.USR1, Signal.USR2]) {
        yield* p.sigaction(signal, function* (q) {
          frames.push(new SignalFrame(q).address);
          if (signal === Signal.USR1) yield* q.kill(self, Signal.USR2);
          frames.push(new SignalFrame(q).address);
        });
      }
      yield* p.kill(self, Signal.USR1);
      const [first, second] = frames as [number, number];
      expect(frames).toEqual([first, second, second, first]);
      expect(second).toBeLessThan(first - 3000);
    });
    run(
      ends({ signal: Signal.SEGV }, function* (p) {
        yield* p.sigaction(Signal.USR1, function* (q) {
          yield* q.getpid();
        });
        p.context.rsp = 0x1000;
        yield* p.kill(yield* p.getpid(), Signal.USR1);
        yield* p.sleep(Time.ms);
      }),
    );
  });
});

describe('sigaltstack', () => {
  it('is where handlers with SA_ONSTACK run, and cannot be changed from there', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const at = yield* p.allocate(4096);
      const stack = yield* p.allocate(0x4000);
      expect(yield* stackT(p, at, stack, 0, 0x4000)).toBe(0);
      const seen: boolean[] = [];
      const handler = function* (q: Program) {
        const { address } = new SignalFrame(q);
        seen.push(address > stack && address < stack + 0x4000);
        yield* q.syscall(sigaltstack, 0, at);
        seen.push((yield* q.load32(at + 8)) === 1);
        seen.push((yield* stackT(q, at, stack, 2, 0)) === -Errno.EPERM);
      };
      yield* p.sigaction(Signal.USR1, handler, SA_ONSTACK);
      yield* p.kill(self, Signal.USR1);
      yield* p.sigaction(Signal.USR1, handler);
      yield* p.kill(self, Signal.USR1);
      expect(seen).toEqual([true, true, true, false, false, false]);
      yield* p.fork(function* (q) {
        yield* q.syscall(sigaltstack, 0, at);
        expect(yield* q.load64(at), 'inherited by fork').toBe(stack);
      });
      yield* p.wait();
    });
  });

  it('with SS_AUTODISARM is off while the handler runs, and on again after it', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const stack = yield* p.allocate(0x4000);
      expect(yield* stackT(p, at, stack, AUTODISARM, 0x4000)).toBe(0);
      const flags = function* (q: Program) {
        yield* q.syscall(sigaltstack, 0, at);
        return (yield* q.load32(at + 8)) | 0;
      };
      let inside = 0;
      yield* p.sigaction(
        Signal.USR1,
        function* (q) {
          inside = yield* flags(q);
        },
        SA_ONSTACK,
      );
      yield* p.kill(yield* p.getpid(), Signal.USR1);
      expect([inside, yield* flags(p)]).toEqual([2, AUTODISARM]);
    });
  });

  it('too small for a frame kills', () => {
    run(
      ends({ signal: Signal.SEGV }, function* (p) {
        const at = yield* p.allocate(4096);
        const stack = yield* p.allocate(0x4000);
        yield* stackT(p, at, stack + 0x2000, 0, 2048);
        yield* p.sigaction(
          Signal.USR1,
          function* (q) {
            yield* q.getpid();
          },
          SA_ONSTACK,
        );
        yield* p.kill(yield* p.getpid(), Signal.USR1);
        yield* p.sleep(Time.ms);
      }),
    );
  });

  it('takes and refuses what Linux does', () => {
    const set = (address: number, flags: number, bytes: number): Step[] => [
      poke(MEMORY, address, 0, flags, 0, bytes, 0),
      ['sigaltstack', MEMORY, MEMORY + 64],
      peek(MEMORY + 64, 24),
    ];
    sameAsLinux(
      ['sigaltstack', 0, MEMORY + 64],
      peek(MEMORY + 64, 24),
      ...set(0x5000, 0, 0x4000),
      ...set(0x5000, 0, 2047),
      ...set(0x6000, 1, 0x5000),
      ...set(0x6000, 3, 0x4000),
      ...set(0x6000, 4, 0x4000),
      ...set(0x6000, AUTODISARM, 0x4000),
      ...set(0x6000, AUTODISARM | 1, 0x4000),
      ...set(0x6000, 2, 10),
      ...set(0x6000, 2 | AUTODISARM, 10),
      ...set(0, 0, 0x4000),
      ['sigaltstack', NOWHERE, 0],
      ['sigaltstack', 0, NOWHERE],
      ['sigaltstack', 0, 0],
    );
  });
});
