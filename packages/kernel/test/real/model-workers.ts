import type { Cpu } from '@rpal/hw-x86';
import { TaskState } from '@rpal/sched';
import { Errno, MessageFlag, Rlimit, Signal, WaitOption } from '@rpal/uapi';
import { File, type Operation, Pending } from '@rpal/vfs';
import { posix } from '../../../posix/src/index.js';
import { executable, type Machine, type MessageHeader, type Program, type SignalHandler, type Thread } from '../../src/index.js';
import { smallMachine } from '../support.js';
import { type Call, dataResult, hashAt, pattern } from './calls.js';
import type { Interleaving } from './interleaving.js';
import { performIpc, SharedMemory, WORDS } from './model-ipc.js';

/** Processes of a run; the first begins alone, the others are forked. */
export const PROCESSES = 4;
/** RLIMIT_NOFILE of the processes, as in the driver of the real kernel. */
const LIMIT = 40;
/** Where a process keeps the file by which it gets its calls: beyond its limit. */
const CONTROL = 1000;
const BUFFER = 1 << 18;
const FIONREAD = 0x541b;
/** Timers that are due within so many cycles after a call expire as part of it: some 40 ms. */
const HORIZON = 1e8;
/** Calls that start such a timer, or wait by one. */
const EXPIRING: ReadonlySet<string> = new Set(['arm', 'nap']);

/** Signals that handlers have seen: how many of each number, and the order and values of real-time signals. */
interface Seen {
  counts: number[];
  order: number;
}

/** A process id that nobody has. */
const NOBODY = 0x3fff_fffe;

/** Nothing; timers expire; sockets are collected that nobody can receive. */
export type Sequel = '' | 'expire' | 'collect';

/** Executes calls on the model as the driver does on the real kernel, and answers in the same words. */
export class ModelWorkers {
  readonly machine: Machine;
  readonly #commands: (Call | null)[] = Array.from({ length: PROCESSES }, () => null);
  readonly #answers: (string | null)[] = Array.from({ length: PROCESSES }, () => null);
  readonly #threads: (Thread | null)[] = Array.from({ length: PROCESSES }, () => null);
  /** What handlers have seen, by process. */
  readonly #seen: Seen[] = Array.from({ length: PROCESSES }, () => ({ counts: [], order: 0 }));
  /** What they know of shared memory, by process. */
  readonly #memory: SharedMemory[] = Array.from({ length: PROCESSES }, () => new SharedMemory());
  /** Processes by process id, also those that are gone. */
  readonly #numbers = new Map<number, number>();
  readonly #waiting: boolean[] = Array.from({ length: PROCESSES }, () => false);

  /** What the last call leads to, and takes a while on a real kernel. */
  sequel: Sequel = '';

