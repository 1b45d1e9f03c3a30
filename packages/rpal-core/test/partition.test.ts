import type { Image, Main, Process } from '@rpal/kernel';
import { Errno, MapFlag, Signal, SignalCode } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { RPAL_ADDRESS_SPACE_LOW, RPAL_ADDR_SPACE_SIZE as SLICE } from '../src/index.js';
import { ends, rpalImage, runOn, world } from './world.js';

const GIB = 2 ** 30;

function inService(body: Main, parts: Partial<Omit<Image, 'start'>> = {}, options: { seed?: number } = {}) {
  const { machine, rpal } = world({}, options);
  const [process] = runOn(machine, rpalImage('program', body, parts)) as [Process];
  return { exit: process.exit, rpal, process };
}

describe('the address space of an RPAL process', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('keeps everything within its slice (seed %i)', (seed) => {
    const seen: Record<string, number> = {};
    let inside = false;
    const { exit } = inService(
      function* (p) {
        const { process } = p.context.thread;
        const base = RPAL_ADDRESS_SPACE_LOW;
        seen.text = process.textStart - base;
        seen.heap = (yield* p.brk(0)) - base;
        seen.mmap = (yield* p.allocate(4096)) - base;
        seen.stack = process.stackTop - base;
        seen.tls = p.rdfsbase() - base;
        inside = Object.values(seen).every((offset) => offset >= 0 && offset < SLICE);
      },
      {},
      { seed },
    );
    expect(exit?.signal).toBe(0);
    expect(inside).toBe(true);
    expect(seen.text).toBeLessThan(4 * GIB);
    expect(seen.heap).toBeGreaterThan(seen.text as number);
    expect(seen.stack).toBeGreaterThan(SLICE - 32 * GIB);
    // Twenty bits of randomisation in pages: 4 GiB, below the room that is kept for the stack.
    expect(seen.mmap).toBeGreaterThan(SLICE - 64 * GIB);
  });

  it('has its heap at the base if it is position independent without a dynamic loader', () => {
    let heap = 0;
    inService(
      function* (p) {
        heap = yield* p.brk(0);
      },
      { dynamic: false },
    );
    expect(heap).toBe(RPAL_ADDRESS_SPACE_LOW);
  });

  it('cannot be entered by a program with fixed addresses: the balloon is there', () => {
    const { rpal } = inService(
      ends({ signal: Signal.SEGV }, function* () {}),
      { pie: false, segments: [{ address: 0x40_0000, bytes: 0x1_0000, prot: 5 }] },
    );
    expect(rpal.instruments.log.join()).toMatch(/not position independent/);
    expect(rpal.byKey.size).toBe(0);
  });

  it('ignores hints outside the slice, fails for MAP_32BIT, and lets MAP_FIXED replace the balloon', () => {
    const seen: number[] = [];
    const outside = RPAL_ADDRESS_SPACE_LOW + 3 * SLICE;
    inService(function* (p) {
      const flags = MapFlag.PRIVATE | MapFlag.ANONYMOUS;
      seen.push(Math.floor((yield* p.mmap(outside, 4096, 3, flags)) / SLICE));
      seen.push(yield* p.mmap(0, 4096, 3, flags | MapFlag.BIT32));
      seen.push(yield* p.mmap(outside, 4096, 3, flags | MapFlag.FIXED));
      seen.push(yield* p.mmap(outside + 8192, 4096, 3, flags | MapFlag.FIXED_NOREPLACE));
    });
    expect(seen).toEqual([1, -Errno.ENOMEM, outside, -Errno.EEXIST]);
  });

  it('is 512 GiB and no more', () => {
    const seen: number[] = [];
    inService(function* (p) {
      const flags = MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.NORESERVE;
      seen.push(yield* p.mmap(0, SLICE, 0, flags));
      seen.push(Math.sign(yield* p.mmap(0, SLICE - 64 * GIB, 0, flags)));
    });
    expect(seen).toEqual([-Errno.ENOMEM, 1]);
  });

  it("goes on above where mmap begins when nothing is free below: the search upwards is from a third of the slice's top, in the balloon", () => {
    let above = 0;
    let mmapBase = 0;
    inService(function* (p) {
      const flags = MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.NORESERVE;
      ({ mmapBase } = p.context.thread.memory.layout);
      yield* p.mmap(0, SLICE - 64 * GIB, 0, flags);
      for (let at = 1; at > 0; at = yield* p.mmap(0, GIB / 2, 0, flags)) above = Math.max(above, at);
    });
    expect(above).toBeGreaterThan(mmapBase);
    expect(above).toBeLessThan(RPAL_ADDRESS_SPACE_LOW + SLICE);
  });

  it('faults in the balloon as in memory that may not be accessed', () => {
    const address = RPAL_ADDRESS_SPACE_LOW + 5 * SLICE;
    inService(
      ends({ signal: Signal.SEGV, code: SignalCode.SEGV_ACCERR, address }, function* (p) {
        yield* p.load64(address);
      }),
    );
  });
});
