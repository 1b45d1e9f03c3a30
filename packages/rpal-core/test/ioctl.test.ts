import type { Cpu } from '@rpal/hw-x86';
import { executable, type Program } from '@rpal/kernel';
import { Epoll, Errno, MapFlag, Poll, Prot, SocketType } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import {
  FdmapArg,
  MapType,
  pkruOf,
  Rcc,
  RequestArg,
  RPAL_ADDR_SPACE_SIZE,
  RPAL_EP_POLL_MAGIC,
  RpalIoctl,
  type RpalService,
  rpalThread,
  Scc,
} from '../src/index.js';
import { Control, finish, pairOfServices, run, until, type World, world } from './world.js';

const { EFAULT, EINVAL, EAGAIN, ENOMEM, EPERM } = Errno;
/** An address that nothing is mapped at, in no slice. */
const NOWHERE = 0x1000;

type Attempt = (p: Program, c: Control, setting: World) => Generator<void, number>;

/**
 * The commands, each with its checks in the order in which they are made, and the effect. Attempts that a later check
 * would refuse as well show the order.
 */
const rows: readonly (readonly [command: string, check: string, result: number, attempt: Attempt])[] = [
  ['any', 'unknown command', -EINVAL, (_p, c) => c.ioctl(0xc008330d, c.note)],
  ['GET_API_VERSION_AND_CAP', 'copy out fails', -EFAULT, (_p, c) => c.ioctl(RpalIoctl.GET_API_VERSION_AND_CAP, NOWHERE)],
  ['GET_API_VERSION_AND_CAP', 'ok', 0, (_p, c) => c.ioctl(RpalIoctl.GET_API_VERSION_AND_CAP, c.note)],
  ['GET_SERVICE_KEY', 'copy out fails', -EFAULT, (_p, c) => c.ioctl(RpalIoctl.GET_SERVICE_KEY, NOWHERE)],
  ['GET_SERVICE_KEY', 'ok: keys begin at 1', 1, (_p, c) => c.key()],
  ['GET_SERVICE_ID', 'copy out fails', -EFAULT, (_p, c) => c.ioctl(RpalIoctl.GET_SERVICE_ID, NOWHERE)],
  ['GET_SERVICE_ID', 'ok: the lowest free id', 0, (_p, c) => c.id()],
  ['GET_SERVICE_PKEY', 'copy out fails', -EFAULT, (_p, c) => c.ioctl(RpalIoctl.GET_SERVICE_PKEY, NOWHERE)],
  ['GET_SERVICE_PKEY', 'ok: -1 before the first enable', -1, (_p, c) => c.pkey()],
  [
    'GET_SERVICE_PKEY',
    'ok: the id modulo 16 after it',
    0,
    function* (_p, c) {
      yield* c.enable();
      return yield* c.pkey();
    },
  ],
  ['REGISTER_SENDER', 'address in no shared mapping', -EINVAL, (_p, c) => c.ioctl(RpalIoctl.REGISTER_SENDER, c.note)],
  [
    'REGISTER_SENDER',
    'record does not fit the mapping',
    -EINVAL,
    function* (_p, c) {
      const page = yield* c.share();
      return yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page + 4096 - Scc.size + 8);
    },
  ],
  [
    'REGISTER_SENDER',
    'ok, without enable, at an odd address; times are cleared',
    0,
    function* (p, c) {
      const page = yield* c.share();
      yield* p.store64(page + 1 + Scc.totalTime, 99);
      const result = yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page + 1);
      return result + (yield* p.load64(page + 1 + Scc.totalTime));
    },
  ],
  [
    'REGISTER_SENDER',
    'already a sender, before the address is looked at',
    -EINVAL,
    function* (_p, c) {
      const page = yield* c.share();
      yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page);
      return yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page + 256);
    },
  ],
  ['UNREGISTER_SENDER', 'not a sender', -EINVAL, (_p, c) => c.ioctl(RpalIoctl.UNREGISTER_SENDER)],
  [
    'UNREGISTER_SENDER',
    'ok, and again as often as one likes',
    0,
    function* (_p, c, { rpal }) {
      const page = yield* c.share();
      for (let i = 0; i < 3; i++) {
        yield* c.ioctl(RpalIoctl.REGISTER_SENDER, page);
        yield* c.ioctl(RpalIoctl.UNREGISTER_SENDER);
      }
      return [...rpal.byKey.values()][0]?.threadCount as number;
    },
  ],
  ['REGISTER_RECEIVER', 'address in no shared mapping', -EINVAL, (_p, c) => c.ioctl(RpalIoctl.REGISTER_RECEIVER, c.note)],
  [
    'REGISTER_RECEIVER',
    'record does not fit the mapping',
    -EINVAL,
    function* (_p, c) {
      const page = yield* c.share();
      return yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page + 4096 - Rcc.size + 4);
    },
  ],
  [
    'REGISTER_RECEIVER',
    'already a receiver',
    -EINVAL,
    function* (_p, c) {
      const page = yield* c.share();
      yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
      return yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page + 256);
    },
  ],
  ['REGISTER_SENDER', 'no memory for the record', -ENOMEM, (p, c, setting) => registerWithout(p, c, setting, RpalIoctl.REGISTER_SENDER, 1)],
  [
    'REGISTER_SENDER',
    'no memory for the affinity record',
    -ENOMEM,
    (p, c, setting) => registerWithout(p, c, setting, RpalIoctl.REGISTER_SENDER, 2),
  ],
  [
    'REGISTER_RECEIVER',
    'no memory for the record',
    -ENOMEM,
    (p, c, setting) => registerWithout(p, c, setting, RpalIoctl.REGISTER_RECEIVER, 1),
  ],
  [
    'REGISTER_RECEIVER',
    'no memory for the record, before the table is looked at',
    -ENOMEM,
    (p, c, setting) => registerReceivers(p, c, setting, 17, () => (setting.rpal.heap.failNth = 1)),
  ],
  ['REGISTER_RECEIVER', 'a 17th receiver', -EAGAIN, (p, c, setting) => registerReceivers(p, c, setting, 17)],
  [
    'REGISTER_RECEIVER',
    'a 17th receiver, before memory for the affinity record is asked for',
    -EAGAIN,
    (p, c, setting) => registerReceivers(p, c, setting, 17, () => (setting.rpal.heap.failNth = 2)),
  ],
  [
    'REGISTER_RECEIVER',
    'no memory for the affinity record: the FS base is forgotten',
    -ENOMEM,
    (p, c, setting) => registerWithout(p, c, setting, RpalIoctl.REGISTER_RECEIVER, 2),
  ],
  ['REGISTER_RECEIVER', 'ok: 16 of them', 0, (p, c, setting) => registerReceivers(p, c, setting, 16)],
  ['UNREGISTER_RECEIVER', 'not a receiver', -EINVAL, (_p, c) => c.ioctl(RpalIoctl.UNREGISTER_RECEIVER)],
  [
    'UNREGISTER_RECEIVER',
    'ok: the FS base is forgotten',
    0,
    function* (_p, c, { rpal }) {
      const page = yield* c.share();
      yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
      const result = yield* c.ioctl(RpalIoctl.UNREGISTER_RECEIVER);
      const service = [...rpal.byKey.values()][0];
      return result + (service?.fsBases.filter(({ fsBase }) => fsBase !== 0).length ?? 0) + (service?.receivers.length ?? 0);
    },
  ],
  ['ENABLE_SERVICE', 'copy in fails', -EFAULT, (_p, c) => c.ioctl(RpalIoctl.ENABLE_SERVICE, NOWHERE)],
  [
    'ENABLE_SERVICE',
    "ret_begin in another service's slice",
    -EINVAL,
    (p, c) => c.enable({ retBegin: p.context.thread.process.textStart + RPAL_ADDR_SPACE_SIZE }),
  ],
  [
    'ENABLE_SERVICE',
    "ret_end in another service's slice",
    -EINVAL,
    (p, c) => c.enable({ retEnd: p.context.thread.process.textStart + RPAL_ADDR_SPACE_SIZE }),
  ],
  ['ENABLE_SERVICE', 'addresses outside all slices count as own', 0, (_p, c) => c.enable({ retBegin: 0, retEnd: 0x8000_0000_0000 })],
  [
    'ENABLE_SERVICE',
    'twice: 0, and nothing changes',
    0,
    function* (p, c, { rpal }) {
      yield* c.enable({ userMeta: 7 });
      const result = yield* c.enable({ userMeta: 8, pkey: 9 });
      const service = [...rpal.byKey.values()][0];
      return result + (service?.metadata?.userMeta as number) - 7 + (yield* c.pkey()) + ((p.rdpkru() | 0) === pkruOf(0) ? 0 : 1);
    },
  ],
  [
    'ENABLE_SERVICE',
    'the key that was asked for',
    9,
    function* (_p, c) {
      yield* c.enable({ pkey: 9 });
      return yield* c.pkey();
    },
  ],
  [
    'ENABLE_SERVICE',
    'a key beyond 15 is not taken',
    0,
    function* (_p, c) {
      yield* c.enable({ pkey: 16 });
      return yield* c.pkey();
    },
  ],
  ['DISABLE_SERVICE', 'not enabled', -EINVAL, (_p, c) => c.disable()],
  [
    'DISABLE_SERVICE',
    'ok: the key stays, and a later enable takes new metadata',
    3,
    function* (_p, c, { rpal }) {
      yield* c.enable({ pkey: 3, userMeta: 1 });
      yield* c.disable();
      yield* c.enable({ pkey: 5, userMeta: 2 });
      return (yield* c.pkey()) + ([...rpal.byKey.values()][0]?.metadata?.userMeta as number) - 2;
    },
  ],
  ['REQUEST_SERVICE', 'copy in fails', -EFAULT, (_p, c) => c.ioctl(RpalIoctl.REQUEST_SERVICE, NOWHERE)],
  ['REQUEST_SERVICE', 'own key, before anything about enabling', -EINVAL, (_p, c) => requestResult(c, 1)],
  ['REQUEST_SERVICE', 'caller not enabled, before the key is looked up', -EINVAL, (_p, c) => requestResult(c, 4711)],
  [
    'REQUEST_SERVICE',
    'key unknown',
    -EINVAL,
    function* (_p, c) {
      yield* c.enable();
      return yield* requestResult(c, 4711);
    },
  ],
  [
    'RELEASE_SERVICE',
    'own key',
    -EINVAL,
    function* (_p, c) {
      return yield* c.release(1);
    },
  ],
  ['RELEASE_SERVICE', 'key not among the requests', -EINVAL, (_p, c) => c.release(2)],
  ['UDS_FDMAP', 'copy in fails: bytes not copied, not EFAULT', 16, (_p, c) => c.ioctl(RpalIoctl.UDS_FDMAP, NOWHERE)],
  [
    'UDS_FDMAP',
    'bad descriptor: 0, and no result',
    0,
    function* (p, c) {
      const result = c.note + 256;
      yield* p.store64(c.note + FdmapArg.res, result);
      yield* p.store32(c.note + FdmapArg.cfd, 99);
      return (yield* c.ioctl(RpalIoctl.UDS_FDMAP, c.note)) + (yield* p.load64(result));
    },
  ],
  [
    'UDS_FDMAP',
    'not a socket: 0',
    0,
    function* (p, c) {
      yield* p.store32(c.note + FdmapArg.cfd, c.fd);
      return yield* c.ioctl(RpalIoctl.UDS_FDMAP, c.note);
    },
  ],
  [
    'UDS_FDMAP',
    'peer without a waiter: 0',
    0,
    function* (p, c) {
      const fd = yield* p.socketpair(1);
      yield* p.store32(c.note + FdmapArg.cfd, fd);
      return yield* c.ioctl(RpalIoctl.UDS_FDMAP, c.note);
    },
  ],
];

