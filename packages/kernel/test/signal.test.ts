import { Epoll, Errno, OpenFlag, Poll, Signal, SignalFlag, SignalMask } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { type SignalHandler, Time } from '../src/index.js';
import { ends, run } from './support.js';

const { USR1, USR2, CHLD, TERM, PIPE, SEGV, KILL, STOP, CONT } = Signal;
const bit = (signal: number) => 1 << (signal - 1);

/** A handler that notes its signal. */
function noting(seen: number[]): SignalHandler {
  return function* (p, signal) {
    seen.push(signal);
    yield* p.getpid();
  };
}

describe('a signal handler', () => {
  it('runs when its signal comes, and the program goes on where it was', () => {
    const seen: number[] = [];
    run(function* (p) {
      const self = yield* p.getpid();
      expect(yield* p.sigaction(USR1, noting(seen))).toBe(0);
      expect(yield* p.kill(self, USR1)).toBe(0);
      expect(seen).toEqual([USR1]);
      yield* p.fork(function* (child) {
        yield* child.sleep(Time.ms);
        yield* child.kill(self, USR1);
      });
      // Also while it computes.
      yield* p.compute(5_000_000);
      expect(seen).toEqual([USR1, USR1]);
      yield* p.wait();
    });
  });

  it('is run by the threads in turn, from the one that took a signal last', () => {
    const takers: string[] = [];
    run({ cpus: 4 }, function* (p) {
      const names = new Map<number, string>();
      const note: SignalHandler = function* (q) {
        takers.push(names.get(yield* q.gettid()) ?? 'another');
      };
      yield* p.sigaction(USR1, note);
      yield* p.sigaction(USR2, note);
      for (const name of ['first', 'second']) {
        yield* p.clone(function* (q) {
          names.set(yield* q.gettid(), name);
          if (name === 'first') yield* q.sigprocmask(SignalMask.BLOCK, bit(USR2));
          while (takers.length < 3) yield* q.sleep(100 * Time.ms);
        });
      }
      yield* p.sigprocmask(SignalMask.BLOCK, bit(USR1) | bit(USR2));
      yield* p.sleep(Time.ms);
      const self = yield* p.getpid();
      for (const signal of [USR1, USR2, USR1]) {
        yield* p.kill(self, signal);
        yield* p.sleep(2 * Time.ms);
      }
      while (takers.length < 3) yield* p.sleep(Time.ms);
      yield* p.sleep(200 * Time.ms);
    });
    // The first does not want USR2, so that it is the other's turn from then on.
    expect(takers).toEqual(['first', 'second', 'second']);
  });

  it('ends a call that waits with EINTR, or restarts it with SA_RESTART', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const seen: number[] = [];
      const from = yield* p.pipe();
      const to = p.second;
      const buffer = yield* p.allocate(4096);
      const disturb = (signal: number) =>
        p.fork(function* (child) {
          yield* child.sleep(Time.ms);
          yield* child.kill(self, signal);
          yield* child.sleep(Time.ms);
          yield* child.write(to, buffer, 3);
        });
      yield* p.sigaction(USR1, noting(seen));
      yield* disturb(USR1);
      expect(yield* p.read(from, buffer, 8)).toBe(-Errno.EINTR);
      expect(yield* p.read(from, buffer, 8)).toBe(3);
      yield* p.sigaction(USR2, noting(seen), SignalFlag.RESTART);
      yield* disturb(USR2);
      expect(yield* p.read(from, buffer, 8)).toBe(3);
      expect(seen).toEqual([USR1, USR2]);
      // epoll_wait and nanosleep are not restarted.
      const epfd = yield* p.epollCreate();
      yield* disturb(USR2);
      expect(yield* p.epollWait(epfd, buffer, 1, -1)).toBe(-Errno.EINTR);
      yield* disturb(USR2);
      expect(yield* p.sleep(Time.s)).toBe(-Errno.EINTR);
    });
  });

  it('does not run for a signal that another thread has taken: a sleep that finds none goes on, as what it is', () => {
    run(function* (p) {
      const from = yield* p.pipe();
      const to = p.second;
      const buffer = yield* p.allocate(4096);
      yield* p.fork(function* (child) {
        yield* child.sleep(Time.ms);
        yield* child.write(to, buffer, 3);
        yield* child.write(to, buffer, 5);
      });
      // The last call that slept.
      expect(yield* p.read(from, buffer, 3)).toBe(3);
      yield* p.wait();
      const began = p.context.cpu.clock;
      p.context.thread.signalPending = true;
      expect(yield* p.sleep(Time.ms)).toBe(0);
      expect(p.context.cpu.clock - began).toBeGreaterThan(1e6 * p.context.cpu.costs.tscPerNs);
      expect(yield* p.read(from, buffer, 8)).toBe(5);
    });
  });

  it('begins with the default PKRU, and the program goes on with its own', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const byDefault = p.rdpkru();
      const rights: number[] = [];
      yield* p.sigaction(USR1, function* (q) {
        rights.push(q.rdpkru());
        yield* q.getpid();
      });
      p.wrpkru(0);
      yield* p.kill(self, USR1);
      expect([byDefault, rights, p.rdpkru()]).toEqual([0x5555_5554, [0x5555_5554], 0]);
    });
  });

  it('keeps its own signal off while it runs, unless SA_NODEFER, and is forgotten with SA_RESETHAND', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const depth: number[] = [];
      let level = 0;
      const nesting: SignalHandler = function* (q) {
        depth.push(++level);
        if (depth.length < 3) yield* q.kill(self, USR1);
        level--;
      };
      yield* p.sigaction(USR1, nesting);
      yield* p.kill(self, USR1);
      expect(depth.splice(0)).toEqual([1, 1, 1]);
      yield* p.sigaction(USR1, nesting, SignalFlag.NODEFER);
      yield* p.kill(self, USR1);
      expect(depth).toEqual([1, 2, 3]);
      yield* p.sigaction(USR2, nesting, SignalFlag.RESETHAND);
      yield* p.kill(self, USR2);
      const child = yield* p.fork(
        ends({ signal: USR2 }, function* (q) {
          yield* q.kill(yield* q.getpid(), USR2);
        }),
      );
      yield* p.wait(child);
      expect(yield* p.kill(child, 0)).toBe(-Errno.ESRCH);
    });
  });

  it('cannot be had for SIGKILL and SIGSTOP; SIGSEGV that is blocked kills', () => {
    run(
      ends({ signal: SEGV, address: 0x1000 }, function* (p) {
        expect([yield* p.sigaction(KILL, 'ignore'), yield* p.sigaction(STOP, 'ignore'), yield* p.sigaction(65, 'ignore')]).toEqual([
          -Errno.EINVAL,
          -Errno.EINVAL,
          -Errno.EINVAL,
        ]);
        yield* p.sigprocmask(SignalMask.SETMASK, ~0);
        yield* p.load8(0x1000);
      }),
    );
  });

  it('is told of the end of a child, if it asked for SIGCHLD', () => {
    const seen: number[] = [];
    run(function* (p) {
      yield* p.sigaction(CHLD, noting(seen));
      yield* p.fork(function* () {});
      expect(yield* p.sleep(Time.s)).toBe(-Errno.EINTR);
      expect([yield* p.wait(-1, 1), yield* p.wait(-1, 1)]).toEqual([2, -Errno.ECHILD]);
    });
    expect(seen).toEqual([CHLD]);
  });

  it('takes a SIGPIPE that a write raises; ignoring it leaves EPIPE', () => {
    run(function* (p) {
      const seen: number[] = [];
      const from = yield* p.pipe();
      const to = p.second;
      const buffer = yield* p.allocate(4096);
      yield* p.close(from);
      yield* p.sigaction(PIPE, noting(seen));
      expect([yield* p.write(to, buffer, 1), seen.length]).toEqual([-Errno.EPIPE, 1]);
      yield* p.sigaction(PIPE, 'ignore');
      expect([yield* p.write(to, buffer, 1), seen.length]).toEqual([-Errno.EPIPE, 1]);
    });
  });
});

