import { remotePage } from '@rpal/mm';
import { At, Epoll, Ipc, MapFlag, LinuxCall as Nr, OpenFlag, Poll, Prot, Rlimit, Signal, SocketType, WaitOption } from '@rpal/uapi';
import { executable, type Machine, type Process, type Program, Time } from '../../src/index.js';
import { callInC } from './call-in-c.js';
import { type EdgeCase, Helper } from './edge-cases.js';
import { Id, type Register } from './edge-kinds.js';
import { B, N, PAGE, R, S, T, TEMPLATE } from './edge-memory.js';
import { Mode } from './edge-signatures.js';
import { dropRights, LIMITS, linuxModel } from './linux-model.js';

const LIMIT = 64;
const PENDING = 100;
const CAP_SYS_TIME = 25;
const IPC_INFO = 3;
const DOT = 0x2e;
/** A case that has not got on for so long sleeps. */
const PATIENCE = 12 * Time.ms;
/** What no case takes, TSC cycles. */
const LONGEST = 1e9;
const PATTERN = Uint8Array.from({ length: 2 * PAGE }, (_, i) => i * 7 + 1);
const TEMPLATE_BYTES = new Uint8Array(TEMPLATE.buffer);
const NOTHING = new Uint8Array(2 * PAGE);
/** Room of the case's own: with what is written into files. */
const SCRATCH = 0x20_0000_0000;
const RESTORE = SCRATCH + 4 * PAGE;

const Wait = { SLEEPS: -1 } as const;

/** Executes cases on the model as `edges.c` does on the real kernel, and answers in the same words. */
export class EdgeModel {
  readonly machine: Machine = linuxModel();
  #case: EdgeCase | null = null;
  #answers: string[] = [];
  #ending = '';
  readonly #nextIds = { segment: 0, semaphores: 0, letters: 0 };