function* requestResult(c: Control, key: number): Generator<void, number> {
  return (yield* c.request(key)).result;
}

/** What is kept of registered threads. */
function booksOf({ rpal }: World, p: Program) {
  const service = rpal.byKey.get(1) as RpalService;
  const { thread } = p.context;
  return {
    records: [...rpal.heap.inUse],
    threads: service.threadCount,
    receivers: service.receivers.length,
    fsBases: service.fsBases.filter((entry) => entry.fsBase !== 0 || entry.thread !== null).length,
    pageReferences: service.sharedPages.map(({ references }) => references),
    flags: rpalThread(thread).flags,
    data: rpalThread(thread).data,
    watched: thread.entryWatched,
  };
}

/**
 * Registers while the n-th allocation fails; nothing may be left of it, and the next attempt must succeed, and leave nothing once it is
 * taken back. @returns the first result
 */
function* registerWithout(p: Program, c: Control, setting: World, command: number, nth: number): Generator<void, number> {
  const page = yield* c.share();
  const before = booksOf(setting, p);
  setting.rpal.heap.failNth = nth;
  const result = yield* c.ioctl(command, page);
  expect(setting.rpal.heap.failNth).toBe(0);
  expect(booksOf(setting, p)).toEqual(before);
  expect(yield* c.ioctl(command, page)).toBe(0);
  expect(yield* c.ioctl(command === RpalIoctl.REGISTER_SENDER ? RpalIoctl.UNREGISTER_SENDER : RpalIoctl.UNREGISTER_RECEIVER)).toBe(0);
  const { records, threads, receivers, fsBases, pageReferences } = before;
  expect(booksOf(setting, p)).toMatchObject({ records, threads, receivers, fsBases, pageReferences });
  return result;
}

