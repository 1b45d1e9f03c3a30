import { Errno, OpenFlag, Prot, Signal, SignalCode } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { mshareCall, mshareOf, mshareUnlink } from '../src/index.js';
import { AT, LENGTH, machine, mustEnd, run, until } from './support.js';

const CREATE = OpenFlag.RDWR | OpenFlag.CREAT;

describe('a region by name', () => {
  it('is one memory with one set of page tables, at the same address everywhere', () => {
    const m = machine();
    let ready = false;
    let seen = 0;
    let faultsOfReader = -1;
    const [, reader] = run(
      m,
      function* (p) {
        expect(yield* mshareCall(p, 'db', AT, LENGTH, CREATE)).toBe(AT);
        for (let page = 0; page < 8; page++) yield* p.store64(AT + page * 4096, 100 + page);
        ready = true;
        yield* until(p, () => seen !== 0);
        expect(yield* mshareUnlink(p, 'db')).toBe(0);
      },
      function* (p) {
        yield* until(p, () => ready);
        expect(yield* mshareCall(p, 'db', 0, 0, OpenFlag.RDWR)).toBe(AT);
        const { memory } = p.context.thread;
        const before = memory.minorFaults;
        const tables = memory.pageTableBytes;
        for (let page = 0; page < 8; page++) expect(yield* p.load64(AT + page * 4096)).toBe(100 + page);
        faultsOfReader = memory.minorFaults - before;
        expect(memory.pageTableBytes).toBe(tables);
        expect(yield* mshareUnlink(p, 'db')).toBe(0);
        seen = 1;
      },
    );
    expect(reader?.exit).toMatchObject({ status: 0, signal: 0 });
    // What one sharer has faulted in is there for all.
    expect(faultsOfReader).toBe(0);
    expect(mshareOf(m).named.files).toEqual([]);
  });

  it('answers O_CREAT, O_EXCL, O_RDONLY and modes as open does', () => {
    const m = machine();
    const results: number[] = [];
    run(m, function* (p) {
      results.push(yield* mshareCall(p, 'x', AT, LENGTH, OpenFlag.RDWR));
      results.push(yield* mshareCall(p, 'x', AT + 4096, LENGTH, CREATE));
      results.push(yield* mshareCall(p, 'x', AT, LENGTH, CREATE, 0o400));
      results.push(yield* mshareCall(p, 'x', AT, LENGTH, CREATE | OpenFlag.EXCL));
      yield* p.munmap(AT, LENGTH);
      results.push(yield* mshareCall(p, 'x', 0, 0, OpenFlag.RDWR));
      results.push(yield* mshareCall(p, 'x', AT, 2 * LENGTH, OpenFlag.RDONLY));
      results.push(yield* mshareCall(p, 'x', 0, 0, OpenFlag.WRONLY));
      results.push(yield* mshareCall(p, 'x', 0, 0, OpenFlag.RDONLY));
      results.push(yield* mshareUnlink(p, 'y'));
    });
    expect(results).toEqual([
      -Errno.ENOENT,
      -Errno.EINVAL,
      AT,
      -Errno.EEXIST,
      -Errno.EACCES,
      -Errno.EINVAL,
      -Errno.EINVAL,
      AT,
      -Errno.ENOENT,
    ]);
  });

  it('gives its creator what it asked for: O_RDONLY reads, also what another one may write', () => {
    const m = machine();
    run(
      m,
      function* (p) {
        mustEnd(p, { signal: Signal.SEGV, code: SignalCode.SEGV_ACCERR, address: AT });
        yield* mshareCall(p, 'x', AT, LENGTH, OpenFlag.RDONLY | OpenFlag.CREAT);
        yield* p.sleep(2e6);
        expect(yield* p.load64(AT)).toBe(7);
        yield* p.store64(AT, 8);
      },
      function* (p) {
        yield* p.sleep(1e6);
        yield* p.store64(yield* mshareCall(p, 'x', 0, 0, OpenFlag.RDWR), 7);
        yield* p.sleep(4e6);
      },
    );
  });

  it('must be unlinked as often as it was opened; an orphan stays when somebody does not', () => {
    const m = machine();
    const frames = m.platform.memory.framesInUse;
    run(
      m,
      function* (p) {
        yield* mshareCall(p, 'kept', AT, LENGTH, CREATE);
        yield* p.store64(AT, 7);
        yield* mshareUnlink(p, 'kept');
        // The second user's reference keeps it.
        expect(mshareOf(m).named.files[0]?.references).toBe(1);
        expect(yield* p.load64(AT)).toBe(7);
      },
      function* (p) {
        yield* until(p, () => mshareOf(m).named.files.length > 0);
        yield* mshareCall(p, 'kept', 0, 0, OpenFlag.RDWR);
        // Ends without mshare_unlink.
      },
    );
    const [orphan] = mshareOf(m).named.files;
    expect(orphan).toMatchObject({ name: 'kept', references: 1 });
    expect(orphan?.region.sharers).toBe(0);
    expect(m.platform.memory.framesInUse).toBeGreaterThan(frames);
    // A process that comes later finds it, and can put an end to it.
    let found = 0;
    run(m, function* (p) {
      yield* mshareCall(p, 'kept', 0, 0, OpenFlag.RDWR);
      found = yield* p.load64(AT);
      yield* mshareUnlink(p, 'kept');
      yield* mshareUnlink(p, 'kept');
    });
    expect(found).toBe(7);
    expect(mshareOf(m).named.files).toEqual([]);
  });

  it('kills a reader that writes, and a user of what is gone', () => {
    const m = machine();
    let over = false;
    run(
      m,
      function* (p) {
        yield* mshareCall(p, 'r', AT, LENGTH, CREATE);
        yield* p.store64(AT, 1);
        yield* until(p, () => over);
      },
      function* (p) {
        mustEnd(p, { signal: Signal.SEGV, code: SignalCode.SEGV_ACCERR, address: AT });
        yield* until(p, () => mshareOf(m).named.files.length > 0);
        yield* mshareCall(p, 'r', 0, 0, OpenFlag.RDONLY);
        yield* p.load64(AT);
        yield* p.store64(AT, 2);
      },
      function* (p) {
        mustEnd(p, { signal: Signal.BUS, address: AT });
        yield* p.sleep(2e6);
        yield* mshareCall(p, 'r', 0, 0, OpenFlag.RDWR);
        for (let i = 0; i < 3; i++) yield* mshareUnlink(p, 'r');
        over = true;
        yield* p.load64(AT);
      },
    );
  });
});