  constructor() {
    this.machine = smallMachine({
      plugins: [posix()],
      idle: 'poll',
      epollNestingCountsUpwards: true,
      unixCloseSkipsEmptyMessage: true,
      unixConnectInheritsOptions: true,
    });
    this.machine.kernel.specialFiles.define('/control', () => new Control(this));
    this.machine.spawn(executable('worker', (p) => this.#worker(p, 0)));
    this.machine.platform.run();
  }

  /** Processes that could be given a call. */
  get idle(): number[] {
    return this.#threads.flatMap((thread, p) => (thread !== null && !this.#waiting[p] ? [p] : []));
  }

  /** Somebody is in a call that has not ended. */
  get someWait(): boolean {
    return this.#threads.some((thread, p) => thread !== null && this.#waiting[p] === true);
  }

  /** Numbers that a fork could give its child. */
  get free(): number[] {
    return this.#threads.flatMap((thread, p) => (thread === null && p > 0 ? [p] : []));
  }

  /** Is a worker the only thread of its process? */
  alone(process: number): boolean {
    return (this.#threads[process] as Thread).process.threads.length === 1;
  }

  /** Are two workers threads of one process? */
  together(process: number, other: number): boolean {
    return (this.#threads[process] as Thread).process === this.#threads[other]?.process;
  }

  files(process: number): Thread['process']['files'] {
    return (this.#threads[process] as Thread).process.files;
  }

  /**
   * @param interleaving the order in which processors step; by default as their clocks say
   * @returns lines as the driver prints them
   */
  execute(call: Call, interleaving?: Interleaving): string[] {
    const { process: p } = call;
    this.#commands[p] = call;
    const thread = this.#threads[p] as Thread;
    const { scheduler } = this.machine.kernel;
    const { cpu } = thread;
    scheduler.wakeUp(cpu, thread);
    const { platform } = this.machine;
    const now = Math.max(...platform.cpus.map(({ clock }) => clock));
    if (cpu.halted) cpu.wake(now);
    const { inFlight } = this.machine.kernel.sockets;
    const { collections } = inFlight;
    const horizon = now + HORIZON;
    if (interleaving === undefined) platform.run(horizon);
    else interleaving.run(platform, horizon);
    // On the real kernel any process of the computer may close a socket, and so start the collector at any time.
    if (inFlight.holdsGarbage) {
      inFlight.released(cpu);
      if (cpu.halted) cpu.wake(horizon);
      platform.run(horizon + HORIZON);
    }
    this.sequel = inFlight.collections > collections ? 'collect' : EXPIRING.has(call.call) ? 'expire' : '';
    const lines = [this.#report('=', p) ?? `~ ${p}`];
    this.#waiting[p] = lines[0] === `~ ${p}`;
    for (let other = 0; other < PROCESSES; other++) {
      if (other === p || this.#threads[other] === null) continue;
      const line = this.#report('+', other);
      if (line === null) continue;
      this.#waiting[other] = false;
      lines.push(line);
    }
    lines.push('.');
    return lines;
  }

  #report(mark: string, p: number): string | null {
    const thread = this.#threads[p] as Thread;
    if (thread.process.exit !== null || !thread.process.threads.includes(thread)) {
      this.#threads[p] = null;
      this.#commands[p] = null;
      this.#answers[p] = null;
      this.#waiting[p] = false;
      return `${mark} ${p} gone`;
    }
    const answer = this.#answers[p] ?? null;
    this.#answers[p] = null;
    return answer === null ? null : `${mark} ${p} ${answer}`;
  }

  /** The call that a process is to make, if there is one. */
  command(thread: Thread): Call | null {
    return this.#commands[this.#threads.indexOf(thread)] ?? null;
  }

  /** @param answer what the program is to answer first: it is the second image of its process */
  *#worker(p: Program, self: number, answer: string | null = null): Generator<void, void> {
    const { thread } = p.context;
    this.#threads[self] = thread;
    // After exec it is still who its parent knows.
    if (thread.pid === thread.process.pid && !this.#numbers.has(thread.pid)) this.#numbers.set(thread.pid, self);
    yield* p.setAffinity([self]);
    if (answer !== null) {
      this.#seen[self] = { counts: [], order: 0 };
      this.#memory[self] = new SharedMemory();
      yield* (this.#memory[self] as SharedMemory).map(p);
      this.#answers[self] = answer;
    } else if (self === 0) {
      const fd = yield* p.open('/control', 0);
      yield* p.dup2(fd, CONTROL);
      yield* p.close(fd);
      const words = yield* p.memfd('words');
      yield* p.ftruncate(words, 4096);
      yield* p.dup2(words, WORDS);
      yield* p.close(words);
      yield* (this.#memory[0] as SharedMemory).map(p);
      thread.process.limits.soft[Rlimit.NOFILE] = LIMIT;
      thread.process.applyLimits();
      yield* p.sigaction(Signal.PIPE, 'ignore');
    }
    const buffer = yield* p.allocate(BUFFER);
    for (;;) {
      while (this.#commands[self] === null) yield* p.read(CONTROL, buffer, 1);
      const call = this.#commands[self] as Call;
      this.#commands[self] = null;
      if (call.call === 'exit') return;
      this.#answers[self] = yield* this.#perform(p, self, buffer, call);
    }
  }

  *#perform(p: Program, self: number, buffer: number, { call, args }: Call): Generator<void, string> {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = args;
    switch (call) {
      case 'pipe':
        return pairResult(p, yield* p.pipe(a));
      case 'socketpair':
        return pairResult(p, yield* p.socketpair(a));
      case 'eventfd':
        return `${yield* p.eventfd(a, b)}`;
      case 'socket':
        return `${yield* p.socket(a)}`;
      case 'bind':
        return `${yield* p.bind(a, `\0${b}`)}`;
      case 'connect':
        return `${yield* p.connect(a, `\0${b}`)}`;
      case 'listen':
        return `${yield* p.listen(a, b)}`;
      case 'accept':
        return `${yield* p.accept(a)}`;
      case 'shutdown':
        return `${yield* p.shutdown(a, b)}`;
      case 'dup':
        return `${yield* p.dup(a)}`;
      case 'dup2':
        return `${yield* p.dup2(a, b)}`;
      case 'fcntl':
        return `${yield* p.fcntl(a, b, c)}`;
      case 'close':
        return `${yield* p.close(a)}`;
      case 'read':
        return yield* dataResult(p, buffer, yield* p.read(a, buffer, b), b);
      case 'recv':
        return yield* dataResult(p, buffer, yield* p.recv(a, buffer, b, c), b);
      case 'badread':
        return `${yield* p.read(a, 8, b)}`;
      case 'badwrite':
        return `${yield* p.write(a, 8, b)}`;
      case 'badwait':
        return `${yield* p.epollWait(a, 8, b, 0)}`;
      case 'waitpid':
        return `${yield* p.wait(-1, a)}`;
      case 'write':
        yield* p.storeBytes(buffer, pattern(b, c));
        return `${yield* p.write(a, buffer, b)}`;
      case 'send':
        yield* p.storeBytes(buffer, pattern(b, c));
        return `${yield* p.send(a, buffer, b, d | MessageFlag.NOSIGNAL)}`;
      case 'sendto':
        yield* p.storeBytes(buffer, pattern(b, c));
        return `${yield* p.sendmsg(a, { segments: [{ address: buffer, length: b }], name: `\0${e}` }, d | MessageFlag.NOSIGNAL)}`;
      case 'pass': {
        yield* p.storeBytes(buffer, pattern(b, c));
        const header = { segments: halves(buffer, b), descriptors: args.slice(5, 5 + e) };
        return `${yield* p.sendmsg(a, header, d | MessageFlag.NOSIGNAL)}`;
      }
      case 'take': {
        const header: MessageHeader = { segments: halves(buffer, b), room: d };
        const n = yield* p.recvmsg(a, header, c);
        if (n < 0) return `${n}`;
        const hash = n > 0 ? yield* hashAt(p, buffer, Math.min(n, b)) : '0';
        const from = header.credentials;
        const sender = from == null ? '' : ` from ${from.pid === p.context.thread.process.pid ? 1 : from.pid === 0 ? 0 : 2} ${from.uid}`;
        return [
          `${n} ${hash} flags ${(header.flags ?? 0).toString(16)}${sender}`,
          ...(header.descriptors ?? []).map((fd) => `fd ${fd}`),
        ].join(' ');
      }
      case 'getopt':
        return `${yield* p.getsockopt(a, b)}`;
      case 'setopt':
        return `${yield* p.setsockopt(a, b, c)}`;
      case 'unread': {
        const failed = yield* p.ioctl(a, FIONREAD, buffer);
        return `${failed < 0 ? failed : yield* p.load32(buffer)}`;
      }
      case 'count':
        yield* p.store32(buffer, c | 0);
        yield* p.store32(buffer + 4, b | 0);
        return `${yield* p.write(a, buffer, 8)}`;
      case 'epoll':
        return `${yield* p.epollCreate()}`;
      case 'ctl':
        return `${yield* p.epollCtl(a, b, c, d, e)}`;
      case 'wait':
        return yield* events(p, buffer, yield* p.epollWait(a, buffer, b, c));
      case 'fork':
        this.#seen[a] = structuredClone(this.#seen[self] as Seen);
        this.#memory[a] = (this.#memory[self] as SharedMemory).copy();
        return (yield* p.fork((child) => this.#worker(child, a))) > 0 ? 'child' : 'no child';
      case 'thread':
        this.#seen[a] = this.#seen[self] as Seen;
        this.#memory[a] = this.#memory[self] as SharedMemory;
        return (yield* p.clone((thread) => this.#worker(thread, a))) > 0 ? 'thread' : 'no thread';
      case 'splice':
        return `${yield* p.splice(a, b, c, d)}`;
      case 'tee':
        return `${yield* p.tee(a, b, c, d)}`;
      case 'readv':
        return yield* dataResult(p, buffer, yield* p.readv(a, halves(buffer, b)), b);
      case 'writev':
        yield* p.storeBytes(buffer, pattern(b, c));
        return `${yield* p.writev(a, halves(buffer, b))}`;
      case 'poll': {
        yield* p.store32(buffer, a);
        yield* p.store32(buffer + 4, b);
        const n = yield* p.poll(buffer, 1, c);
        return `${n} ${(n > 0 ? (yield* p.load32(buffer + 4)) >>> 16 : 0).toString(16)}`;
      }
      case 'kill': {
        const target = this.#threads[a];
        return `${target === null || target === undefined ? -Errno.ESRCH : yield* p.kill(target.process.pid, b)}`;
      }
      case 'action': {
        const seen = this.#seen;
        const threads = this.#threads;
        const handler: SignalHandler = function* (q, signal, value) {
          // The handler is inherited by children.
          const own = seen[threads.indexOf(q.context.thread)] as Seen;
          own.counts[signal] = (own.counts[signal] ?? 0) + 1;
          if (signal >= Signal.RTMIN) own.order = (Math.imul(own.order, 31) + signal * 256 + value) >>> 0;
          yield* q.getpid();
        };
        return `${yield* p.sigaction(a, b === 0 ? 'default' : b === 1 ? 'ignore' : handler, c)}`;
      }
      case 'mask': {
        const old = yield* p.sigprocmask(a, b, c);
        return `0 ${old.toString(16)} ${p.second.toString(16)}`;
      }
      case 'pending':
        return `${(yield* p.sigpending()).toString(16)} ${p.second.toString(16)}`;
      case 'queue':
        return `${yield* p.sigqueue(this.#threads[a]?.process.pid ?? NOBODY, b, c)}`;
      case 'seen': {
        const { counts, order } = this.#seen[self] as Seen;
        return `${[Signal.USR1, Signal.USR2, Signal.CHLD].map((signal) => counts[signal] ?? 0).join(' ')} ${order.toString(16)}`;
      }
      case 'reap': {
        const pid = yield* p.wait(-1, WaitOption.NOHANG | b);
        return pid <= 0 ? `${pid}` : `who ${this.#numbers.get(pid)} ${p.second.toString(16)}`;
      }
      case 'exec':
        return `${yield* p.exec(executable('worker', (q) => this.#worker(q, self, 'execed')))}`;
      case 'timerfd':
        return `${yield* p.timerfd(a)}`;
      case 'arm':
        return `${yield* p.timerfdSettime(a, b, c)}`;
      case 'nap':
        return yield* events(p, buffer, yield* p.epollWait(a, buffer, 16, 4));
      case 'memfd':
        return `${yield* p.memfd('random', a)}`;
      case 'seek':
        return `${yield* p.lseek(a, b, c)}`;
      case 'truncate':
        return `${yield* p.ftruncate(a, b)}`;
      case 'pread':
        return yield* dataResult(p, buffer, yield* p.pread(a, buffer, b, c), b);
      case 'pwrite':
        yield* p.storeBytes(buffer, pattern(b, c));
        return `${yield* p.pwrite(a, buffer, b, d)}`;
      default: {
        const answer = yield* performIpc(p, this.#memory[self] as SharedMemory, buffer, { process: self, call, args });
        if (answer === null) throw new Error(`no call "${call}"`);
        return answer;
      }
    }
  }
}

/** What a process reads from while it has nothing to do. */
class Control extends File {
  readonly #workers: ModelWorkers;

  constructor(workers: ModelWorkers) {
    super(0);
    this.#workers = workers;
  }

  override read(_cpu: Cpu, caller: Thread): number {
    const workers = this.#workers;
    const operation: Operation = {
      step() {
        caller.state = TaskState.RUNNING;
        if (workers.command(caller) !== null) return 0;
        if (caller.signalPending) return -Errno.ERESTARTSYS;
        caller.state = TaskState.INTERRUPTIBLE;
        return Pending.SLEEP;
      },
    };
    caller.operation = operation;
    return Pending.OPERATION;
  }
}

function pairResult(p: Program, first: number): string {
  return first < 0 ? `${first}` : `0 ${first} ${p.second}`;
}

function halves(address: number, length: number): { address: number; length: number }[] {
  const half = length >> 1;
  return [
    { address, length: half },
    { address: address + half, length: length - half },
  ];
}

function* events(p: Program, buffer: number, n: number): Generator<void, string> {
  let text = `${n}`;
  for (let i = 0; i < n; i++) {
    const at = buffer + 12 * i;
    text += ` ${yield* p.load32(at + 4)}:${(yield* p.load32(at)).toString(16)}`;
  }
  return text;
}
