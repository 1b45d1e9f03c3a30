import { MemFd, MessageQueueFile } from '@rpal/ipc';
import { Futex, Ipc, OpenFlag, Signal } from '@rpal/uapi';
import type { File } from '@rpal/vfs';
import type { Draw } from '../../../../scripts/testing/draw.ts';
import type { Call } from './calls.js';
import type { ModelWorkers } from './model-workers.js';
import { one } from './random-program.js';

const { CREAT, EXCL, RDWR, RDONLY, WRONLY, NONBLOCK } = OpenFlag;

/** A call about shared memory, message queues, signal files, threads or futexes. */
export function sharingCall(
  draw: Draw,
  workers: ModelWorkers,
  call: (name: string, ...args: number[]) => Call,
  of: (kind: abstract new (...parts: never[]) => File) => number,
): Call {
  const name = () => draw(3);
  const slot = () => draw(4);
  const word = () => draw(3);
  const scope = () => one(draw, [0, 0, 0, Futex.PRIVATE_FLAG]);
  const bits = () => one(draw, [0xffff_ffff, 0xffff_ffff, 1, 2, 3, draw(8) === 0 ? 0 : 1]);
  const [free] = workers.free;
  // Words with owners, apart from the others.
  const owned = () => 4 + draw(2);
  const signalfd = () => {
    const flags = one(draw, [0, NONBLOCK, NONBLOCK]);
    return call('signalfd', -1, one(draw, [0x200, 0x800, 0xa00, 0x1_0a00]), flags, one(draw, [0, 2, 6]));
  };
  switch (draw(18)) {
    case 0:
      return signalfd();
    case 1:
    case 2: {
      const how = one(draw, [CREAT | RDWR, CREAT | RDWR, CREAT | EXCL | RDWR, CREAT | RDONLY, CREAT | WRONLY, RDWR]);
      const attributes = one(draw, [
        [0, 0],
        [1, 8],
        [2, 100],
        [2, 100],
        [3, 5000],
        [0, 5],
      ]) as [number, number];
      return draw(5) === 0 ? call('mqunlink', name()) : call('mqopen', name(), how | one(draw, [0, NONBLOCK, NONBLOCK]), ...attributes);
    }
    case 3:
    case 4:
      return call(
        'mqsend',
        of(MessageQueueFile),
        one(draw, [0, 1, 8, 8, 50, 100, 4500]),
        draw(256),
        one(draw, [0, 0, 1, 5, 32_767, 32_768]),
      );
    case 5:
    case 6:
      return call('mqrecv', of(MessageQueueFile), one(draw, [8, 100, 100, 5000, 8192]));
    case 7:
      return call('mqnotify', of(MessageQueueFile), one(draw, [Signal.USR1, Signal.USR2, Signal.RTMIN + 2, 0]), draw(10));
    case 8:
      return one(draw, [
        call('shmopen', name(), one(draw, [CREAT | RDWR, CREAT | RDWR, CREAT | EXCL | RDWR, RDWR, RDONLY])),
        call('shmopen', name(), CREAT | RDWR),
        call('shmunlink', name()),
        call('mapfd', slot(), of(MemFd), draw(3) === 0 ? 1 : 0),
      ]);
    case 9:
      return one(draw, [
        call('shmget', slot(), draw(3), one(draw, [0, 1, 4096, 5000, 9000]), one(draw, [0, Ipc.CREAT, Ipc.CREAT, Ipc.CREAT | Ipc.EXCL])),
        call('shmrm', slot()),
        call('shmstat', slot()),
      ]);
    case 10:
      return one(draw, [
        call('shmat', slot(), slot(), draw(3) === 0 ? 1 : 0),
        call('shmat', slot(), slot(), draw(3) === 0 ? 1 : 0),
        call('shmdt', slot()),
        call('unmap', slot()),
      ]);
    case 11:
      return draw(2) === 0
        ? call('poke', slot(), one(draw, [0, 3, 4095, 4500]), draw(256))
        : call('peek', slot(), one(draw, [0, 3, 4095, 4500]));
    case 12:
      return free !== undefined ? call(draw(3) === 0 ? 'fork' : 'thread', free) : call('fset', word(), draw(3));
    case 13:
      return call('fwait', word(), draw(2), bits(), scope());
    case 14:
      return one(draw, [
        call('fwake', word(), one(draw, [0, 1, 1, 2, 10]), bits(), scope()),
        call('fwake', word(), one(draw, [0, 1, 1, 2, 10]), bits(), scope()),
        call('fset', word(), draw(3)),
        call('fget', word()),
      ]);
    case 15:
    case 16:
      return one(draw, [
        call('flock', owned()),
        call('flock', owned()),
        call('funlock', owned()),
        call('funlock', owned()),
        call('ftry', owned()),
        call('fwake', owned(), 1, 0xffff_ffff, 0),
      ]);
    default:
      return one(draw, [
        call('fmove', word(), word(), draw(2), draw(3), draw(2), scope()),
        // The second word becomes one more, or 2; wakes there too if it was 0, or above 0.
        call('fop', word(), word(), draw(2), draw(2), one(draw, [0x1000_1000, 0x0000_2000, 0x1400_1000, 0x2100_1000]), scope()),
        workers.idle.length > 1 && draw(3) === 0 ? call('exit') : call('fget', word()),
      ]);
  }
}
