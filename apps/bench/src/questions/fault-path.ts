import { done, exactly, executable, type Program } from '@rpal/kernel';
import type { RpalOptions } from '@rpal/rpal-core';
import { MapFlag, Prot, Signal, SignalCode } from '@rpal/uapi';
import type { Answer, Question } from './question.js';
import { meet, smallMachine } from './services.js';
import { ofFaults } from './verdicts.js';

const SLICE = 2 ** 39;
const PRIVATE = MapFlag.PRIVATE | MapFlag.ANONYMOUS;

/** A piece of memory, and what is done to it. */
interface Case {
  readonly name: string;
  readonly make: (p: Program) => Generator<void, number>;
  readonly access: 'read' | 'write' | 'fetch';
}

function* mapped(p: Program, prot: number, touched: boolean): Generator<void, number> {
  const page = done('mmap', yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, PRIVATE));
  if (touched) yield* p.store64(page, 7);
  exactly('mprotect', yield* p.mprotect(page, 4096, prot), 0);
  return page;
}

const cases: readonly Case[] = [
  { name: 'untouched page', make: (p) => mapped(p, Prot.READ | Prot.WRITE, false), access: 'read' },
  { name: 'untouched page', make: (p) => mapped(p, Prot.READ | Prot.WRITE, false), access: 'write' },
  { name: 'touched page', make: (p) => mapped(p, Prot.READ | Prot.WRITE, true), access: 'write' },
  { name: 'read-only page, untouched', make: (p) => mapped(p, Prot.READ, false), access: 'write' },
  { name: 'read-only page', make: (p) => mapped(p, Prot.READ, true), access: 'write' },
  { name: 'page without rights, untouched', make: (p) => mapped(p, Prot.NONE, false), access: 'read' },
  { name: 'page without rights', make: (p) => mapped(p, Prot.NONE, true), access: 'read' },
  { name: 'page that is not executable', make: (p) => mapped(p, Prot.READ | Prot.WRITE, true), access: 'fetch' },
  {
    name: 'hole',
    *make(p) {
      // Half a slice away from everything else.
      const page = yield* mapped(p, Prot.READ, false);
      return Math.floor(page / SLICE) * SLICE + SLICE / 2;
    },
    access: 'read',
  },
  {
    name: 'page shared with a forked child',
    *make(p) {
      const page = yield* mapped(p, Prot.READ | Prot.WRITE, true);
      done(
        'fork',
        yield* p.fork(function* (child) {
          exactly('nanosleep', yield* child.sleep(200e6), 0);
        }),
      );
      return page;
    },
    access: 'write',
  },
  {
    name: 'behind the end of a file',
    *make(p) {
      const fd = done('memfd_create', yield* p.memfd('file'));
      exactly('ftruncate', yield* p.ftruncate(fd, 4096), 0);
      return (yield* p.mmap(0, 2 * 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED, fd)) + 4096;
    },
    access: 'write',
  },
];

function* touch(p: Program, address: number, access: Case['access']): Generator<void, void> {
  if (access === 'read') yield* p.load64(address);
  else if (access === 'write') yield* p.store64(address, 9);
  else yield* p.fetch(address);
}

function outcome(succeeded: boolean, exit: { signal: number; code: number } | null): string {
  if (succeeded) return 'done';
  const code = Object.entries(SignalCode).find(
    ([name, value]) => value === exit?.code && /^(SEGV|BUS)/.test(name) && name.startsWith(exit.signal === Signal.BUS ? 'BUS' : 'SEGV'),
  );
  return exit === null
    ? 'hangs'
    : `${exit.signal === Signal.BUS ? 'SIGBUS' : exit.signal === Signal.SEGV ? 'SIGSEGV' : `signal ${exit.signal}`} ${code?.[0] ?? exit.code}`;
}

/** On a machine without RPAL, by a process on its own memory. */
function plainly({ make, access }: Case): string {
  const machine = smallMachine(null);
  let succeeded = false;
  const process = machine.spawn(
    executable('plain', function* (p) {
      yield* touch(p, yield* make(p), access);
      succeeded = true;
    }),
  );
  machine.run({ deaths: 'report' });
  return outcome(succeeded, process.exit);
}

/** By a service: on its own memory, or by a peer on the service's, with the key open or as it is. */
function withRpal(options: RpalOptions, { make, access }: Case, by: 'owner' | 'peer' | 'peer without the key'): string {
  let succeeded = false;
  const { client } = meet(
    options,
    function* (p, { told }) {
      if (by === 'peer') p.wrpkru(0);
      const address = by === 'owner' ? yield* make(p) : (told.get('memory') as number);
      yield* touch(p, address, access);
      succeeded = true;
    },
    {
      deaths: 'report',
      *prepare(p, told) {
        if (by !== 'owner') told.set('memory', yield* make(p));
      },
    },
  );
  return outcome(succeeded, client.exit);
}

function differential(options: RpalOptions): Answer {
  const rows = cases.map((each) => ({
    each,
    plain: plainly(each),
    owner: withRpal(options, each, 'owner'),
    peer: withRpal(options, each, 'peer'),
    closed: withRpal(options, each, 'peer without the key'),
  }));
  const own = rows.filter(({ plain, owner }) => plain !== owner);
  const foreign = rows.filter(({ plain, peer }) => plain !== peer);
  const open = rows.filter(({ closed }) => closed === 'done');
  return {
    done: `${cases.length} accesses, each as an ordinary process on a machine without RPAL does it, as a service does it to its own memory, and as a peer does it to that memory, with all keys open and without the key.`,
    happened: rows.map(({ each: { name, access }, plain, owner, peer, closed }) => {
      const rest = plain === owner && plain === peer ? 'the same by the owner and by a peer' : `by the owner ${owner}, by a peer ${peer}`;
      return `${access}, ${name}: ${plain}; ${rest}; without the key ${closed}`;
    }),
    verdict: ofFaults({ own: own.length, foreign: foreign.length, open: open.length }),
  };
}

export const copiedFaultPath: Question = {
  who: 'Dave Hansen, on patch 14',
  question: 'Copied fault handling will rot: does it behave as the original for own addresses, and for those of a peer?',
  ask: differential,
};
