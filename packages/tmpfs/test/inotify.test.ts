import type { Program } from '@rpal/kernel';
import { Errno, Inotify, OpenFlag } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { run, say } from './support.js';

const { CREAT, RDWR, NONBLOCK } = OpenFlag;
/** `struct inotify_event` without a name; with a short one. */
const HEADER = 16;
const NAMED = 32;

/** The masks of the events that one read gives, or its negative errno. */
function* masks(p: Program, fd: number, at: number, room = 4096): Generator<void, number[] | number> {
  const n = yield* p.read(fd, at, room);
  if (n < 0) return n;
  const bytes = new Uint8Array(n);
  yield* p.loadBytes(at, bytes);
  const view = new DataView(bytes.buffer);
  const found: number[] = [];
  for (let offset = 0; offset < n; offset += HEADER + view.getUint32(offset + 12, true)) found.push(view.getUint32(offset + 4, true));
  return found;
}

describe('inotify', () => {
  it('wakes who waits for an event', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.inotifyInit();
      yield* p.inotifyAddWatch(fd, '/tmp', Inotify.CREATE);
      yield* p.fork(function* (q) {
        yield* q.sleep(1e6);
        yield* q.mkdir('/tmp/d', 0o700);
      });
      expect(yield* masks(p, fd, at)).toEqual([Inotify.CREATE | Inotify.ISDIR]);
      yield* p.wait();
    });
  });

  it('tells the same event once, as long as no other comes between', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const file = yield* p.open('/tmp/f', RDWR | CREAT, 0o600);
      const fd = yield* p.inotifyInit(NONBLOCK);
      yield* p.inotifyAddWatch(fd, '/tmp/f', Inotify.MODIFY | Inotify.ATTRIB);
      for (let i = 0; i < 3; i++) yield* say(p, file, at, 'x');
      yield* p.fchmod(file, 0o644);
      yield* say(p, file, at, 'x');
      expect(yield* masks(p, fd, at)).toEqual([Inotify.MODIFY, Inotify.ATTRIB, Inotify.MODIFY]);
      expect(yield* masks(p, fd, at)).toBe(-Errno.EAGAIN);
    });
  });

  it('gives whole events, as many as there is room for', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.inotifyInit(NONBLOCK);
      yield* p.inotifyAddWatch(fd, '/tmp', Inotify.CREATE);
      for (const name of ['a', 'b', 'c']) yield* p.mkdir(`/tmp/${name}`, 0o700);
      const one = Inotify.CREATE | Inotify.ISDIR;
      expect(yield* masks(p, fd, at, NAMED - 1)).toBe(-Errno.EINVAL);
      expect(yield* masks(p, fd, at, NAMED)).toEqual([one]);
      expect(yield* masks(p, fd, at, 2 * NAMED)).toEqual([one, one]);
    });
  });

  it('ends a watch that is for one event, and says so', () => {
    run(function* (p) {
      const at = yield* p.allocate(4096);
      const fd = yield* p.inotifyInit(NONBLOCK);
      const watch = yield* p.inotifyAddWatch(fd, '/tmp', Inotify.CREATE | Inotify.ONESHOT);
      for (const name of ['a', 'b']) yield* p.mkdir(`/tmp/${name}`, 0o700);
      expect(yield* masks(p, fd, at)).toEqual([Inotify.CREATE | Inotify.ISDIR, Inotify.IGNORED]);
      expect(yield* p.inotifyRmWatch(fd, watch)).toBe(-Errno.EINVAL);
    });
  });
});
