import { FaultCode, GuestMode, type TrapHandler } from '@rpal/hw-x86';
import { createMachine, executable, type Machine, type Main, type Program, Time } from '@rpal/kernel';
import { Errno, MapFlag, Prot, Signal } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { ends, runOn, smallProfile } from '../../../scripts/testing/run.ts';
import { Dune, dune, OPEN, SUPERVISOR, sandbox, vmcall, within, xeonE31230v2 } from '../src/index.js';

const PAGE = 4096;
const GETPID = 39;
const WRITE = 1;

function machine(): Machine {
  return createMachine({ profile: { ...xeonE31230v2, topology: smallProfile().topology }, plugins: [dune()] });
}

/** Runs programs on a machine that has the plugin. */
function run(...mains: Main[]): Machine {
  const own = machine();
  runOn(own, ...mains);
  return own;
}

describe('a process in Dune mode', () => {
  it('is the same process: its memory, its calls, its children, and what it sleeps through', () => {
    run(function* (p) {
      const page = yield* p.allocate(4 * PAGE);
      yield* p.store64(page, 77);
      const pid = yield* p.getpid();
      const d = yield* Dune.enter(p);
      expect([yield* p.load64(page), yield* d.load64(page), yield* p.getpid()]).toEqual([77, 77, pid]);
      yield* p.store64(page + PAGE, 5);
      yield* d.store64(page + 2 * PAGE + 8, 6);
      const fd = yield* p.pipe();
      expect(yield* p.write(p.second, page, 3 * PAGE)).toBe(3 * PAGE);
      const back = yield* p.allocate(3 * PAGE);
      expect(yield* p.read(fd, back, 3 * PAGE)).toBe(3 * PAGE);
      expect([yield* p.load64(back + PAGE), yield* d.load64(back + 2 * PAGE + 8)]).toEqual([5, 6]);
      yield* p.sleep(Time.ms);
      yield* p.setAffinity([2]);
      expect(yield* p.load64(page)).toBe(77);
      yield* p.fork(function* (q) {
        expect([q.context.thread.guest, yield* q.load64(page)]).toEqual([null, 77]);
        yield* q.store64(page, 1);
      });
      yield* p.wait();
      expect(yield* p.load64(page)).toBe(77);
      yield* p.store64(page, 78);
      expect(yield* p.load64(page)).toBe(78);
    });
  });

  it('makes system calls by VMCALL: one exit each, and none for what it does itself', () => {
    run(function* (p) {
      const page = yield* p.allocate(PAGE);
      const d = yield* Dune.enter(p);
      yield* d.store64(page, 1);
      yield* d.protect(page, PAGE, OPEN);
      const mode = GuestMode.of(p.context.cpu);
      const { exits } = mode;
      yield* p.getpid();
      expect(mode.exits).toBe(exits + 1);
      yield* d.protect(page, PAGE, SUPERVISOR);
      yield* d.load64(page);
      expect(mode.exits).toBe(exits + 1);
    });
  });

  it('takes its page faults itself, with address and error code, and repeats the access', () => {
    run(function* (p) {
      const page = yield* p.allocate(2 * PAGE);
      yield* p.memset(page, 7, 2 * PAGE);
      const d = yield* Dune.enter(p);
      const seen: [number, number][] = [];
      d.handlers = {
        ...d.handlers,
        *onTrap(inner, { address, code }) {
          seen.push([address - page, code]);
          yield* inner.protect(address, PAGE, OPEN);
        },
      };
      // Linux serves the first use of each page.
      yield* p.memset(page, 7, 2 * PAGE);
      yield* d.protect(page, 2 * PAGE, 0);
      const mode = GuestMode.of(p.context.cpu);
      const { exits } = mode;
      expect(yield* p.load8(page + 5)).toBe(7);
      yield* d.protect(page, PAGE, OPEN & ~2);
      yield* p.store8(page + 6, 9);
      expect(yield* p.load8(page + 6)).toBe(9);
      // A range that faults half-way goes on where it was.
      yield* p.memset(page, 3, 2 * PAGE);
      expect(yield* p.load8(page + 2 * PAGE - 1)).toBe(3);
      expect(seen).toEqual([
        [5, FaultCode.user],
        [6, FaultCode.user | FaultCode.write | FaultCode.present],
        [PAGE, FaultCode.user | FaultCode.write],
      ]);
      expect(mode.exits).toBe(exits);
    });
  });

  it('is told by its own dirty bits which pages were written: what a collector needs', () => {
    run(function* (p) {
      const heap = yield* p.allocate(8 * PAGE);
      const d = yield* Dune.enter(p);
      yield* p.memset(heap, 1, 8 * PAGE);
      expect(yield* d.takeDirty(heap, 8 * PAGE)).toHaveLength(8);
      yield* p.store8(heap + 3 * PAGE, 1);
      yield* p.load8(heap + 4 * PAGE);
      yield* d.store64(heap + 6 * PAGE, 1);
      expect(yield* d.takeDirty(heap, 8 * PAGE)).toEqual([heap + 3 * PAGE, heap + 6 * PAGE]);
      expect(yield* d.takeDirty(heap, 8 * PAGE)).toEqual([]);
    });
  });

  it('has what Linux gives and takes: a page that is unmapped is gone, rights that are taken away too, on every CPU', () => {
    run(
      ends({ signal: Signal.SEGV }, function* (p) {
        const page = yield* p.mmap(0, 2 * PAGE, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
        yield* Dune.enter(p);
        yield* p.store8(page, 1);
        yield* p.store8(page + PAGE, 1);
        yield* p.mprotect(page, PAGE, Prot.READ);
        expect(yield* p.load8(page)).toBe(1);
        yield* p.munmap(page + PAGE, PAGE);
        yield* p.load8(page + PAGE);
      }),
      ends({ signal: Signal.SEGV }, function* (p) {
        const page = yield* p.mmap(0, PAGE, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
        let [written, taken] = [false, false];
        yield* p.clone(function* (q) {
          yield* q.setAffinity([3]);
          yield* Dune.enter(q);
          yield* q.store8(page, 1);
          written = true;
          while (!taken) yield* q.compute(1000);
          yield* q.store8(page, 2);
        });
        while (!written) yield* p.sleep(10 * Time.us);
        yield* p.mprotect(page, PAGE, Prot.READ);
        taken = true;
        yield* p.sleep(Time.s);
      }),
    );
  });

  it('cannot map what is not its own: other memory of the machine is not there', () => {
    run(
      ends({ signal: Signal.SEGV }, function* (p) {
        const page = yield* p.allocate(PAGE);
        const d = yield* Dune.enter(p);
        yield* d.store64(page, 1);
        // Frame 5 of the guest is not frame 5 of the machine; where the process has no memory there is none.
        const entry = yield* d.tables.page(d, page);
        yield* d.store32(entry, 5 * PAGE + OPEN);
        yield* d.store32(entry + 4, 0);
        d.invlpg(page);
        yield* d.load64(page);
      }),
    );
  });

  it('ends as Linux says where nobody handles an exception, and with all that it had returned', () => {
    const own = machine();
    const frames: number[] = [];
    const round = ends({ signal: Signal.SEGV }, function* (p) {
      const page = yield* p.allocate(PAGE);
      const d = yield* Dune.enter(p);
      yield* d.protect(page, PAGE, 0);
      yield* p.load8(page);
    });
    for (let i = 0; i < 3; i++) {
      runOn(own, round, function* (p) {
        yield* p.sleep(2 * Time.ms);
      });
      frames.push(own.platform.memory.framesInUse);
    }
    expect(frames[2]).toBe(frames[1]);
  });

  it('comes back to Linux by exec', () => {
    run(function* (p) {
      yield* Dune.enter(p);
      yield* p.exec(
        executable('after', function* (q) {
          expect([q.context.thread.guest, q.context.thread.entryWatched]).toEqual([null, false]);
          yield* q.store8(yield* q.allocate(PAGE), 1);
        }),
      );
    });
  });

  it('is refused without the plugin, without VMX, and twice', () => {
    const [server] = [smallProfile()];
    const enter: Main = function* (p) {
      yield* Dune.enter(p);
    };
    const alone = createMachine({ profile: server });
    alone.spawn(executable('alone', enter));
    expect(() => alone.run()).toThrow('the machine has no plugin dune()');
    const amd = createMachine({ profile: { ...server, vendor: 'amd', pmu: { ...server.pmu, model: 'amd' } }, plugins: [dune()] });
    amd.spawn(executable('amd', enter));
    expect(() => amd.run()).toThrow('the processor has no VMX');
    const twice = machine();
    twice.spawn(
      executable('twice', function* (p) {
        yield* Dune.enter(p);
        yield* Dune.enter(p);
      }),
    );
    expect(() => twice.run()).toThrow('it is in Dune mode already');
  });

  it('leaves to whoever takes the traps of its CPU, such as one that watches them', () => {
    run(function* (p) {
      yield* p.setAffinity([0]);
      const { cpu } = p.context;
      const { trap } = cpu;
      let calls = 0;
      const watcher: TrapHandler = {
        syscall(on) {
          calls++;
          return trap.syscall(on);
        },
        exception: (on, vector, code) => trap.exception(on, vector, code),
        interrupt: (on, vector) => trap.interrupt(on, vector),
        nmi: (on) => trap.nmi(on),
      };
      cpu.trap = watcher;
      yield* Dune.enter(p);
      calls = 0;
      yield* p.getpid();
      yield* p.sleep(Time.ms);
      expect(calls).toBe(2);
      expect(cpu.trap).not.toBe(watcher);
      yield* p.exec(
        executable('after', function* (q) {
          yield* q.getpid();
          expect([q.context.cpu.trap, calls > 3]).toEqual([watcher, true]);
        }),
      );
    });
  });

  it('takes the same cycles each time', () => {
    const prints = [0, 1].map(() => {
      const own = run(function* (p) {
        const d = yield* Dune.enter(p);
        const page = yield* p.allocate(64 * PAGE);
        yield* p.memset(page, 1, 64 * PAGE);
        yield* d.takeDirty(page, 64 * PAGE);
      });
      return own.fingerprint();
    });
    expect(prints[0]).toBe(prints[1]);
  });
});

describe('a sandbox', () => {
  /** Runs `inside` in a sandbox that has two pages, beside a page with a secret; only getpid, and write from its own memory, are allowed. */
  function confined(
    inside: (p: Program, own: number, secret: number) => Generator<void, void>,
    after: (p: Program, end: unknown, own: number) => Generator<void, void>,
  ): void {
    run(function* (p) {
      const own = yield* p.allocate(2 * PAGE);
      const secret = yield* p.allocate(PAGE);
      yield* p.store64(secret, 0x5ec2e7);
      const d = yield* Dune.enter(p);
      const memory = [own, 2 * PAGE] as const;
      const policy = {
        memory,
        allows: (nr: number, [, buffer, length]: readonly number[]) =>
          nr === GETPID || (nr === WRITE && within(memory, buffer ?? 0, length ?? 0)),
      };
      const end = yield* sandbox(d, policy, (q) => inside(q, own, secret));
      expect(yield* p.load64(secret)).toBe(0x5ec2e7);
      yield* after(p, end, own);
    });
  }

  it('lets code use its memory and the calls that are allowed', () => {
    confined(
      function* (q, own) {
        yield* q.store64(own + PAGE, 12);
        expect(yield* q.getpid()).toBe(q.context.thread.process.pid);
        expect(yield* q.write(99, own, 8)).toBe(-Errno.EBADF);
        // The end of a buffer counts, too.
        expect(yield* q.write(99, own + PAGE, PAGE + 1)).toBe(-Errno.EPERM);
        expect(yield* q.pipe()).toBe(-Errno.EPERM);
      },
      function* (p, end, own) {
        expect([end, yield* p.load64(own + PAGE)]).toEqual([{ kind: 'ended' }, 12]);
      },
    );
  });

  it('ends code that reaches for other memory, and nothing else', () => {
    let at = 0;
    confined(
      function* (q, _own, secret) {
        at = secret;
        yield* q.load64(secret);
        throw new Error('it was read');
      },
      function* (p, end) {
        expect([end, yield* p.getpid()]).toEqual([{ kind: 'stopped', address: at }, p.context.thread.process.pid]);
      },
    );
  });

  it('has no confused deputy: Linux is not asked to read what the code may not', () => {
    confined(
      function* (q, _own, secret) {
        expect(yield* q.write(1, secret, 8)).toBe(-Errno.EPERM);
      },
      function* (p, end) {
        expect([end, yield* p.getpid()]).toEqual([{ kind: 'ended' }, p.context.thread.process.pid]);
      },
    );
  });

  it('is not left by VMCALL', () => {
    confined(
      function* (q) {
        yield* vmcall(q, GETPID);
        throw new Error('it was called');
      },
      function* (p, end) {
        expect(end).toMatchObject({ kind: 'stopped' });
        expect(yield* vmcall(p, GETPID)).toBe(p.context.thread.process.pid);
      },
    );
  });

  it('leaves nothing behind, however often it runs and however it ends: another one sees its own memory', () => {
    run(function* (p) {
      const areas = [yield* p.allocate(PAGE), yield* p.allocate(PAGE)] as const;
      for (const area of areas) yield* p.store64(area, area);
      const d = yield* Dune.enter(p);
      const ends: string[] = [];
      let frames = 0;
      for (let i = 0; i < 200; i++) {
        const [own, other] = i % 2 === 0 ? areas : ([areas[1], areas[0]] as const);
        const { kind } = yield* sandbox(d, { memory: [own, PAGE], allows: () => false }, function* (q) {
          expect(yield* q.load64(own)).toBe(own);
          if (i % 3 === 0) yield* q.load64(other);
        });
        ends.push(kind);
        if (i === 10) frames = p.context.cpu.memory.framesInUse;
      }
      expect(p.context.cpu.memory.framesInUse).toBe(frames);
      expect(ends.every((kind, i) => kind === (i % 3 === 0 ? 'stopped' : 'ended'))).toBe(true);
    });
  });

  it('cannot have more page tables than there are PCIDs for, nor lose those in use', () => {
    run(function* (p) {
      const d = yield* Dune.enter(p);
      const many = [];
      for (let i = 0; i < 64; i++) many.push(yield* d.newTables(OPEN));
      expect(() => [...d.newTables(OPEN)]).toThrow('there are 64 page tables already; drop one before');
      expect(() => [...d.drop(d.base)]).toThrow('page tables that are in use cannot be dropped');
      yield* d.drop(many[3]!);
      yield* d.newTables(OPEN);
    });
  });

  it('is only as good as its policy: code that may unmap memory can end the program', () => {
    run(
      ends({ signal: Signal.SEGV }, function* (p) {
        const own = yield* p.allocate(PAGE);
        const d = yield* Dune.enter(p);
        yield* sandbox(d, { memory: [own, PAGE], allows: () => true }, function* (q) {
          yield* q.store8(own, 1);
          yield* q.munmap(own, PAGE);
          yield* q.load8(own);
        });
      }),
    );
  });
});
