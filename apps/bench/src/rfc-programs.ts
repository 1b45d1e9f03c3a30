import { done, exactly, type Program, Time } from '@rpal/kernel';
import { EPOLLRPALIN, type LibraryBuild, librpal, QUEUE_WORDS } from '@rpal/librpal';
import { EPOLL_EVENT_SIZE, Epoll, Poll, SocketType } from '@rpal/uapi';
import type { Meter } from './meter.js';
import { check, fail } from './outcome.js';

/** Client and server of the RFC's sample (patch 35), for one connection each. */

export const SOCKET_PATH = '/tmp/rpal_sample.sock';
/** Events that the server asks for, as the sample does. */
const PLAIN_EVENTS = Poll.IN | Poll.RDHUP | Epoll.ET;
const BUFFER_BYTES = 1025;
/** What follows the stamp in a message. */
const FILLER = 0x2e;
/** Where, behind the echo's buffer, the handshake's notes are written. */
const HANDSHAKE = 4096 + 2048;

/** What the programs are told from outside, and tell each other. */
export interface Experiment {
  readonly messages: number;
  readonly size: number;
  /** What the compiler made of the library that both are linked with. */
  readonly build: LibraryBuild;
  /** What printing the stamp writes: 19 with the zero of sprintf, in the place of the first filler character, or 18. */
  readonly stampBytes: 18 | 19;
  /** The run is to end. */
  stopRequested: boolean;
  /** The client has taken notice: there will be no further connection. Set before it hangs up. */
  stopped: boolean;
}

/** Words of eight bytes that a message takes in the RPAL phase: the last one is padded. */
export function wordsOf(size: number): number {
  return Math.ceil(size / 8);
}

/** Connects to the listening server. */
function* connect(p: Program): Generator<void, number> {
  const fd = done('client: socket', yield* p.socket(SocketType.STREAM));
  const result = yield* p.connect(fd, SOCKET_PATH);
  if (result !== 0) fail(`client: connect failed with ${result}`);
  return fd;
}

/** Buffers of a client: the message, and the echo. */
function* clientBuffers(p: Program, size: number): Generator<void, readonly [number, number]> {
  const memory = done('client: mmap', yield* p.allocate(8192));
  yield* p.memset(memory, FILLER, size);
  yield* p.memset(memory + 4096, 0, size);
  return [memory, memory + 4096];
}

/** Hangs up; from here on the server knows whether another connection will come. */
function* hangUp(p: Program, fd: number, experiment: Experiment): Generator<void, void> {
  experiment.stopped = experiment.stopRequested;
  exactly('close', yield* p.close(fd), 0);
}

export function* epollClient(p: Program, meter: Meter, experiment: Experiment): Generator<void, void> {
  const { messages, size, stampBytes } = experiment;
  const fd = yield* connect(p);
  const [message, echo] = yield* clientBuffers(p, size);
  exactly('client: nanosleep', yield* p.sleep(Time.ms), 0);
  for (let i = 0; i < messages && !experiment.stopRequested; i++) {
    const stamp = p.rdtsc();
    meter.sent();
    yield* p.sprintfStamp(message, stamp, stampBytes);
    const sent = yield* p.write(fd, message, size);
    if (sent !== size) fail(`client: send returned ${sent}`);
    for (let got = 0; got < size; ) {
      const n = yield* p.read(fd, echo + got, size - got);
      if (n <= 0) fail(`client: read returned ${n}`);
      got += n;
    }
    if ((yield* p.memcmp(echo, message, size)) !== 0) fail(`client: message ${i} came back changed`);
    meter.returned();
  }
  yield* hangUp(p, fd, experiment);
}

export function* epollServer(p: Program, listener: number, meter: Meter, { size }: Experiment): Generator<void, void> {
  const fd = done('server: accept', yield* p.accept(listener));
  const epfd = done('server: epoll_create1', yield* p.epollCreate());
  exactly('server: epoll_ctl', yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, PLAIN_EVENTS), 0);
  const buffer = done('server: mmap', yield* p.allocate(8192));
  const events = buffer + 4096;
  for (;;) {
    const count = yield* p.epollWait(epfd, events, 16, -1);
    if (count !== 1) fail(`server: epoll_wait returned ${count}`);
    yield* p.memset(buffer, 0, BUFFER_BYTES);
    const n = yield* p.read(fd, buffer, BUFFER_BYTES - 1);
    if (n === 0) break;
    if (n !== size) fail(`server: read returned ${n}`);
    takeStamp(p, meter, yield* p.sscanfStamp(buffer));
    const sent = yield* p.write(fd, buffer, size);
    if (sent !== size) fail(`server: send returned ${sent}`);
  }
  exactly('close', yield* p.close(fd), 0);
  exactly('close', yield* p.close(epfd), 0);
}

/** The client's stamp has been parsed: takes the own one, and counts. */
function takeStamp(p: Program, meter: Meter, stamp: number): void {
  check(stamp >= 0, 'server: the message does not begin with a stamp');
  meter.received(stamp, p.rdtsc());
}

