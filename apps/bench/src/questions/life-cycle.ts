import { done, exactly, type Process, type Program } from '@rpal/kernel';
import { librpal, rpalExecutable } from '@rpal/librpal';
import { RpalIoctl, type RpalOptions, rpalThread } from '@rpal/rpal-core';
import { SignalCode } from '@rpal/uapi';
import { type Answer, hex, type Question } from './question.js';
import { meet, smallMachine } from './services.js';
import { ofBuffer, ofCrowd, ofFork, ofPairs, ofRequests } from './verdicts.js';

/** The RFC's kernel lets a service make 15 requests. */
const SERVICES = 19;

interface Member {
  readonly id: number;
  readonly key: number;
}

interface Request {
  readonly id: number;
  readonly result: number;
}

/** Those with the requester's own protection key first, then equal keys side by side. */
const byKey =
  (own: number) =>
  (a: Member, b: Member): number =>
    Number(b.id % 16 === own % 16) - Number(a.id % 16 === own % 16) || (a.id % 16) - (b.id % 16) || a.id - b.id;

const byId =
  () =>
  (a: Member, b: Member): number =>
    a.id - b.id;

/** Services that are all there at once; the first requests every other. */
function crowd(
  options: RpalOptions,
  order: (own: number) => (a: Member, b: Member) => number,
): { readonly own: number; readonly requests: readonly Request[] } {
  const machine = smallMachine(options);
  const others: Member[] = [];
  const requests: Request[] = [];
  let own = -1;
  let over = false;
  const member = (index: number) =>
    function* (p: Program): Generator<void, void> {
      const lib = librpal(p);
      done('rpal_init', yield* lib.init(1));
      if (index > 0) {
        others.push({ id: lib.process.id, key: lib.process.key });
        while (!over) exactly('nanosleep', yield* p.sleep(1e6), 0);
        return;
      }
      own = lib.process.id;
      while (others.length < SERVICES - 1) exactly('nanosleep', yield* p.sleep(1e6), 0);
      others.sort(order(own));
      for (const { id, key } of others) requests.push({ id, result: yield* lib.requestService(key) });
      over = true;
    };
  for (let index = 0; index < SERVICES; index++) machine.spawn(rpalExecutable(`service-${index}`, member(index)), index % 4);
  machine.run();
  return { own, requests };
}

function sixteen(options: RpalOptions): Answer {
  const { own, requests } = crowd(options, byKey);
  const clash = requests.filter(({ id }) => id % 16 === own % 16);
  const refused = clash.filter(({ result }) => result < 0);
  return {
    done: `${SERVICES} services at once; the one with id ${own} requests all others: first those with its own key, then the rest, equal keys one after the other. It has 15 requests.`,
    happened: requests.map(({ id, result }) => `id ${id} (key ${id % 16}): ${result === 0 ? 'granted' : `refused (${result})`}`),
    verdict: ofPairs(
      clash.map(({ id }) => id),
      refused.length,
    ),
  };
}

function quota(options: RpalOptions): Answer {
  const { own, requests } = crowd(options, byId);
  const granted = requests.filter(({ result }) => result === 0).length;
  const first = requests.findIndex(({ id, result }) => result < 0 && id % 16 !== own % 16);
  return {
    done: `${SERVICES} services at once; one requests all others, one after the other.`,
    happened: requests.map(
      ({ id, result }, index) => `request ${index + 1}, id ${id}: ${result === 0 ? 'granted' : `refused (${result})`}`,
    ),
    verdict: ofRequests(first, granted),
  };
}

/** More RPAL binaries at once than there are ids. */
function full(options: RpalOptions): Answer {
  const COUNT = 257;
  const machine = smallMachine(options);
  const ids: (number | null)[] = [];
  const tried: number[] = [];
  for (let index = 0; index < COUNT; index++) {
    const image = rpalExecutable(`service-${index}`, function* (p) {
      const { service } = rpalThread(p.context.thread);
      ids.push(service?.id ?? null);
      const fd = yield* p.open('/proc/rpal', 2);
      if (service === null) tried.push(yield* p.ioctl(fd, RpalIoctl.GET_SERVICE_KEY, yield* p.allocate(4096)));
      while (ids.length < COUNT) exactly('nanosleep', yield* p.sleep(10e6), 0);
    });
    machine.spawn(image, index % 4);
  }
  machine.run();
  const services = ids.filter((id) => id !== null);
  return {
    done: `${COUNT} RPAL binaries are started and stay. Each that is not a service asks for its key.`,
    happened: [
      `services: ${services.length}, with ids ${Math.min(...services)} .. ${Math.max(...services)}`,
      `ordinary processes: ${COUNT - services.length}; GET_SERVICE_KEY there: ${[...new Set(tried)].join(', ')}`,
    ],
    verdict: ofCrowd(services.length, COUNT, tried),
  };
}

/** An enabled service forks; the child uses memory. */
function forked(options: RpalOptions): Answer {
  let key = -1;
  let reached = false;
  let child: Process | undefined;
  meet(options, function* (p, { lib }) {
    key = lib.process.pkey;
    done(
      'fork',
      yield* p.fork(function* (q) {
        const page = done('mmap', yield* q.allocate(4096));
        yield* q.store64(page, 1);
        reached = true;
      }),
    );
    child = p.context.thread.process.children.values().next().value;
    done('wait4', yield* p.wait());
  });
  const exit = child?.exit ?? null;
  const end =
    exit === null
      ? 'still runs'
      : exit.signal === 0
        ? 'ended by itself'
        : `signal ${exit.signal}, code ${exit.code} at ${hex(exit.address)}`;
  const byKey = exit?.code === SignalCode.SEGV_PKUERR;
  return {
    done: `An enabled service with key ${key} forks. The child, which is not a service, maps a page and stores to it.`,
    happened: [`the child's store: ${reached ? 'done' : 'never done'}`, `the child: ${end}`],
    verdict: ofFork({ reached, byKey }),
  };
}

/** A peer dies; the survivor reads its key with a buffer for one. */
function smallRead(options: RpalOptions): Answer {
  const COUNT = 4;
  let result = 0;
  let spoilt = 0;
  meet(options, function* (p, { lib, fd, server }) {
    const buffer = done('mmap', yield* p.allocate(4096));
    yield* p.memset(buffer, 0xee, 4096);
    exactly('shutdown', yield* p.shutdown(fd, 1), 0);
    while (server.exit === null) exactly('nanosleep', yield* p.sleep(1e6), 0);
    result = yield* p.read(lib.process.rpalFd, buffer, COUNT);
    for (let at = COUNT; at < 256; at++) if ((yield* p.load8(buffer + at)) !== 0xee) spoilt++;
  });
  return {
    done: `A peer dies. The survivor fills a page with 0xee and reads /proc/rpal with a count of ${COUNT}.`,
    happened: [`read returned ${result}`, `bytes behind the first ${COUNT} that have changed: ${spoilt}`],
    verdict: ofBuffer(spoilt, result - COUNT),
  };
}

export const manyServices: Question = {
  who: 'derived',
  question: 'More than 16 services that all talk: which pairs cannot?',
  ask: sixteen,
};

export const tooMany: Question = { who: 'derived', question: 'What is the 255th service?', ask: full };

export const requestQuota: Question = { who: 'derived', question: 'How many services can one service request?', ask: quota };

export const forkedService: Question = { who: 'derived', question: 'fork of an enabled service: does the child run?', ask: forked };

export const smallBuffer: Question = {
  who: 'derived',
  question: 'A small buffer for reading /proc/rpal: is the count respected?',
  ask: smallRead,
};