  constructor() {
    this.machine.spawn(executable('edges', (p) => this.#serve(p)));
  }

  /** @returns what it comes to; a text that begins with "threw" if the model itself failed: it can then not be used again */
  execute(made: EdgeCase): string {
    this.#case = made;
    this.#answers = [];
    this.#ending = '';
    try {
      const { platform } = this.machine;
      for (const end = platform.now + LONGEST; this.#case !== null; ) {
        platform.run(platform.now + 1e7);
        if (platform.now > end) throw new Error('the case does not end');
      }
    } catch (error) {
      return `${this.#answers.join('')}threw ${error instanceof Error ? error.stack?.split('\n').slice(0, 4).join(' ') : error}`;
    }
    return this.#answers.join('') + this.#ending;
  }

  *#serve(p: Program): Generator<void, void> {
    yield* p.mmap(SCRATCH, 16 * PAGE, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.FIXED);
    const map = (at: number, prot: number, flags: number) => p.mmap(at, 2 * PAGE, prot, flags | MapFlag.ANONYMOUS | MapFlag.FIXED);
    yield* map(B, Prot.READ | Prot.WRITE, MapFlag.PRIVATE);
    yield* map(R, Prot.READ, MapFlag.PRIVATE);
    yield* map(N, 0, MapFlag.PRIVATE);
    yield* map(S, Prot.READ | Prot.WRITE, MapFlag.SHARED);
    yield* map(T, Prot.READ | Prot.WRITE, MapFlag.PRIVATE);
    yield* p.storeBytes(B, PATTERN);
    yield* p.storeBytes(T, TEMPLATE_BYTES);
    yield* p.storeBytes(RESTORE, PATTERN);
    // An empty tree, and nobody may put limits up or set the clock, as in the driver.
    yield* p.umask(0o022);
    // The driver's own descriptors lie beyond those of the cases.
    yield* p.dup2(yield* p.eventfd(0), 202);
    yield* p.close(0);
    yield* p.mkdir('/own', 0o755);
    yield* p.chroot('/own');
    yield* p.chdir('/');
    yield* makeRoot(p);
    dropRights(p, LIMITS | (1 << CAP_SYS_TIME));
    for (;;) {
      while (this.#case === null) yield* p.sleep(10 * Time.us);
      const made: EdgeCase = this.#case;
      yield* p.storeBytes(S, new Uint8Array(2 * PAGE));
      const pid = yield* p.fork((c) => this.#runCase(c, made));
      this.#ending = yield* this.#finish(p, pid, made);
      this.#case = null;
    }
  }

  /** Waits until a case has ended, or sleeps; ends what it has left behind. @returns what is said of that */
  *#finish(p: Program, pid: number, { helpers, calls }: EdgeCase): Generator<void, string> {
    let status: number = Wait.SLEEPS;
    let done = -1;
    for (let slept = 0; slept < PATIENCE; slept += 0.2 * Time.ms) {
      if ((yield* p.wait(pid, WaitOption.NOHANG)) === pid) {
        status = p.second;
        break;
      }
      yield* p.sleep(0.2 * Time.ms);
      if (this.#answers.length !== done) slept = 0;
      done = this.#answers.length;
    }
    const { kernel } = this.machine;
    const own = p.context.thread.process;
    for (const process of [...kernel.processes]) if (process !== own) yield* p.kill(process.pid, Signal.KILL);
    while ((yield* p.wait()) > 0);
    yield* this.#removeIpc(p);
    if ((helpers & Helper.TREE) !== 0) {
      const root = yield* p.open('/', OpenFlag.DIRECTORY);
      yield* clearDirectory(p, root);
      yield* p.close(root);
      yield* makeRoot(p);
    }
    const killed = status !== Wait.SLEEPS && (status & 0x7f) !== 0;
    if (this.#answers.length < calls.length) {
      if (status === Wait.SLEEPS) return 'sleeps';
      return killed ? `killed ${status & 0x7f}` : `exit ${status >> 8}`;
    }
    return status === Wait.SLEEPS ? 'stays' : killed ? `killed ${status & 0x7f}` : '';
  }

  /** Segments, semaphores and queues outlive those who made them. Their ids ascend. */
  *#removeIpc(p: Program): Generator<void, void> {
    const next = this.#nextIds;
    for (let misses = 0, id = next.segment; misses < 4; id++) {
      if ((yield* p.shmctl(id, Ipc.RMID)) < 0) misses++;
      else next.segment = id + 1;
    }
    const lastSet = yield* p.syscall(Nr.semctl, 0, 0, IPC_INFO, SCRATCH);
    for (let id = next.semaphores; id <= lastSet; id++)
      if ((yield* p.syscall(Nr.semctl, id, 0, Ipc.RMID, 0)) === 0) next.semaphores = id + 1;
    const lastQueue = yield* p.syscall(Nr.msgctl, 0, IPC_INFO, SCRATCH);
    for (let id = next.letters; id <= lastQueue; id++) if ((yield* p.syscall(Nr.msgctl, id, Ipc.RMID, 0)) === 0) next.letters = id + 1;
  }

  *#runCase(p: Program, { helpers, calls }: EdgeCase): Generator<void, number> {
    const ids: number[] = [];
    yield* raw(p, Nr.setsid);
    yield* p.prlimit(Rlimit.NOFILE, LIMIT);
    yield* p.prlimit(Rlimit.CORE, 0);
    yield* p.prlimit(Rlimit.CPU, 3);
    yield* p.prlimit(Rlimit.SIGPENDING, PENDING);
    yield* this.#prepareFiles(p);
    yield* this.#prepareHelpers(p, helpers, ids);
    const value = (register: Register): number => (typeof register === 'string' ? (ids[Number(register.slice(1))] ?? 0) : Number(register));
    for (const { nr, mode, registers } of calls) {
      const [a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0] = registers.map(value);
      const result = yield* raw(p, nr, a0, a1, a2, a3, a4, a5);
      let hash = 0;
      if ((mode & Mode.SCRUB) !== 0) restore(p);
      else hash = hashMemory(p);
      this.#answers.push(`${Number.isSafeInteger(result) ? result : BigInt(result)} ${hash.toString(16)} `);
    }
    return 99;
  }

  *#prepareFiles(p: Program): Generator<void, void> {
    yield* p.ftruncate(yield* p.memfd('m'), 3 * PAGE);
    yield* p.pwrite(0, RESTORE, 2 * PAGE, 0);
    yield* p.pipe();
    yield* p.write(2, RESTORE, 100);
    yield* p.socketpair(SocketType.STREAM);
    yield* p.write(4, RESTORE, 50);
    yield* p.socketpair(SocketType.DGRAM);
    yield* p.write(6, RESTORE, 20);
    yield* p.socket(SocketType.STREAM);
    yield* p.bind(7, '\0edge');
    yield* p.listen(7, 2);
    yield* p.socket(SocketType.STREAM);
    yield* p.eventfd(3);
    yield* p.timerfd();
    yield* p.epollCreate();
    yield* p.epollCtl(11, Epoll.CTL_ADD, 1, Poll.IN, 0x1234_5678);
    yield* p.signalfd(1 << (Signal.USR2 - 1));
    yield* p.mqOpen('/edge', OpenFlag.RDWR | OpenFlag.CREAT, { maxMessages: 4, messageSize: 64 });
    yield* p.mqUnlink('/edge');
    yield* p.mqSend(13, RESTORE, 3, 1);
    yield* p.pidfdOpen(yield* p.getpid());
    yield* p.socketpair(SocketType.SEQPACKET);
    yield* p.pipe(OpenFlag.NONBLOCK);
    yield* p.eventfd(0, OpenFlag.NONBLOCK);
  }

