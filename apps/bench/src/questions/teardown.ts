import type { CpuProfile } from '@rpal/hw-x86';
import { PAGE_SIZE } from '@rpal/hw-x86';
import { done, exactly, executable, type Program } from '@rpal/kernel';
import { librpal, rpalExecutable } from '@rpal/librpal';
import type { RpalOptions } from '@rpal/rpal-core';
import { fail } from '../outcome.js';
import { whole } from '../report/numbers.js';
import type { Answer, Question } from './question.js';
import { smallMachine, smallProfile } from './services.js';
import { ofTearDown } from './verdicts.js';

const PAGES = 256;
const PEERS = [0, 1, 4, 8, 15];
const CPUS = 17;

const manyCores: CpuProfile = {
  ...smallProfile,
  topology: { ...smallProfile.topology, coresPerSocket: CPUS, coresPerCache: CPUS },
};

/** What the end of one process does to the machine. */
interface Teardown {
  /** From its last system call to the moment at which it is gone, TSC cycles. */
  readonly cycles: number;
  readonly flushes: number;
  readonly interrupts: number;
}

/** A process on a CPU of its own with some memory ends, while peers compute on theirs. `options` null: without RPAL. */
function end(options: RpalOptions | null, peers: number): Teardown {
  const machine = smallMachine(options, manyCores);
  const { memory } = machine.kernel;
  let started = 0;
  let before = { flushes: 0, interrupts: 0 };
  let after: Teardown | null = null;
  let ready = 0;
  const keys: number[] = [];
  const image = options === null ? executable : rpalExecutable;
  const join = function* (p: Program, index: number): Generator<void, void> {
    exactly('sched_setaffinity', yield* p.setAffinity([index]), 0);
    if (options !== null) {
      const lib = librpal(p);
      done('rpal_init', yield* lib.init(1));
      keys[index] = lib.process.key;
      while (keys.filter((key) => key !== undefined).length <= peers) exactly('nanosleep', yield* p.sleep(1e6), 0);
      if (index > 0) exactly('rpal_request_service', yield* lib.requestService(keys[0] as number), 0);
      else for (const key of keys.slice(1)) exactly('rpal_request_service', yield* lib.requestService(key), 0);
    }
    ready++;
  };
  const dying = machine.spawn(
    image('dying', function* (p) {
      yield* join(p, 0);
      const area = done('mmap', yield* p.allocate(PAGES * PAGE_SIZE));
      yield* p.memset(area, 1, PAGES * PAGE_SIZE);
      while (ready <= peers) exactly('nanosleep', yield* p.sleep(1e5), 0);
      before = { flushes: memory.tlb.flushesSent, interrupts: memory.tlb.flushesReceived };
      started = p.rdtsc();
    }),
    0,
  );
  machine.bus.events.processExit.on('questions', (time, process) => {
    if (process !== dying) return;
    after = {
      cycles: time - started,
      flushes: memory.tlb.flushesSent - before.flushes,
      interrupts: memory.tlb.flushesReceived - before.interrupts,
    };
  });
  for (let index = 1; index <= peers; index++) {
    machine.spawn(
      image(`peer-${index}`, function* (p) {
        yield* join(p, index);
        while (after === null) yield* p.compute(2000);
      }),
      index,
    );
  }
  machine.run();
  return after ?? fail('the process has not ended');
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

function tearDown(options: RpalOptions): Answer {
  const plain = end(null, 15);
  const runs = PEERS.map((peers) => ({ peers, ...end(options, peers) }));
  const [least, most] = [runs[0] as Teardown, runs.at(-1) as Teardown & { peers: number }];
  const line = (what: string, { cycles, flushes, interrupts }: Teardown): string =>
    `${what}: ${whole(cycles)} cycles, ${counted(flushes, 'shootdown')}, ${counted(interrupts, 'interrupt')} of other CPUs`;
  return {
    done: `A process with ${PAGES} touched pages ends on a CPU of its own, while its peers, each mapped with it, compute on theirs.`,
    happened: [
      line('no RPAL, 15 other processes', plain),
      ...runs.map(({ peers, ...run }) =>
        line(`RPAL, ${counted(peers, 'peer')}${peers === 0 ? '' : `, ${2 * peers} top-level entries cleared`}`, run),
      ),
    ],
    bars: [
      { label: 'no RPAL, 15 other processes', cycles: plain.cycles },
      ...runs.map(({ peers, cycles }) => ({ label: `RPAL, ${counted(peers, 'peer')}`, cycles })),
    ],
    verdict: ofTearDown(plain, least, most),
  };
}

export const tearDownCost: Question = {
  who: 'Dave Hansen, on v1',
  question: 'There are no small processes any more: what does it cost to tear down a service with many peers?',
  ask: tearDown,
};
