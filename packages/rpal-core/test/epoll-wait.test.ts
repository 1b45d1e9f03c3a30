import { definePlugin } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import type { Program } from '@rpal/kernel';
import { EPOLL_EVENT_SIZE, Epoll, Errno, Poll } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { callState, Rcc, ReceiverState, RPAL_EP_POLL_MAGIC, RPAL_KERNEL_PENDING, RpalIoctl } from '../src/index.js';
import { Control, run, world } from './world.js';

/** What `epoll_wait` of a receiver leaves in `ep_pending` when it has delivered its only event. @param another event comes just then */
function pendingAfter(another: boolean): { readonly events: number; readonly pending: number } {
  let atClear = (_waiter: Cpu): void => {};
  const between = definePlugin({
    name: 'between',
    version: '1.0.0',
    setup: ({ plugin, hooks }) => {
      hooks.kernelYieldPoint.tap(plugin, (cpu, point) => {
        if (point === 'KERNEL_PENDING cleared') atClear(cpu);
      });
    },
  });
  const setting = world({}, { plugins: [between()] });
  const { platform } = setting.machine;
  let events = 0;
  let pending = 0;
  run(setting, function* (p) {
    const c = yield* Control.open(p);
    const first = yield* p.eventfd(1);
    const second = yield* p.eventfd();
    const epfd = yield* p.epollCreate();
    for (const fd of [first, second]) yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN | Epoll.ET);
    const page = yield* c.share();
    const value = yield* p.allocate(4096);
    yield* p.store64(value, 1);
    let cleared = false;
    let written = !another;
    if (another) {
      yield* p.clone(function* (q) {
        yield* q.setAffinity([1]);
        while (!cleared) yield* q.compute(100);
        yield* q.write(second, value, 8);
        written = true;
      });
    }
    yield* p.sleep(1e6);
    yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
    yield* p.store32(page + Rcc.epPollMagic, RPAL_EP_POLL_MAGIC);
    yield* p.store32(page + Rcc.epPending, RPAL_KERNEL_PENDING);
    yield* p.store64(page + Rcc.events, c.note);
    yield* p.store32(page + Rcc.maxevents, 8);
    atClear = (waiter) => {
      cleared = true;
      atClear = () => {};
      for (let turns = 0; turns < 2000 && !written; turns++) {
        if (platform.queue.nextTime < waiter.clock) platform.queue.pop().fire();
        for (const cpu of platform.cpus) if (cpu !== waiter && !cpu.halted) platform.stepOnce(cpu);
      }
    };
    events = yield* p.epollWait(epfd, c.note, 8, 0);
    pending = yield* p.load32(page + Rcc.epPending);
  });
  return { events, pending };
}

describe('epoll_wait of a receiver', () => {
  it('takes KERNEL_PENDING back when it has delivered everything', () => {
    expect(pendingAfter(false)).toEqual({ events: 1, pending: 0 });
  });

  it('leaves it to an event that comes between its last look and the clearing: nobody else would tell of that one', () => {
    expect(pendingAfter(true)).toEqual({ events: 1, pending: RPAL_KERNEL_PENDING });
  });

  // A receiver that is being called is first in the queue, and uses the wake-up up (refused-wake-up-consumed).
  it('gives nothing when its time is up while it is still queued, though an event is there: it does not look again', () => {
    const seen: number[] = [];
    run(world(), function* (p) {
      const c = yield* Control.open(p);
      const fd = yield* p.eventfd();
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN | Epoll.ET);
      const page = yield* c.share();
      yield* p.store64(c.note, 1);
      const receiver = function* (q: Program, rcc: number, timeout: number): Generator<void, void> {
        yield* q.ioctl(c.fd, RpalIoctl.REGISTER_RECEIVER, rcc);
        yield* q.store32(rcc + Rcc.epPollMagic, RPAL_EP_POLL_MAGIC);
        yield* q.store64(rcc + Rcc.events, rcc + 512);
        yield* q.store32(rcc + Rcc.maxevents, 8);
        seen.push(yield* q.epollWait(epfd, rcc + 512, 8, timeout));
      };
      yield* p.clone(function* (q) {
        yield* q.setAffinity([1]);
        yield* receiver(q, page, 10);
      });
      yield* p.clone(function* (q) {
        yield* q.setAffinity([2]);
        yield* q.sleep(1e6);
        yield* receiver(q, page + 1024, -1);
      });
      yield* p.sleep(3e6);
      yield* p.store32(page + 1024 + Rcc.receiverState, callState(3, 7));
      yield* p.write(fd, c.note, 8);
      while (seen.length === 0) yield* p.sleep(1e6);
      yield* p.store32(page + 1024 + Rcc.receiverState, ReceiverState.WAIT);
      while (seen.length === 1) yield* p.sleep(1e6);
    });
    expect(seen).toEqual([0, 1]);
  });

  it('with its repaired arguments refuses what epoll_wait refuses: no events, too many, a buffer that reaches beyond user memory', () => {
    const most = Math.floor((2 ** 31 - 1) / EPOLL_EVENT_SIZE);
    const results: number[] = [];
    run(world({ repair: ['wait-arguments-unchecked'] }), function* (p) {
      const c = yield* Control.open(p);
      const fd = yield* p.eventfd(1);
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN);
      const page = yield* c.share();
      yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
      yield* p.store32(page + Rcc.epPollMagic, RPAL_EP_POLL_MAGIC);
      for (const [count, buffer] of [
        [0, c.note],
        [-1, c.note],
        [most + 1, c.note],
        [1, 0],
        [1, 2 ** 47 - 4096 - EPOLL_EVENT_SIZE + 1],
        [8, c.note],
      ] as const) {
        yield* p.store64(page + Rcc.events, buffer);
        yield* p.store32(page + Rcc.maxevents, count);
        results.push(yield* p.epollWait(epfd, c.note, 8, 0));
      }
    });
    const { EINVAL, EFAULT } = Errno;
    expect(results).toEqual([-EINVAL, -EINVAL, -EINVAL, -EFAULT, -EFAULT, 1]);
  });
});
