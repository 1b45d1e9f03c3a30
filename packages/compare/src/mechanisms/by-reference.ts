import { done, exactly, type Program } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import { tmpfs } from '@rpal/tmpfs';
import { MapFlag, OpenFlag, Prot } from '@rpal/uapi';
import { type Attach, processVmReadv } from '../mechanism/attach.js';
import type { Endpoint, Mechanism, Meeting, Routine } from '../mechanism/mechanism.js';
import { byFork, type Ends } from '../mechanism/related.js';
import { lookAgain, nonBlocking, untilThere } from '../mechanism/waiting.js';

/**
 * The message stays where it is, and the receiver copies it from there once. The sender's buffer is in use until the receiver has
 * counted the message as taken, in memory that both have mapped: a sender looks there before it sends again.
 */
interface Own {
  readonly from: number;
  readonly to: number;
  /** The count of messages that this side has taken, and that of the other side. */
  readonly taken: number;
  readonly otherTaken: number;
  readonly pids: number[];
  readonly self: 0 | 1;
}

function* open(p: Program, meeting: Meeting): Routine<Ends<Own>> {
  const there = done('pipe2', yield* p.pipe(nonBlocking(meeting)));
  const thereEnd = p.second;
  const back = done('pipe2', yield* p.pipe(nonBlocking(meeting)));
  const page = done('mmap', yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED | MapFlag.ANONYMOUS));
  yield* p.memset(page, 0, 128);
  const pids: number[] = [];
  return [
    { from: back, to: thereEnd, taken: page, otherTaken: page + 64, pids, self: 0 },
    { from: there, to: p.second, taken: page + 64, otherTaken: page, pids, self: 1 },
  ];
}

/** How a message is announced, and how it is taken. */
interface Taking {
  announce(address: number, length: number): Routine;
  take(address: number, length: number): Routine;
}

function endpoint(p: Program, own: Own, meeting: Meeting, { announce, take }: Taking): Endpoint {
  let sent = 0;
  let taken = 0;
  function* untilTaken(): Routine {
    while ((yield* p.load32(own.otherTaken)) !== sent) yield* lookAgain(p, meeting);
  }
  return {
    close: untilTaken,
    *send(address, length) {
      yield* untilTaken();
      sent++;
      yield* announce(address, length);
    },
    *receive(address, length) {
      yield* take(address, length);
      taken++;
      yield* p.store32(own.taken, taken);
      return address;
    },
  };
}

/** The address of a message goes through a pipe, its bytes by a copy between processes: what MPI libraries do on one node. */
function* attached({ copy }: Attach, p: Program, own: Own, meeting: Meeting): Routine<Endpoint> {
  own.pids[own.self] = done('getpid', yield* p.getpid());
  const note = done('mmap', yield* p.allocate(4096));
  const received = note + 64;
  return endpoint(p, own, meeting, {
    *announce(address) {
      yield* p.store64(note, address);
      exactly('write', yield* untilThere(p, meeting, () => p.write(own.to, note, 8)), 8);
    },
    *take(address, length) {
      exactly('read', yield* untilThere(p, meeting, () => p.read(own.from, received, 8)), 8);
      yield* copy(p, own.pids[1 - own.self] as number, yield* p.load64(received), address, length);
    },
  });
}

/** The same, but its bytes come by reading the sender's /proc/PID/mem, through a page of the kernel. */
function* procMem(p: Program, own: Own, meeting: Meeting): Routine<Endpoint> {
  own.pids[own.self] = done('getpid', yield* p.getpid());
  const note = done('mmap', yield* p.allocate(4096));
  const received = note + 64;
  let memory = -1;
  return endpoint(p, own, meeting, {
    *announce(address) {
      yield* p.store64(note, address);
      exactly('write', yield* untilThere(p, meeting, () => p.write(own.to, note, 8)), 8);
    },
    *take(address, length) {
      exactly('read', yield* untilThere(p, meeting, () => p.read(own.from, received, 8)), 8);
      if (memory < 0) memory = done('openat', yield* p.open(`/proc/${own.pids[1 - own.self]}/mem`, OpenFlag.RDONLY));
      exactly('pread64', yield* p.pread(memory, address, length, yield* p.load64(received)), length);
    },
  });
}

/** The sender's pages go into the pipe by reference; read copies them out of it. */
function* vmsplice(p: Program, own: Own, meeting: Meeting): Routine<Endpoint> {
  return endpoint(p, own, meeting, {
    *announce(address, length) {
      for (let sent = 0; sent < length; ) {
        sent += done('vmsplice', yield* untilThere(p, meeting, () => p.vmsplice(own.to, address + sent, length - sent)));
      }
    },
    *take(address, length) {
      for (let got = 0; got < length; ) {
        got += done('read', yield* untilThere(p, meeting, () => p.read(own.from, address + got, length - got)));
      }
    },
  });
}

const common = { copies: 1, sizes: [1, 1024 * 1024], waits: ['sleep', 'poll'], streams: true } as const;

/** Messages that a call like process_vm_readv copies from the sender's memory; their addresses go through a pipe. @public for mechanisms of your own */
export function attachMechanism({ name, title }: Pick<Mechanism, 'name' | 'title'>, attach: Attach): Mechanism {
  return { ...common, name, title, plugins: attach.plugins, start: byFork(open, (p, own, meeting) => attached(attach, p, own, meeting)) };
}

/** Mechanisms that copy once, from the sender's buffer. */
export const byReference: readonly Mechanism[] = [
  attachMechanism({ name: 'process-vm', title: 'process_vm_readv, the address goes through a pipe (cross-memory attach)' }, processVmReadv),
  {
    ...common,
    plugins: () => [tmpfs()],
    name: 'proc-mem',
    title: "reading the sender's /proc/PID/mem, the address goes through a pipe",
    copies: 2,
    start: byFork(open, procMem),
  },
  { ...common, plugins: () => [posix()], name: 'vmsplice', title: 'vmsplice into a pipe, read from it', start: byFork(open, vmsplice) },
];