/** Steps 1 to 6 of the sample's RPAL phase, then the messages. */
export function* rpalClient(p: Program, meter: Meter, experiment: Experiment): Generator<void, void> {
  const { messages, size, build, stampBytes } = experiment;
  const fd = yield* connect(p);
  const lib = librpal(p, { build });
  if ((yield* lib.init(1)) < 0) fail(`client: rpal_init failed with ${lib.error}`);
  const [message, echo] = yield* clientBuffers(p, size);
  const note = message + HANDSHAKE;
  yield* p.storeBytes(note, new TextEncoder().encode('INIT'));
  yield* p.store32(note + 4, lib.process.key);
  yield* p.store32(note + 8, 0);
  exactly('client: write of the introduction', yield* p.write(fd, note, 12), 12);
  check((yield* p.read(fd, note, 8)) === 8, 'client: no key from the server');
  const key = yield* p.load64(note);
  check(key !== 0, 'client: the server could not request us');
  check((yield* lib.requestService(key)) === 0, 'client: rpal_request_service failed');
  yield* p.storeBytes(note, new TextEncoder().encode('SUCC'));
  exactly('client: write of SUCC', yield* p.write(fd, note, 4), 4);
  if ((yield* lib.senderInit()) !== 0) fail(`client: rpal_sender_init failed with ${lib.error}`);
  const epfd = done('epoll_create1', yield* p.epollCreate());
  exactly('rpal_epoll_ctl', yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, PLAIN_EVENTS | EPOLLRPALIN), 0);
  exactly('client: nanosleep', yield* p.sleep(3 * Time.s), 0);
  const serviceId = lib.requestedServiceId(key);
  const far = yield* lib.udsFdmap(serviceId, fd);
  check(far !== null, 'client: rpal_uds_fdmap found no receiver');
  const words = wordsOf(size);
  for (let i = 0; i < messages && !experiment.stopRequested; i++) {
    const stamp = p.rdtsc();
    meter.sent();
    yield* p.sprintfStamp(message, stamp, stampBytes);
    for (let sent = 0; sent < words; sent += QUEUE_WORDS) {
      const part = Math.min(words - sent, QUEUE_WORDS);
      const written = yield* lib.writePtrs(serviceId, far, message + 8 * sent, part);
      if (written !== part) fail(`client: rpal_write_ptrs returned ${written}`);
    }
    const n = yield* p.read(fd, echo, size);
    if (n !== size) fail(`client: read returned ${n}`);
    if ((yield* p.memcmp(echo, message, size)) !== 0) fail(`client: message ${i} came back changed`);
    meter.returned();
  }
  yield* hangUp(p, fd, experiment);
}

export function* rpalServer(p: Program, listener: number, meter: Meter, { size, build }: Experiment): Generator<void, void> {
  const fd = done('server: accept', yield* p.accept(listener));
  const lib = librpal(p, { build });
  if ((yield* lib.init(1)) < 0) fail(`server: rpal_init failed with ${lib.error}`);
  const epfd = done('epoll_create1', yield* p.epollCreate());
  exactly('rpal_epoll_ctl', yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, PLAIN_EVENTS | EPOLLRPALIN), 0);
  const buffer = done('server: mmap', yield* p.allocate(8192));
  const events = buffer + 4096;
  check((yield* p.read(fd, buffer, 12)) === 12, 'server: no INIT');
  const key = yield* p.load32(buffer + 4);
  const requested = (yield* lib.requestService(key)) === 0;
  yield* p.store64(buffer, requested ? lib.process.key : 0);
  exactly('server: write of the key', yield* p.write(fd, buffer, 8), 8);
  check((yield* p.read(fd, buffer, 4)) === 4, 'server: no SUCC');
  check((yield* lib.receiverInit()) >= 0, 'server: rpal_receiver_init failed');
  const words = wordsOf(size);
  let got = 0;
  for (;;) {
    const count = yield* lib.epollWait(epfd, events, 16, -1);
    if (count < 0) fail(`server: rpal_epoll_wait returned ${count}`);
    for (let i = 0; i < count; i++) {
      const bits = yield* p.load32(events + i * EPOLL_EVENT_SIZE);
      if ((bits & EPOLLRPALIN) !== 0) {
        if (got === 0) yield* p.memset(buffer, 0, BUFFER_BYTES);
        const part = Math.min(words - got, QUEUE_WORDS);
        const n = yield* lib.readPtrs(fd, buffer + 8 * got, part);
        if (n !== part) fail(`server: rpal_read_ptrs returned ${n}`);
        got += n;
        if (got === words) {
          got = 0;
          takeStamp(p, meter, yield* p.sscanfStamp(buffer));
          const sent = yield* p.write(fd, buffer, size);
          if (sent !== size) fail(`server: send returned ${sent}`);
        }
      }
      if ((bits & (Poll.IN | Poll.RDHUP | Poll.HUP)) !== 0) {
        const n = yield* p.read(fd, buffer, BUFFER_BYTES - 1);
        if (n <= 0) return;
      }
    }
  }
}