describe('what one sharer changes', () => {
  it('mprotect holds for all: translations that others had cached are gone', () => {
    const m = machine();
    let shared = false;
    let warm = false;
    let denied = false;
    run(
      m,
      function* (p) {
        yield* mshareCall(p, 'm', AT, LENGTH, CREATE);
        yield* p.store64(AT, 1);
        shared = true;
        yield* until(p, () => warm);
        const flushes = m.kernel.memory.tlb.flushesReceived;
        expect(yield* p.mprotect(AT, 4096, Prot.READ)).toBe(0);
        expect(m.kernel.memory.tlb.flushesReceived).toBeGreaterThan(flushes);
        denied = true;
      },
      function* (p) {
        mustEnd(p, { signal: Signal.SEGV, code: SignalCode.SEGV_ACCERR, address: AT });
        yield* until(p, () => shared);
        yield* mshareCall(p, 'm', 0, 0, OpenFlag.RDWR);
        yield* p.store64(AT, 2);
        warm = true;
        // Stays on its CPU, with the right to write in its TLB.
        while (!denied) yield* p.compute(1000);
        yield* p.store64(AT, 3);
      },
    );
  });

  it('a forked child shares too, and munmap ends it for one alone', () => {
    const m = machine();
    let childSaw = 0;
    run(m, function* (p) {
      mustEnd(p, { signal: Signal.SEGV, code: SignalCode.SEGV_MAPERR });
      yield* mshareCall(p, 'f', AT, LENGTH, CREATE);
      yield* p.store64(AT, 5);
      yield* p.fork(function* (child) {
        childSaw = yield* child.load64(AT);
        yield* child.store64(AT, 6);
        yield* child.munmap(AT, LENGTH);
      });
      yield* p.wait();
      expect(yield* p.load64(AT)).toBe(6);
      yield* p.munmap(AT, LENGTH);
      yield* p.load64(AT);
    });
    expect(childSaw).toBe(5);
  });
});
