import { Futex, Ipc, MapFlag, OpenFlag, Prot, Shm } from '@rpal/uapi';
import { type Program, SyscallNumber } from '../../src/index.js';
import { type Call, dataResult, pattern } from './calls.js';

/** Where a process keeps the file with the words that all workers share: beyond its limit, as the control file. */
export const WORDS = 1001;
const PAGE = 4096;
/** The answer of both sides where there is no piece of memory to work on, or one already: no result of a system call. */
const NOTHING_THERE = -1000;
/** Where System V identifiers and modes are in `struct shmid_ds`. */
const Status = { mode: 20, size: 48, attached: 88 } as const;

interface Piece {
  readonly address: number;
  readonly bytes: number;
  readonly writable: boolean;
}

/** What a process knows of shared memory: its children inherit it, exec loses it. */
export class SharedMemory {
  /** Address of the words. */
  words = 0;
  readonly segments: number[] = [-1, -1, -1, -1];
  readonly pieces: (Piece | null)[] = [null, null, null, null];

  copy(): SharedMemory {
    const copy = new SharedMemory();
    copy.words = this.words;
    copy.segments.splice(0, 4, ...this.segments);
    copy.pieces.splice(0, 4, ...this.pieces);
    return copy;
  }

  *map(p: Program): Generator<void, void> {
    this.words = yield* p.mmap(0, PAGE, Prot.READ | Prot.WRITE, MapFlag.SHARED, WORDS);
  }
}

/** The calls that are about shared memory, message queues, signal files and futexes; null for others. */
export function* performIpc(p: Program, memory: SharedMemory, buffer: number, { call, args }: Call): Generator<void, string | null> {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
  const { segments, pieces } = memory;
  const word = (index: number) => memory.words + 4 * index;
  switch (call) {
    case 'signalfd':
      return `${yield* p.signalfd(b, c, a, d)}`;
    case 'mqopen':
      return `${yield* p.mqOpen(`/random-${a}`, b, c === 0 ? null : { maxMessages: c, messageSize: d })}`;
    case 'mqunlink':
      return `${yield* p.mqUnlink(`/random-${a}`)}`;
    case 'mqsend':
      yield* p.storeBytes(buffer, pattern(b, c));
      return `${yield* p.mqSend(a, buffer, b, d)}`;
    case 'mqrecv': {
      const n = yield* p.mqReceive(a, buffer, b);
      const priority = p.second;
      const data = yield* dataResult(p, buffer, n, b);
      return n >= 0 ? `${data} prio ${priority}` : data;
    }
    case 'mqnotify':
      return `${yield* p.mqNotify(a, b, c)}`;
    case 'shmopen':
      return `${yield* p.open(`/dev/shm/random-${a}`, b | OpenFlag.CLOEXEC)}`;
    case 'shmunlink':
      return `${yield* p.unlink(`/dev/shm/random-${a}`)}`;
    case 'shmget': {
      const id = yield* p.shmget(0x5200_0000 + b, c, d | 0o600);
      if (id >= 0) segments[a] = id;
      return `${Math.min(id, 0)}`;
    }
    case 'shmat': {
      if (pieces[b] !== null) return `${NOTHING_THERE}`;
      const id = segments[a] as number;
      const bytes = (yield* p.shmctl(id, Ipc.STAT, buffer)) < 0 ? 0 : yield* p.load64(buffer + Status.size);
      const address = yield* p.shmat(id, 0, c !== 0 ? Shm.RDONLY : 0);
      if (address < 0) return `${address}`;
      pieces[b] = { address, bytes, writable: c === 0 };
      return '0';
    }
    case 'mapfd': {
      if (pieces[a] !== null) return `${NOTHING_THERE}`;
      const address = yield* p.mmap(0, 2 * PAGE, Prot.READ | (c !== 0 ? 0 : Prot.WRITE), MapFlag.SHARED, b);
      if (address < 0) return `${address}`;
      pieces[a] = { address, bytes: 2 * PAGE, writable: c === 0 };
      return '0';
    }
    case 'shmdt':
    case 'unmap': {
      const piece = pieces[a];
      if (piece === null || piece === undefined) return `${NOTHING_THERE}`;
      const failed = yield* call === 'shmdt' ? p.shmdt(piece.address) : p.munmap(piece.address, piece.bytes);
      if (failed === 0) pieces[a] = null;
      return `${failed}`;
    }
    case 'shmrm':
      return `${yield* p.shmctl(segments[a] as number, Ipc.RMID)}`;
    case 'shmstat': {
      const failed = yield* p.shmctl(segments[a] as number, Ipc.STAT, buffer);
      if (failed < 0) return `${failed}`;
      const [size, attached] = [yield* p.load64(buffer + Status.size), yield* p.load64(buffer + Status.attached)];
      return `0 size ${size} attached ${attached} mode ${(yield* p.load32(buffer + Status.mode)).toString(16)}`;
    }
    case 'poke':
    case 'peek': {
      const piece = pieces[a];
      if (piece === null || piece === undefined || b >= piece.bytes || (call === 'poke' && !piece.writable)) return `${NOTHING_THERE}`;
      if (call === 'peek') return `${yield* p.load8(piece.address + b)}`;
      yield* p.store8(piece.address + b, c);
      return '0';
    }
    case 'fset':
      yield* p.store32(word(a), b);
      return '0';
    case 'fget':
      return `${yield* p.load32(word(a))}`;
    case 'fwait':
      return `${yield* p.syscall(SyscallNumber.futex, word(a), Futex.WAIT_BITSET | d, b, -1, 0, c)}`;
    case 'fwake':
      return `${yield* p.syscall(SyscallNumber.futex, word(a), Futex.WAKE_BITSET | d, b, 0, 0, c)}`;
    case 'flock':
      return `${yield* p.syscall(SyscallNumber.futex, word(a), Futex.LOCK_PI, 0, -1)}`;
    case 'ftry':
      return `${yield* p.syscall(SyscallNumber.futex, word(a), Futex.TRYLOCK_PI)}`;
    case 'funlock':
      return `${yield* p.syscall(SyscallNumber.futex, word(a), Futex.UNLOCK_PI)}`;
    case 'fmove':
      return `${yield* p.syscall(SyscallNumber.futex, word(a), Futex.CMP_REQUEUE | f, c, d, word(b), e)}`;
    case 'fop':
      return `${yield* p.syscall(SyscallNumber.futex, word(a), Futex.WAKE_OP | f, c, d, word(b), e)}`;
    default:
      return null;
  }
}