describe('blocked signals', () => {
  it('wait, once each; the frame of the highest number is on top when all are let in at once', () => {
    const seen: number[] = [];
    run(function* (p) {
      const self = yield* p.getpid();
      for (const signal of [USR1, USR2, TERM]) yield* p.sigaction(signal, noting(seen));
      expect(yield* p.sigprocmask(SignalMask.BLOCK, bit(USR1) | bit(USR2) | bit(TERM))).toBe(0);
      for (const signal of [TERM, USR2, USR1, USR1]) yield* p.kill(self, signal);
      expect(yield* p.sigpending()).toBe(bit(USR1) | bit(USR2) | bit(TERM));
      yield* p.sigprocmask(SignalMask.UNBLOCK, bit(USR1) | bit(USR2) | bit(TERM));
      expect(seen).toEqual([TERM, USR2, USR1]);
    });
  });

  it('are let in by sigsuspend, ppoll and epoll_pwait2 while these wait', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const seen: number[] = [];
      yield* p.sigaction(USR1, noting(seen));
      yield* p.sigprocmask(SignalMask.BLOCK, bit(USR1));
      const epfd = yield* p.epollCreate();
      const buffer = yield* p.allocate(4096);
      const waits = [() => p.sigsuspend(0), () => p.ppoll(buffer, 0, -1, 0), () => p.epollPwait2(epfd, buffer, 1, -1, 0)];
      for (const wait of waits) {
        yield* p.kill(self, USR1);
        expect(yield* wait()).toBe(-Errno.EINTR);
        expect(yield* p.sigprocmask(SignalMask.BLOCK, 0)).toBe(bit(USR1));
      }
      expect(seen).toEqual([USR1, USR1, USR1]);
      expect(yield* p.epollPwait2(epfd, buffer, 1, 1000, 0)).toBe(0);
      expect(yield* p.sigprocmask(SignalMask.BLOCK, 0)).toBe(bit(USR1));
    });
  });

  it('are blocked again after a wait that let them in and in which no handler has run', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      const seen: number[] = [];
      const buffer = yield* p.allocate(4096);
      const epfd = yield* p.epollCreate();
      yield* p.sigaction(USR1, noting(seen));
      yield* p.sigprocmask(SignalMask.BLOCK, bit(USR1));
      const waits = [() => p.sigsuspend(0), () => p.ppoll(buffer, 0, -1, 0), () => p.epollPwait2(epfd, buffer, 1, -1, 0)];
      for (const wait of waits) {
        // A stop interrupts it: the first two begin anew.
        const child = yield* p.fork(function* (c) {
          for (const signal of [STOP, CONT, USR1]) {
            yield* c.sleep(Time.ms);
            yield* c.kill(self, signal);
          }
        });
        expect(yield* wait()).toBe(-Errno.EINTR);
        expect(yield* p.sigprocmask(SignalMask.BLOCK, 0)).toBe(bit(USR1));
        yield* p.wait(child);
      }
      // It came after epoll_pwait2 had ended, and waits.
      expect([seen, yield* p.sigpending()]).toEqual([[USR1, USR1], bit(USR1)]);
    });
  });

  it('can be read from a signalfd, which can be polled', () => {
    run(function* (p) {
      const self = yield* p.getpid();
      yield* p.sigprocmask(SignalMask.BLOCK, bit(USR1) | bit(USR2));
      const fd = yield* p.signalfd(bit(USR1) | bit(USR2), OpenFlag.NONBLOCK);
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN);
      const buffer = yield* p.allocate(4096);
      expect([yield* p.read(fd, buffer, 128), yield* p.read(fd, buffer, 100)]).toEqual([-Errno.EAGAIN, -Errno.EINVAL]);
      yield* p.kill(self, USR2);
      yield* p.kill(self, USR1);
      expect(yield* p.epollWait(epfd, buffer, 4, -1)).toBe(1);
      expect(yield* p.read(fd, buffer, 4096)).toBe(256);
      expect([yield* p.load32(buffer), yield* p.load32(buffer + 128)]).toEqual([USR1, USR2]);
      expect(yield* p.epollWait(epfd, buffer, 4, 0)).toBe(0);
    });
  });

  it('are inherited by threads and children; a process-wide signal goes to a thread that does not block it', () => {
    const seen: string[] = [];
    run(function* (p) {
      const self = yield* p.getpid();
      yield* p.sigaction(USR1, function* (q) {
        seen.push((yield* q.gettid()) === self ? 'first' : 'second');
      });
      yield* p.clone(function* (thread) {
        yield* thread.pause();
      });
      yield* p.sigprocmask(SignalMask.BLOCK, bit(USR1));
      yield* p.sleep(Time.ms);
      yield* p.kill(self, USR1);
      yield* p.sleep(Time.ms);
    });
    expect(seen).toEqual(['second']);
  });
});

