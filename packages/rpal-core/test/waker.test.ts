import { definePlugin } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import { TaskState } from '@rpal/sched';
import { Epoll, Poll } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { Rcc, ReceiverState, RPAL_EP_POLL_MAGIC, RPAL_USER_PENDING, RpalIoctl, ServiceChange } from '../src/index.js';
import { RpalStep } from '../src/steps.js';
import { Control, run, world } from './world.js';

/**
 * All is done by system calls but for the moment: between choosing and waking the waker is for one moment in a tick, and the receiver must run to its
 * end in it. So whoever is on other CPUs is let go on there.
 *
 * The waker chooses a receiver for which words are queued. Before it wakes it, an event does, on other CPUs, and the receiver, a thread of
 * its own, unregisters and ends. @returns whether it had ended when the waker went on
 */
function endsWhenChosen(repair: readonly 'waker-holds-nobody'[]): boolean {
  let chosen = false;
  let ended = false;
  let othersGoOn = (_waker: Cpu): void => {};
  const between = definePlugin({
    name: 'between',
    version: '1.0.0',
    setup: ({ plugin, hooks }) => {
      hooks.kernelYieldPoint.tap(plugin, (cpu, point) => {
        if (point === 'waker: receiver chosen') othersGoOn(cpu);
      });
    },
  });
  const setting = world({ repair }, { plugins: [between()] });
  const { platform } = setting.machine;
  run(setting, function* (p) {
    const c = yield* Control.open(p);
    const fd = yield* p.eventfd();
    const epfd = yield* p.epollCreate();
    yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN);
    const page = yield* c.share();
    yield* p.store64(c.note, 1);
    let over = false;
    yield* p.clone(function* (q) {
      yield* q.setAffinity([1]);
      yield* q.ioctl(c.fd, RpalIoctl.REGISTER_RECEIVER, page);
      yield* q.store32(page + Rcc.epPollMagic, RPAL_EP_POLL_MAGIC);
      yield* q.store64(page + Rcc.events, c.note + 64);
      yield* q.store32(page + Rcc.maxevents, 8);
      const { thread } = q.context;
      othersGoOn = (waker) => {
        chosen = true;
        othersGoOn = () => {};
        for (let turns = 0; turns < 2000 && thread.state !== TaskState.DEAD; turns++) {
          if (turns % 3 === 0 && platform.queue.nextTime < waker.clock + 1e6) platform.queue.pop().fire();
          for (const cpu of platform.cpus) if (cpu !== waker && !cpu.halted) platform.stepOnce(cpu);
        }
        ended = thread.state === TaskState.DEAD;
      };
      yield* q.epollWait(epfd, c.note + 64, 8, -1);
      yield* q.ioctl(c.fd, RpalIoctl.UNREGISTER_RECEIVER, 0);
      over = true;
    });
    yield* p.clone(function* (q) {
      yield* q.setAffinity([2]);
      yield* q.sleep(2e6);
      expect(yield* q.load32(page + Rcc.receiverState)).toBe(ReceiverState.WAIT);
      yield* q.store32(page + Rcc.epPending, RPAL_USER_PENDING);
      while (!chosen) yield* q.compute(100);
      yield* q.write(fd, c.note, 8);
    });
    while (!over) yield* p.sleep(1e6);
  });
  return ended;
}

describe('a receiver that ends between its choice by the waker and its wake-up', () => {
  it('as written is woken after its end: use after free', () => {
    expect(() => endsWhenChosen([])).toThrow(
      /the waker of service 0 wakes thread \d+, which has ended meanwhile \(use after free, patch 31\)/,
    );
  });

  it('repaired is left alone', () => expect(endsWhenChosen(['waker-holds-nobody'])).toBe(true));
});

describe('a service that unregisters', () => {
  it('has its waker run once more, which finds nobody', () => {
    const setting = world();
    const { platform, bus } = setting.machine;
    const runs = (): number => platform.cpus.reduce((sum, { ledger }) => sum + (ledger.cells[2 * RpalStep.waker + 1] as number), 0);
    const seen: number[] = [];
    bus.events.rpalService.on('test', (_cpu, _time, _service, change) => {
      if (change === ServiceChange.DISABLED || change === ServiceChange.UNREGISTERED) seen.push(runs());
    });
    run(setting, function* (p) {
      const c = yield* Control.open(p);
      yield* c.enable();
      yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, yield* c.share());
    });
    const [before = 0, after = 0] = seen;
    expect(after - before).toBe(1);
  });
});

describe('a receiver that collects its events', () => {
  it('has KERNEL_PENDING cleared though it is not set: an exchange besides that of the state', () => {
    const setting = world();
    let made = -1;
    run(setting, function* (p) {
      const c = yield* Control.open(p);
      const fd = yield* p.eventfd(1);
      const epfd = yield* p.epollCreate();
      yield* p.epollCtl(epfd, Epoll.CTL_ADD, fd, Poll.IN | Epoll.ET);
      const page = yield* c.share();
      yield* c.ioctl(RpalIoctl.REGISTER_RECEIVER, page);
      yield* p.store32(page + Rcc.epPollMagic, RPAL_EP_POLL_MAGIC);
      yield* p.store64(page + Rcc.events, c.note);
      yield* p.store32(page + Rcc.maxevents, 8);
      const { cpu } = p.context;
      const exchanges = (): number => cpu.ledger.cells[2 * RpalStep.stateChange + 1] as number;
      const before = exchanges();
      expect(yield* p.epollWait(epfd, c.note, 8, 0)).toBe(1);
      made = exchanges() - before;
    });
    expect(made).toBe(2);
  });
});
