import { type CpuProfile, ModelBug } from '@rpal/hw-x86';
import { createMachine, type Program } from '@rpal/kernel';
import { EPOLLRPALIN, findReceiver, introduce, librpal, rpalExecutable, welcome } from '@rpal/librpal';
import { rpal } from '@rpal/rpal-core';
import { Epoll, Poll, SocketType } from '@rpal/uapi';
import { attackProfile, type IsolationName } from './attacks.js';
import { noMpk } from './plugin.js';

const PATH = '/tmp/callee';
const WARM_UP = 50;
const CALLS = 200;

/** What a call costs with an isolation, on one profile; TSC cycles, means of 200 calls after 50 to warm up. */
export interface CallCost {
  readonly isolation: IsolationName;
  /** `rpal_write_ptrs` of one word, from entry to return: the callee takes the word and waits again, without a system call. */
  readonly call: number;
  /** As many of them as are not there without isolation. */
  readonly added: number;
}

/**
 * Measures calls with each isolation that runs on the profile.
 * @param base whose prices to use; keys are on for `mpk` only
 */
export function callCosts(isolations: readonly IsolationName[], base?: CpuProfile): readonly CallCost[] {
  const none = measure('none', base);
  return isolations.map((isolation) => {
    const call = isolation === 'none' ? none : measure(isolation, base);
    return { isolation, call, added: call - none };
  });
}

function measure(isolation: IsolationName, base: CpuProfile | undefined): number {
  const plugins = [rpal(), ...(isolation === 'mpk' ? [] : [noMpk({ isolation })])];
  const machine = createMachine({ profile: attackProfile(isolation, base), plugins });
  let cycles = Number.NaN;
  machine.spawn(rpalExecutable('callee', callee), 0);
  machine.spawn(
    rpalExecutable('caller', function* (p) {
      cycles = yield* caller(p);
    }),
    1,
  );
  machine.run();
  return cycles;
}

function* callee(p: Program): Generator<void, void> {
  const listener = yield* p.socket(SocketType.STREAM);
  yield* p.bind(listener, PATH);
  yield* p.listen(listener, 1);
  const fd = yield* p.accept(listener);
  const lib = librpal(p);
  yield* lib.init(1);
  const epfd = yield* p.epollCreate();
  yield* lib.epollCtl(epfd, Epoll.CTL_ADD, fd, EPOLLRPALIN | Poll.IN | Poll.HUP);
  const memory = yield* p.allocate(4096);
  yield* welcome(p, lib, fd);
  do yield* lib.epollWait(epfd, memory, 4, -1);
  while ((yield* lib.readPtrs(fd, memory + 64, 1)) === 1);
}

function* caller(p: Program): Generator<void, number> {
  yield* p.sleep(1e6);
  const fd = yield* p.socket(SocketType.STREAM);
  yield* p.connect(fd, PATH);
  const lib = librpal(p);
  yield* lib.init(1);
  const id = yield* introduce(p, lib, fd);
  const far = yield* findReceiver(p, lib, id, fd);
  if (far === null) throw new ModelBug('the callee never began to wait');
  const words = yield* p.allocate(4096);
  yield* p.store64(words, 1);
  let start = 0;
  for (let i = 0; i < WARM_UP + CALLS; i++) {
    if (i === WARM_UP) start = p.rdtsc();
    if ((yield* lib.writePtrs(id, far, words, 1)) !== 1) throw new ModelBug('a call failed');
  }
  return (p.rdtsc() - start) / CALLS;
}