  *#prepareHelpers(p: Program, helpers: number, ids: number[]): Generator<void, void> {
    ids[Id.SELF] = yield* p.getpid();
    ids[Id.PARENT] = yield* p.getppid();
    if ((helpers & Helper.CHILD) !== 0) {
      ids[Id.LIVING] = yield* p.fork(function* (c) {
        for (;;) yield* c.pause();
      });
    }
    if ((helpers & Helper.ZOMBIE) !== 0) {
      ids[Id.DEAD] = yield* p.fork(function* (c) {
        yield* c.getpid();
        return 5;
      });
      const dead = this.machine.kernel.processes.get(ids[Id.DEAD] as number) as Process;
      while (dead.exit === null || dead.threads.length > 0) yield* p.sleep(10 * Time.us);
    }
    if ((helpers & Helper.REAPED) !== 0) {
      const gone = yield* p.fork(function* (c) {
        yield* c.getpid();
        return 5;
      });
      ids[Id.GONE] = gone;
      yield* p.wait(gone);
    }
    if ((helpers & Helper.THREAD) !== 0) {
      ids[Id.OTHER_THREAD] = yield* p.clone(function* (c) {
        for (;;) yield* c.pause();
      });
      yield* p.sleep(50 * Time.us);
    }
    if ((helpers & Helper.SEGMENT) !== 0) ids[Id.SHM] = yield* p.syscall(Nr.shmget, 0, 2 * PAGE, 0o1600);
    if ((helpers & Helper.SEMAPHORES) !== 0) ids[Id.SEMAPHORES] = yield* p.syscall(Nr.semget, 0, 2, 0o1600);
    if ((helpers & Helper.LETTERS) !== 0) {
      const queue = yield* p.syscall(Nr.msgget, 0, 0o1600);
      yield* p.store64(SCRATCH, 1);
      yield* p.storeBytes(SCRATCH + 8, PATTERN.subarray(0, 4));
      yield* p.syscall(Nr.msgsnd, queue, SCRATCH, 4, 0);
      ids[Id.LETTERS] = queue;
    }
    if ((helpers & Helper.TREE) !== 0) yield* prepareTree(p);
  }
}

function* makeFile(p: Program, path: string): Generator<void, void> {
  const fd = yield* p.open(path, OpenFlag.RDWR | OpenFlag.CREAT, 0o644);
  yield* p.write(fd, RESTORE, 100);
  yield* p.close(fd);
}