describe('a signal for a process', () => {
  it('goes to another thread if the first has been told of one and does not run yet', () => {
    const seen: string[] = [];
    run(function* (p) {
      const self = yield* p.getpid();
      const note: SignalHandler = function* (q, signal) {
        seen.push(`${signal} ${(yield* q.gettid()) === self ? 'first' : 'second'}`);
      };
      for (const signal of [USR1, USR2]) yield* p.sigaction(signal, note);
      yield* p.setAffinity([1]);
      yield* p.clone(function* (thread) {
        yield* thread.setAffinity([2]);
        yield* thread.pause();
      });
      const child = yield* p.fork(function* (c) {
        yield* c.setAffinity([3]);
        yield* c.sleep(Time.ms);
        // The first thread is woken, which takes longer than a call.
        for (const signal of [USR1, USR2]) yield* c.kill(self, signal);
      });
      yield* p.pause();
      yield* p.wait(child);
      yield* p.sleep(Time.ms);
    });
    expect(seen.sort()).toEqual([`${USR1} first`, `${USR2} second`]);
  });
});

describe('a timerfd', () => {
  it('counts expirations, once or by period, and can be polled and disarmed', () => {
    run(function* (p) {
      const buffer = yield* p.allocate(4096);
      const fd = yield* p.timerfd(OpenFlag.NONBLOCK);
      expect(yield* p.read(fd, buffer, 8)).toBe(-Errno.EAGAIN);
      yield* p.timerfdSettime(fd, 2 * Time.ms);
      expect(yield* p.timerfdGettime(fd)).toBeGreaterThan(1.9 * Time.ms);
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN);
      expect(yield* p.epollWait(epfd, buffer, 1, -1)).toBe(1);
      expect([yield* p.read(fd, buffer, 8), yield* p.load64(buffer), yield* p.timerfdGettime(fd)]).toEqual([8, 1, 0]);
      yield* p.timerfdSettime(fd, Time.ms, Time.ms);
      yield* p.sleep(3.5 * Time.ms);
      expect([yield* p.read(fd, buffer, 8), yield* p.load64(buffer)]).toEqual([8, 3]);
      yield* p.timerfdSettime(fd, 0);
      yield* p.sleep(3 * Time.ms);
      expect(yield* p.read(fd, buffer, 8)).toBe(-Errno.EAGAIN);
      expect([yield* p.timerfdSettime(fd, -1), yield* p.timerfdSettime(epfd, 1)]).toEqual([-Errno.EINVAL, -Errno.EINVAL]);
    });
  });
});
