import type { Routine } from '@rpal/compare';
import { done, type Program } from '@rpal/kernel';
import { EPOLL_EVENT_SIZE, Epoll, Errno, MessageFlag, Poll } from '@rpal/uapi';
import { HEADER, looksAtText } from '../library/message.js';
import { BusStep } from '../steps.js';

/** Bytes that libdbus reads at a time, twice each time that a descriptor is ready. */
const CHUNK = 2048;

/** Bytes of memory that a stream of messages of up to `room` bytes needs. */
export function streamRoom(room: number): number {
  return 2 * room + 4 * CHUNK;
}

/** A descriptor's stream of messages, each of which begins with its own length. */
export class MessageStream {
  readonly #p: Program;
  readonly #fd: number;
  readonly #memory: number;
  readonly #end: number;
  /** Waits until the descriptor is readable. */
  readonly #ready: () => Routine;
  /** Where the first message begins that has not been dropped, and how many bytes are there from it on. */
  #begin: number;
  #filled = 0;

  constructor(p: Program, fd: number, memory: number, room: number, ready: () => Routine) {
    this.#p = p;
    this.#fd = fd;
    this.#memory = memory;
    this.#end = memory + streamRoom(room);
    this.#begin = memory;
    this.#ready = ready;
  }

  /** Where the next message is; valid until it is dropped. */
  get address(): number {
    return this.#begin;
  }

  /** A whole message is there already. @returns its length, or 0 */
  *there(): Routine<number> {
    if (this.#filled < 8) return 0;
    const length = yield* this.#p.load64(this.#begin);
    return this.#filled >= length ? length : 0;
  }

  /** Waits for the next message. @returns its length; 0 at the end of the stream */
  *next(): Routine<number> {
    for (;;) {
      const length = yield* this.there();
      if (length > 0) return length;
      yield* this.#ready();
      if (!(yield* this.#fill())) return 0;
    }
  }

  /** Reads twice, as libdbus does. @returns false at the end of the stream */
  *#fill(): Routine<boolean> {
    if (this.#begin + this.#filled + 2 * CHUNK > this.#end) {
      yield* this.#p.memcpy(this.#memory, this.#begin, this.#filled);
      this.#begin = this.#memory;
    }
    for (let i = 0; i < 2; i++) {
      const n = yield* this.#p.recv(this.#fd, this.#begin + this.#filled, CHUNK, MessageFlag.DONTWAIT);
      if (n === -Errno.EAGAIN) break;
      if (done('recvmsg', n) === 0) return false;
      this.#filled += n;
    }
    return true;
  }

  /** The first message has been dealt with. */
  drop(length: number): void {
    this.#filled -= length;
    this.#begin = this.#filled === 0 ? this.#memory : this.#begin + length;
  }
}

/** A stream whose reader waits by poll. @param pollfd where the argument of poll is kept @param memory of `streamRoom(room)` bytes */
export function* polledStream(p: Program, fd: number, pollfd: number, memory: number, room: number): Routine<MessageStream> {
  yield* p.store32(pollfd, fd);
  yield* p.store32(pollfd + 4, Poll.IN);
  return new MessageStream(p, fd, memory, room, function* () {
    done('poll', yield* p.poll(pollfd, 1, -1));
  });
}

/**
 * dbus-daemon, as far as messages between connections that are known go: it waits by epoll, reads a message, looks whether it is well
 * formed, finds its destination, and writes it there. It ends when all connections have been closed.
 * @param fds its end of each connection @param to to which of them a message from one of them goes: their indexes
 */
export function* daemon(p: Program, fds: readonly number[], room: number, to: (from: number) => readonly number[]): Routine {
  const epfd = done('epoll_create1', yield* p.epollCreate());
  const each = streamRoom(room);
  const events = done('mmap', yield* p.allocate(4096 + fds.length * each));
  yield* p.memset(events, 0, 4096 + fds.length * each);
  for (const fd of fds) done('epoll_ctl', yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN));
  const streams = fds.map((fd, i) => new MessageStream(p, fd, events + 4096 + i * each, room, nothing));
  for (let open = fds.length; open > 0; ) {
    const ready = done('epoll_wait', yield* p.epollWait(epfd, events, 64, -1));
    for (let i = 0; i < ready; i++) {
      const fd = yield* p.load32(events + i * EPOLL_EVENT_SIZE + 4);
      const from = fds.indexOf(fd);
      const stream = streams[from] as MessageStream;
      let length = yield* stream.next();
      if (length === 0) {
        done('epoll_ctl', yield* p.epollCtl(epfd, Epoll.CTL_DEL, fd, 0));
        open--;
      }
      for (; length > 0; length = yield* stream.there()) {
        const { cpu } = p.context;
        cpu.charge(BusStep.route);
        cpu.charge(BusStep.routeValidate);
        looksAtText(p, length - HEADER);
        for (const destination of to(from)) yield* sendAll(p, fds[destination] as number, stream.address, length);
        stream.drop(length);
      }
    }
  }
}

/** Writes a whole message. */
export function* sendAll(p: Program, fd: number, address: number, length: number): Routine {
  for (let sent = 0; sent < length; ) {
    sent += done('sendmsg', yield* p.sendmsg(fd, { segments: [{ address: address + sent, length: length - sent }] }));
  }
}

function* nothing(): Routine {}