/** Registers as many threads as receivers. @param last what happens before the last. @returns the last result */
function* registerReceivers(p: Program, c: Control, setting: World, count: number, last?: () => void): Generator<void, number> {
  const page = yield* c.share();
  let result = 0;
  let done = 0;
  for (let i = 0; i < count; i++) {
    yield* p.clone(function* (q) {
      if (i === count - 1) last?.();
      const before = [...setting.rpal.heap.inUse];
      result = yield* q.ioctl(c.fd, RpalIoctl.REGISTER_RECEIVER, page + i * Rcc.size);
      if (result < 0) expect(setting.rpal.heap.inUse).toEqual(before);
      setting.rpal.heap.failNth = 0;
      done++;
      yield* until(q, () => done === count);
    });
    yield* until(p, () => done === i + 1);
  }
  return result;
}

/** Two or more services of which the first is asked by the second: rows that need a target. */
const pairRows: readonly (readonly [check: string, result: number, target: (c: Control) => Generator<void, void>, attempt: Attempt])[] = [
  ['target not enabled', -EPERM, function* () {}, (_p, c) => enabledRequest(c)],
  [
    'target has the same protection key',
    -EINVAL,
    function* (c) {
      yield* c.enable({ pkey: 7 });
    },
    function* (_p, c) {
      yield* c.enable({ pkey: 7 });
      return yield* requestResult(c, 1);
    },
  ],
  ...(['pkey', 'userMetap', 'id'] as const).map(
    (field) =>
      [
        `${field} cannot be stored`,
        -EFAULT,
        function* (c: Control) {
          yield* c.enable();
        },
        function* (p: Program, c: Control) {
          yield* c.enable();
          yield* p.store64(c.note + RequestArg.key, 1);
          for (const each of ['pkey', 'userMetap', 'id'] as const) {
            yield* p.store64(c.note + RequestArg[each], each === field ? NOWHERE : c.note + 256);
          }
          return yield* c.ioctl(RpalIoctl.REQUEST_SERVICE, c.note);
        },
      ] as const,
  ),
  [
    'ok; what was stored is known before the entries are made',
    0,
    function* (c) {
      yield* c.enable({ userMeta: 4242 });
    },
    function* (_p, c) {
      yield* c.enable();
      const { result, userMeta, id, pkey } = yield* c.request(1);
      return result + (userMeta - 4242) + id + pkey;
    },
  ],
  [
    'slot taken by a different service',
    -EINVAL,
    function* (c) {
      yield* c.enable();
    },
    // A reference keeps the id of a dead service from being given to another, so the books are falsified here.
    function* (_p, c, { rpal }) {
      yield* c.enable();
      const me = rpal.byKey.get(2) as RpalService;
      const slot = me.map[0] as RpalService['map'][0];
      slot.service = me;
      const { result } = yield* c.request(1);
      slot.service = null;
      return me.requestsLeft === 15 ? result : 1;
    },
  ],
  [
    'reverse entry there already: the forward entry is taken back',
    -EINVAL,
    function* (c) {
      yield* c.enable();
    },
    function* (_p, c, { rpal }) {
      yield* c.enable();
      const entry = rpal.byKey.get(1)?.map[1] as RpalService['map'][0];
      entry.type |= MapType.REVERSE;
      const { result } = yield* c.request(1);
      entry.type &= ~MapType.REVERSE;
      const me = rpal.byKey.get(2) as RpalService;
      return me.requestsLeft === 15 && me.map[0]?.service === null ? result : 1;
    },
  ],
  [
    'no page-table link: both entries are taken back',
    -EINVAL,
    function* (c) {
      yield* c.enable();
      yield* c.p.clone(function* (q) {
        while ((yield* requestResult(yield* Control.open(q), 2)) < 0) yield* q.sleep(20_000);
      });
    },
    // A mapping of its own in the slice of the other, over the balloon: the place for the copied entry is taken.
    function* (p, c, { rpal }) {
      const target = rpal.byKey.get(1) as RpalService;
      const fixed = yield* p.mmap(target.base, 4096, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.FIXED);
      yield* p.store64(fixed, 1);
      yield* c.enable();
      yield* until(p, () => target.map[1]?.service !== null);
      const { result } = yield* c.request(1);
      const me = rpal.byKey.get(2) as RpalService;
      return fixed === target.base && me.requestsLeft === 15 && (me.map[0]?.type ?? 0) === MapType.REVERSE ? result : 1;
    },
  ],
  [
    'already requested',
    -EINVAL,
    function* (c) {
      yield* c.enable();
    },
    function* (_p, c) {
      yield* c.enable();
      yield* c.request(1);
      return yield* requestResult(c, 1);
    },
  ],
  [
    'released and requested again: ok',
    0,
    function* (c) {
      yield* c.enable();
    },
    function* (_p, c) {
      yield* c.enable();
      yield* c.request(1);
      return (yield* c.release(1)) + (yield* requestResult(c, 1));
    },
  ],
];

