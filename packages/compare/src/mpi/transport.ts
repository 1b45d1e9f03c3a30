import type { Plugin } from '@rpal/bus';
import { done } from '@rpal/kernel';
import { type Attach, processVmReadv } from '../mechanism/attach.js';
import type { Routine } from '../mechanism/mechanism.js';
import type { Rank } from './rank.js';

/** How far a transfer has come since it was last looked at. */
type Progress = 'waits' | 'moved' | 'done';

/** A message that is on its way, as one of its two ranks has it: goes on when it is told to. */
export type Transfer = () => Routine<Progress>;

/** How the bytes of a message get from one rank to another of the same machine. */
export interface Transport {
  /** In lower case, for command lines. */
  readonly name: string;
  readonly title: string;
  /** How often each byte is copied. */
  readonly copies: number;
  /** Bytes of the largest piece that goes through the rings between two ranks. */
  readonly slot: number;
  /** What the machine needs besides Linux. */
  plugins(): readonly Plugin[];
  send(rank: Rank, to: number, address: number, length: number): Routine<Transfer>;
  receive(rank: Rank, from: number, address: number, length: number): Routine<Transfer>;
}

/** Bytes of a fragment (Open MPI: `btl_sm_max_send_size`). */
const FRAGMENT = 32 * 1024;

/** Fragments are copied into memory that both have mapped, and out of it, while the next one is copied in. */
export const eagerCopy: Transport = {
  name: 'eager',
  title: 'copied in and out of shared memory, in fragments of 32 KiB',
  copies: 2,
  slot: FRAGMENT,
  plugins: () => [],
  *send(rank, to, address, length) {
    const { out } = yield* rank.to(to);
    return inFragments(rank, address, length, {
      ready: () => out.hasRoom(),
      copy: (at, bytes) => out.write(at, bytes),
    });
  },
  *receive(rank, from, address, length) {
    const { into } = yield* rank.from(from);
    return inFragments(rank, address, length, {
      ready: () => into.hasMessage(),
      copy: (at, bytes) => into.read(at, bytes),
    });
  },
};

/** What a rank does with each fragment of its message. */
interface Copying {
  /** Whether the ring has room for one, or has one. */
  ready(): Routine<boolean>;
  copy(address: number, bytes: number): Routine;
}

function inFragments(rank: Rank, address: number, length: number, { ready, copy }: Copying): Transfer {
  const { p, index, world } = rank;
  let copied = 0;
  return function* () {
    if (!(yield* ready())) return 'waits';
    const bytes = Math.min(FRAGMENT, length - copied);
    const began = p.rdtsc();
    yield* copy(address + copied, bytes);
    yield* rank.copied(began, [{ socket: world.sockets[index] as number, bytes }]);
    copied += bytes;
    return copied < length ? 'moved' : 'done';
  };
}

/** Bytes of what goes through the rings: an address, or a word that the message has been taken. */
const NOTE = 8;

/**
 * The receiver is told where the message lies, copies it from there, and says when it has it.
 * @public for transports of your own
 */
export function attachTransport({ name, title }: Pick<Transport, 'name' | 'title'>, { plugins, copy }: Attach): Transport {
  return {
    name,
    title,
    copies: 1,
    slot: NOTE,
    plugins,
    *send(rank, to, address) {
      const { out, into } = yield* rank.to(to);
      const { p } = rank;
      const note = yield* noteOf(rank);
      let told = false;
      return function* () {
        if (!told) {
          if (!(yield* out.hasRoom())) return 'waits';
          yield* p.store64(note, address);
          yield* out.write(note, NOTE);
          told = true;
          return 'moved';
        }
        if (!(yield* into.hasMessage())) return 'waits';
        yield* into.read(note, NOTE);
        return 'done';
      };
    },
    *receive(rank, from, address, length) {
      const { into, out } = yield* rank.from(from);
      const { p, index, world } = rank;
      const note = yield* noteOf(rank);
      return function* () {
        if (!(yield* into.hasMessage())) return 'waits';
        yield* into.read(note, NOTE);
        const remote = yield* p.load64(note);
        const began = p.rdtsc();
        yield* copy(p, world.pids[from] as number, remote, address, length);
        yield* rank.copied(began, [
          { socket: world.sockets[from] as number, bytes: length },
          { socket: world.sockets[index] as number, bytes: length },
        ]);
        yield* out.write(note, NOTE);
        return 'done';
      };
    },
  };
}

/** By process_vm_readv. */
export const crossMemoryAttach: Transport = attachTransport(
  { name: 'attach', title: "copied once from the sender's memory, by process_vm_readv (cross-memory attach)" },
  processVmReadv,
);

const notes = new WeakMap<Rank, number>();

/** Room for a note of a rank's own. */
function* noteOf(rank: Rank): Routine<number> {
  const known = notes.get(rank);
  if (known !== undefined) return known;
  const note = done('mmap', yield* rank.p.allocate(4096));
  notes.set(rank, note);
  return note;
}

/** The ways between ranks of one machine. */
export const transports: readonly Transport[] = [eagerCopy, crossMemoryAttach];

/** TSC cycles of a pass of a library's progress engine that finds nothing. */
export const PASS = 200;

/** Goes on with all transfers in turn until each is done, as MPI_Waitall. */
export function* untilDone({ p }: Rank, transfers: readonly Transfer[]): Routine {
  const open = new Set(transfers);
  while (open.size > 0) {
    let moved = false;
    for (const transfer of open) {
      const progress = yield* transfer();
      if (progress !== 'waits') moved = true;
      if (progress === 'done') open.delete(transfer);
    }
    if (!moved) yield* p.compute(PASS);
  }
}
