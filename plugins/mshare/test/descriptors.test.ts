import type { MessageHeader, Program } from '@rpal/kernel';
import { Errno, MapFlag, OpenFlag, Prot, Signal, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { MshareIoctl, mshareCreate, mshareOf } from '../src/index.js';
import { AT, LENGTH, machine, mustEnd, run, until } from './support.js';

const RW = Prot.READ | Prot.WRITE;
const map = (p: Program, fd: number, prot: number = RW, length = LENGTH) => p.mmap(0, length, prot, MapFlag.SHARED, fd);

/** The argument of PROTECT, at `at`. */
function* protectArgument(p: Program, at: number, start: number, length: number, prot: number): Generator<void, number> {
  yield* p.store64(at, start);
  yield* p.store64(at + 8, length);
  yield* p.store32(at + 16, prot);
  return at;
}

describe('a region by descriptor', () => {
  it('is mapped through a mapping descriptor, changed through the control descriptor alone', () => {
    const m = machine();
    const results: number[] = [];
    run(m, function* (p) {
      mustEnd(p, { signal: Signal.SEGV, address: AT });
      const control = yield* mshareCreate(p, AT, LENGTH);
      const readOnly = yield* p.ioctl(control, MshareIoctl.MAPPING_FD, OpenFlag.RDONLY);
      const mapping = yield* p.ioctl(control, MshareIoctl.MAPPING_FD, OpenFlag.RDWR);
      results.push(yield* map(p, control), yield* map(p, readOnly), yield* map(p, mapping, RW, LENGTH / 2), yield* map(p, mapping));
      yield* p.store64(AT, 1);
      const page = yield* p.allocate(4096);
      results.push(yield* p.ioctl(mapping, MshareIoctl.PROTECT, yield* protectArgument(p, page, AT, 4096, Prot.READ)));
      results.push(yield* p.mprotect(AT, 4096, Prot.READ));
      results.push(yield* p.ioctl(control, MshareIoctl.PROTECT, page));
      yield* p.store64(AT, 2);
    });
    expect(results).toEqual([-Errno.ENODEV, -Errno.EACCES, -Errno.EINVAL, AT, -Errno.ENOTTY, -Errno.EPERM, 0]);
  });

  it('lives as long as a descriptor or a mapping does, and no longer', () => {
    const m = machine();
    const alive = () => mshareOf(m).described.regions.length;
    const counts: number[] = [];
    const before = m.platform.memory.framesInUse;
    run(m, function* (p) {
      const control = yield* mshareCreate(p, AT, LENGTH);
      const mapping = yield* p.ioctl(control, MshareIoctl.MAPPING_FD, OpenFlag.RDWR);
      yield* map(p, mapping);
      yield* p.store64(AT, 9);
      yield* p.close(control);
      yield* p.close(mapping);
      counts.push(alive());
      expect(yield* p.load64(AT)).toBe(9);
      yield* p.munmap(AT, LENGTH);
      counts.push(alive());
    });
    expect(counts).toEqual([1, 0]);
    expect(m.platform.memory.framesInUse - before).toBeLessThan(20);
  });

  it('makes mapping descriptors to read or to read and write, and no others', () => {
    const m = machine();
    run(m, function* (p) {
      const control = yield* mshareCreate(p, AT, LENGTH);
      for (const access of [OpenFlag.WRONLY, OpenFlag.ACCMODE, OpenFlag.RDWR | OpenFlag.NONBLOCK]) {
        expect(yield* p.ioctl(control, MshareIoctl.MAPPING_FD, access)).toBe(-Errno.EINVAL);
      }
      expect(yield* p.ioctl(control, MshareIoctl.MAPPING_FD, OpenFlag.RDONLY)).toBeGreaterThan(control);
    });
  });

  it('goes with a creator that has passed it to nobody', () => {
    const m = machine();
    run(m, function* (p) {
      const control = yield* mshareCreate(p, AT, LENGTH);
      yield* map(p, yield* p.ioctl(control, MshareIoctl.MAPPING_FD, OpenFlag.RDWR));
      yield* p.store64(AT, 9);
    });
    expect(mshareOf(m).described.regions).toEqual([]);
  });

  it('is passed over a socket, and outlives its creator as long as somebody it was passed to', () => {
    const m = machine();
    const alive = () => mshareOf(m).described.regions.length;
    const path = '/run/mshare';
    let listening = false;
    let creatorGone = false;
    const seen: number[] = [];
    run(
      m,
      function* creator(p) {
        const control = yield* mshareCreate(p, AT, LENGTH);
        const mapping = yield* p.ioctl(control, MshareIoctl.MAPPING_FD, OpenFlag.RDWR);
        yield* map(p, mapping);
        yield* p.store64(AT, 41);
        yield* until(p, () => listening);
        const socket = yield* p.socket(SocketType.STREAM);
        expect(yield* p.connect(socket, path)).toBe(0);
        const note = yield* p.allocate(4096);
        yield* p.store32(note, 0);
        expect(yield* p.sendmsg(socket, { segments: [{ address: note, length: 1 }], descriptors: [mapping] })).toBe(1);
        // Its own references go while the descriptor may still be on its way.
        yield* p.close(mapping);
        yield* p.close(control);
        creatorGone = true;
      },
      function* user(p) {
        const listener = yield* p.socket(SocketType.STREAM);
        yield* p.bind(listener, path);
        yield* p.listen(listener, 1);
        listening = true;
        const socket = yield* p.accept(listener);
        const header: MessageHeader = { segments: [{ address: yield* p.allocate(4096), length: 16 }], room: 1 };
        expect(yield* p.recvmsg(socket, header)).toBe(1);
        yield* until(p, () => creatorGone && alive() === 1);
        yield* p.sleep(1e6);
        const [mapping] = header.descriptors as [number];
        seen.push(yield* map(p, mapping), yield* p.load64(AT), alive());
      },
    );
    expect(seen).toEqual([AT, 41, 1]);
    expect(alive()).toBe(0);
  });
});