/** Somebody who may request the sixteen services that are enabled meanwhile; the last one has the first one's key. */
function amongSixteen(setting: World, requests: (p: Program, c: Control) => Generator<void, void>): void {
  let enabled = 0;
  let over = false;
  const services = Array.from(
    { length: 16 },
    (_, i) =>
      function* (p: Program) {
        const c = yield* Control.open(p);
        yield* c.enable({ pkey: 1 + (i % 15) });
        enabled++;
        yield* until(p, () => over);
      },
  );
  run(setting, ...services, function* (p) {
    const c = yield* Control.open(p);
    yield* c.enable({ pkey: 0 });
    yield* until(p, () => enabled === 16);
    yield* requests(p, c);
    over = true;
  });
}

function* enabledRequest(c: Control): Generator<void, number> {
  yield* c.enable();
  return yield* requestResult(c, 1);
}

/**
 * The commands with all their checks, in order, and their effects: section 4.2 of the specification that this model follows.
 */
const table: Readonly<Record<string, readonly string[]>> = {
  any: ['caller without a service', 'unknown command'],
  GET_API_VERSION_AND_CAP: ['copy out fails', 'ok'],
  GET_SERVICE_KEY: ['copy out fails', 'ok: keys begin at 1'],
  GET_SERVICE_ID: ['copy out fails', 'ok: the lowest free id'],
  GET_SERVICE_PKEY: ['copy out fails', 'ok: -1 before the first enable', 'ok: the id modulo 16 after it'],
  REGISTER_SENDER: [
    'already a sender, before the address is looked at',
    'address in no shared mapping',
    'record does not fit the mapping',
    'no memory for the record',
    'no memory for the affinity record',
    'ok, without enable, at an odd address; times are cleared',
  ],
  UNREGISTER_SENDER: ['not a sender', 'ok, and again as often as one likes'],
  REGISTER_RECEIVER: [
    'already a receiver',
    'address in no shared mapping',
    'record does not fit the mapping',
    'no memory for the record',
    'no memory for the record, before the table is looked at',
    'a 17th receiver',
    'a 17th receiver, before memory for the affinity record is asked for',
    'no memory for the affinity record: the FS base is forgotten',
    'ok: 16 of them',
  ],
  UNREGISTER_RECEIVER: ['not a receiver', 'ok: the FS base is forgotten'],
  ENABLE_SERVICE: [
    'not position independent',
    'copy in fails',
    "ret_begin in another service's slice",
    "ret_end in another service's slice",
    'addresses outside all slices count as own',
    'twice: 0, and nothing changes',
    'the key that was asked for',
    'a key beyond 15 is not taken',
  ],
  DISABLE_SERVICE: ['not enabled', 'ok: the key stays, and a later enable takes new metadata'],
  REQUEST_SERVICE: [
    'copy in fails',
    'own key, before anything about enabling',
    'the quota is used up',
    'caller not enabled, before the key is looked up',
    'key unknown',
    'target not enabled',
    'target has the same protection key',
    'pkey cannot be stored',
    'userMetap cannot be stored',
    'id cannot be stored',
    'slot taken by a different service',
    'already requested',
    'reverse entry there already: the forward entry is taken back',
    'no page-table link: both entries are taken back',
    'ok; what was stored is known before the entries are made',
  ],
  RELEASE_SERVICE: ['own key', 'key not among the requests', 'ok, and requested again'],
  UDS_FDMAP: [
    'copy in fails: bytes not copied, not EFAULT',
    'bad descriptor: 0, and no result',
    'not a socket: 0',
    'peer without a waiter: 0',
    'no receiver found: 0',
    'result cannot be stored',
    'ok',
  ],
};