/** As in the driver. */
function* prepareTree(p: Program): Generator<void, void> {
  yield* makeFile(p, 'file');
  yield* p.mkdir('dir', 0o755);
  yield* makeFile(p, 'dir/inner');
  yield* p.symlink('file', 'link');
  yield* p.symlink('nowhere', 'dangling');
  yield* p.symlink('loop', 'loop');
  yield* p.mknod('fifo', 0o10_644);
  yield* p.open('dir', OpenFlag.DIRECTORY);
  yield* p.open('file', OpenFlag.RDWR);
  yield* p.syscall(Nr.inotify_init1, OpenFlag.NONBLOCK);
}

function* makeRoot(p: Program): Generator<void, void> {
  yield* p.chmod('/', 0o755);
  yield* p.chown('/', 0, 0);
  yield* p.mkdir('/dev', 0o755);
  yield* p.mkdir('/dev/shm', 0o1777);
}

/** Removes what is in a directory: names are bytes, and need not be text. */
function* clearDirectory(p: Program, fd: number): Generator<void, void> {
  const NAME = SCRATCH + 3 * PAGE;
  const bytes = new Uint8Array(2 * PAGE);
  for (;;) {
    const n = yield* p.getdents(fd, SCRATCH, bytes.length);
    if (n <= 0) break;
    yield* p.loadBytes(SCRATCH, bytes);
    const names: Uint8Array[] = [];
    for (let at = 0; at < n; at += new DataView(bytes.buffer).getUint16(at + 16, true)) {
      const name = bytes.slice(at + 19, bytes.indexOf(0, at + 19) + 1);
      if (name[0] !== DOT || (name[1] !== 0 && (name[1] !== DOT || name[2] !== 0))) names.push(name);
    }
    for (const name of names) {
      yield* p.storeBytes(NAME, name);
      if ((yield* raw(p, Nr.unlinkat, fd, NAME, 0)) === 0) continue;
      const inner = yield* raw(p, Nr.openat, fd, NAME, OpenFlag.DIRECTORY);
      yield* clearDirectory(p, inner);
      yield* p.close(inner);
      yield* p.storeBytes(NAME, name);
      yield* raw(p, Nr.unlinkat, fd, NAME, At.REMOVEDIR);
    }
  }
}

/** A system call as a program in C makes it; a child that it begins ends at once. */
function raw(p: Program, nr: number, ...registers: readonly number[]): Generator<void, number> {
  return callInC(p, nr, registers, function* (c) {
    yield* c.getpid();
  });
}

/** Puts back what is in the pages of a case, as far as they may be written. */
function restore(p: Program): void {
  for (const [at, bytes] of [
    [T, TEMPLATE_BYTES],
    [B, PATTERN],
    [S, NOTHING],
  ] as const) {
    for (let offset = 0; offset < bytes.length; offset += PAGE) {
      const page = bytes.subarray(offset, offset + PAGE);
      if (readPage(p, at + offset) && page.every((byte, i) => byte === PAGE_BYTES[i])) continue;
      const { cpu, memory } = p.context.thread;
      const frame = remotePage(cpu, memory, at + offset, true);
      if (frame >= 0) cpu.memory.store(frame, page);
    }
  }
}

/** As in the driver: FNV-1a of 32-bit words; pages that are not there, or may not be read, are part of it. */
function hashMemory(p: Program): number {
  let h = 2166136261;
  for (const page of [B, B + PAGE, S, T, T + PAGE]) {
    if (readPage(p, page)) for (const word of PAGE_WORDS) h = Math.imul(h ^ word, 16777619);
    else h = Math.imul(h ^ 0xdead, 16777619);
  }
  return h >>> 0;
}

const PAGE_BYTES = new Uint8Array(PAGE);
const PAGE_WORDS = new Int32Array(PAGE_BYTES.buffer);

/** Reads a page as process_vm_readv does, without the time that it takes. @returns false if there is none, or it may not be read */
function readPage(p: Program, address: number): boolean {
  const { cpu, memory } = p.context.thread;
  const frame = remotePage(cpu, memory, address, false);
  if (frame >= 0) cpu.memory.load(frame, PAGE_BYTES);
  return frame >= 0;
}