/** What tests have seen: `command, check`. */
const exercised = new Set<string>();

describe('ioctl of /proc/rpal', () => {
  it.each(rows)('%s, %s: %d', (command, check, expected, attempt) => {
    const setting = world();
    let result: number | undefined;
    run(setting, function* (p) {
      result = yield* attempt(p, yield* Control.open(p), setting);
    });
    expect(result).toBe(expected);
    exercised.add(`${command}, ${check}`);
  });

  it.each(pairRows)('REQUEST_SERVICE, %s: %d', (check, expected, target, attempt) => {
    const setting = world();
    let result: number | undefined;
    let ready = false;
    run(
      setting,
      function* (p) {
        const c = yield* Control.open(p);
        yield* target(c);
        ready = true;
        yield* until(p, () => result !== undefined);
      },
      function* (p) {
        const c = yield* Control.open(p);
        yield* until(p, () => ready);
        result = yield* attempt(p, c, setting);
      },
    );
    expect(result).toBe(expected);
    exercised.add(check.startsWith('released') ? 'RELEASE_SERVICE, ok, and requested again' : `REQUEST_SERVICE, ${check}`);
  });

  it('REQUEST_SERVICE: the 16th request is refused, whatever the key; a release makes room', () => {
    const setting = world();
    const results: number[] = [];
    amongSixteen(setting, function* (p, c) {
      for (let key = 1; key <= 15; key++) results.push(yield* requestResult(c, key));
      yield* p.store64(c.note + 256, 4711);
      const refused = yield* c.request(16);
      results.push(refused.result);
      expect(refused.userMeta, 'it has not even learnt where the other one keeps its data').toBe(4711);
      yield* c.release(3);
      results.push(yield* requestResult(c, 16));
    });
    expect(results).toEqual([...Array(15).fill(0), -EINVAL, 0]);
    exercised.add('REQUEST_SERVICE, the quota is used up');
  });

  it('REQUEST_SERVICE: of two threads that find one request left, one gets it', () => {
    const setting = world();
    const { rpal, machine } = setting;
    const results: number[] = [];
    amongSixteen(setting, function* (p, c) {
      for (let key = 1; key <= 14; key++) yield* c.request(key);
      const { mutex } = rpal.byKey.get(17) as RpalService;
      const { thread } = p.context;
      // Both have looked at the quota, and wait for the service's mutex.
      expect(mutex.lock(machine.platform.running as Cpu, thread, 'test')).toBe(true);
      for (const key of [15, 16]) {
        yield* p.clone(function* (q) {
          const own = yield* Control.open(q);
          results.push(yield* requestResult(own, key));
        });
      }
      yield* p.sleep(2e6);
      expect(results).toEqual([]);
      mutex.unlock(machine.platform.running as Cpu);
      yield* until(p, () => results.length === 2);
    });
    expect(results.sort((a, b) => a - b)).toEqual([-EINVAL, 0]);
  });

  it('is refused to a process that is not a service, and to one whose open file came from a service', () => {
    const { machine } = world();
    const results: number[] = [];
    const process = machine.spawn(executable('no service', noService, rpalLess()));
    function* noService(p: Program) {
      const c = yield* Control.open(p);
      for (const command of Object.values(RpalIoctl)) results.push(yield* c.ioctl(command, c.note));
      results.push(yield* p.read(c.fd, c.note, 64), yield* c.share());
      results.push(yield* p.ioctl(99, RpalIoctl.GET_SERVICE_ID, c.note));
    }
    finish(machine);
    expect(process.exit).toMatchObject({ status: 0, signal: 0 });
    expect(new Set(results.slice(0, -1))).toEqual(new Set([-EINVAL]));
    expect(results.at(-1)).toBe(-Errno.EBADF);
    exercised.add('any, caller without a service');
  });

  it('ENABLE_SERVICE: a program that is not position independent never gets that far', () => {
    const setting = world();
    let result: number | undefined;
    const { machine, rpal } = setting;
    const parts = {
      ...rpalLess(true),
      pie: false,
      // Linked, by chance, into the slice that it is given.
      segments: rpalLess().segments.map((segment) => ({ ...segment, address: segment.address + RPAL_ADDR_SPACE_SIZE + 0x40_0000 })),
    };
    const main = function* (p: Program) {
      const c = yield* Control.open(p);
      result = yield* c.enable();
    };
    machine.spawn(executable('not position independent', main, parts));
    finish(machine);
    expect(result).toBe(-EINVAL);
    expect(rpal.instruments.log.join()).toMatch(/not position independent/);
    exercised.add('ENABLE_SERVICE, not position independent');
  });

  it('ENABLE: the ret section that it registers ends before its end', () => {
    const setting = world();
    const inside: boolean[] = [];
    run(setting, function* (p) {
      const c = yield* Control.open(p);
      const [begin, end] = [c.note + 0x100, c.note + 0x120];
      yield* c.enable({ retBegin: begin, retEnd: end });
      const service = rpalThread(p.context.thread).service;
      for (const address of [begin - 1, begin, end - 1, end]) inside.push(service?.inRetSection(address) === true);
    });
    expect(inside).toEqual([false, true, true, false]);
  });

  it.each([
    ['stream', SocketType.STREAM],
    ['sequenced packets', SocketType.SEQPACKET],
  ])('UDS_FDMAP, %s: the receiver and the descriptor at the other end; nobody there; no room for the result', (_kind, type) => {
    const setting = world();
    const seen: number[] = [];
    let waits = false;
    pairOfServices(
      setting,
      function* (p, c) {
        const listener = yield* p.socket(type);
        yield* p.bind(listener, '/tmp/far');
        yield* p.listen(listener, 1);
        const fd = yield* p.accept(listener);
        const epfd = yield* p.epollCreate();
        yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN);
        const page = yield* c.share();
        yield* p.store32(page + Rcc.receiverId, 3);
        yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
        yield* p.store32(page + Rcc.epPollMagic, RPAL_EP_POLL_MAGIC);
        yield* p.store64(page + Rcc.events, c.note);
        yield* p.store32(page + Rcc.maxevents, 8);
        yield* p.store32(page + Rcc.timeout, -1);
        seen.push(fd);
        waits = true;
        yield* p.epollWait(epfd, c.note, 8, -1);
      },
      function* (p, c) {
        const fd = yield* p.socket(type);
        while ((yield* p.connect(fd, '/tmp/far')) < 0) yield* p.sleep(1e5);
        yield* until(p, () => waits);
        yield* p.sleep(1e6);
        yield* p.store32(c.note + FdmapArg.serviceId, 0);
        yield* p.store32(c.note + FdmapArg.cfd, fd);
        // The result goes where the record points to. The record itself is only read.
        const result = yield* p.allocate(4096);
        yield* p.store64(c.note + FdmapArg.res, result);
        yield* p.mprotect(c.note, 4096, Prot.READ);
        seen.push(yield* c.ioctl(RpalIoctl.UDS_FDMAP, c.note));
        seen.push(yield* p.load32(result), yield* p.load32(result + 4));
        yield* p.mprotect(c.note, 4096, Prot.READ | Prot.WRITE);
        yield* p.mprotect(result, 4096, Prot.READ);
        seen.push(yield* c.ioctl(RpalIoctl.UDS_FDMAP, c.note));
        yield* p.store32(c.note + FdmapArg.serviceId, 7);
        seen.push(yield* c.ioctl(RpalIoctl.UDS_FDMAP, c.note));
        yield* p.write(fd, c.note, 1);
        yield* p.sleep(1e6);
      },
    );
    const [far, ...results] = seen;
    expect(results).toEqual([0, far, 3, -EFAULT, 0]);
    for (const check of ['ok', 'result cannot be stored', 'no receiver found: 0']) exercised.add(`UDS_FDMAP, ${check}`);
  });

  it('has had every check and effect of every command exercised', () => {
    const all = Object.entries(table).flatMap(([command, checks]) => checks.map((check) => `${command}, ${check}`));
    const lines = Object.entries(table).map(([command, checks]) => {
      const seen = checks.filter((check) => exercised.has(`${command}, ${check}`));
      return `  ${command}: ${seen.length} of ${checks.length}`;
    });
    console.log(`checks and effects of the commands (4.2), rows exercised:\n${lines.join('\n')}`);
    expect(all.filter((row) => !exercised.has(row))).toEqual([]);
    expect([...exercised].filter((row) => !all.includes(row))).toEqual([]);
  });
});

/** The parts of an image without its program. */
function rpalLess(magic = false) {
  const image = { name: 'program', ident: new Uint8Array(16), pie: true, dynamic: true, segments: segments() };
  image.ident.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  if (magic) image.ident.set(new TextEncoder().encode('RPAL'), 12);
  return image;
}

function segments() {
  return [
    { address: 0, bytes: 0x1_0000, prot: 5 },
    { address: 0x1_0000, bytes: 0x4_0000, prot: 3 },
  ];
}
