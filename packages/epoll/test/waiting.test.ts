import { EventFd, EventfdFlag, Pipe } from '@rpal/ipc';
import { EPOLL_EVENT_SIZE, Epoll, Errno, OpenFlag, Poll } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import type { EventPoll } from '../src/index.js';
import { EpollLab } from './lab.js';

const READY = Poll.IN | Poll.OUT;

function withEventfd(events: number, initial = 0) {
  const lab = new EpollLab({}, 3);
  const epoll = lab.epoll();
  const file = new EventFd(lab.scheduler, initial, EventfdFlag.NONBLOCK).get();
  const control = (operation: number, bits: number) => lab.call((cpu) => epoll.control(cpu, operation, file, 5, bits, 1, 0));
  const added = control(Epoll.CTL_ADD, events);
  const signal = () =>
    lab.call((cpu) => {
      file.add(cpu, 0, 1);
      return 0;
    });
  const drain = () => lab.call((cpu, caller) => file.read(cpu, caller, lab.buffer, 8));
  const ready = () => lab.events(epoll).map(([, bits]) => bits);
  return { lab, epoll, file, control, added, signal, drain, ready };
}

describe('what epoll_wait delivers', () => {
  it('level-triggered: an event as long as it is there', () => {
    const { signal, drain, ready } = withEventfd(Poll.IN);
    expect(ready()).toEqual([]);
    signal();
    expect([ready(), ready()]).toEqual([[Poll.IN], [Poll.IN]]);
    drain();
    expect(ready()).toEqual([]);
  });

  it('edge-triggered: each change once', () => {
    const { signal, ready } = withEventfd(Poll.IN | Epoll.ET);
    signal();
    expect([ready(), ready()]).toEqual([[Poll.IN], []]);
    signal();
    expect([ready(), ready()]).toEqual([[Poll.IN], []]);
  });

  it('one-shot: once, until it is armed again', () => {
    const { signal, ready, control } = withEventfd(Poll.IN | Epoll.ONESHOT);
    signal();
    expect([ready(), ready()]).toEqual([[Poll.IN], []]);
    signal();
    expect(ready()).toEqual([]);
    control(Epoll.CTL_MOD, Poll.IN | Epoll.ONESHOT);
    expect(ready()).toEqual([[Poll.IN][0]]);
  });

  it('what is ready already when it is added, or modified to be of interest', () => {
    const { ready, control } = withEventfd(Poll.IN, 7);
    expect(ready()).toEqual([Poll.IN]);
    expect([control(Epoll.CTL_MOD, Poll.OUT), ready()]).toEqual([0, [Poll.OUT]]);
    expect([control(Epoll.CTL_MOD, READY), ready()]).toEqual([0, [READY]]);
  });

  it('in the order in which it became ready; what is level-triggered goes behind the others', () => {
    const lab = new EpollLab();
    const epoll = lab.epoll();
    const files = [0, 1, 2].map(() => new EventFd(lab.scheduler, 0, 0).get());
    for (const [i, file] of files.entries()) lab.call((cpu) => epoll.control(cpu, Epoll.CTL_ADD, file, i, Poll.IN, i, 0));
    for (const i of [2, 0, 1]) lab.call((cpu) => ((files[i] as EventFd).add(cpu, 0, 1) ? 0 : 1));
    expect(lab.events(epoll, 1)).toEqual([[2, Poll.IN]]);
    expect(lab.events(epoll, 1)).toEqual([[0, Poll.IN]]);
    expect(lab.events(epoll).map(([data]) => data)).toEqual([1, 2, 0]);
  });

  it('not beyond memory that can be written: what does not fit stays ready', () => {
    const { lab, epoll, signal, ready } = withEventfd(Poll.IN);
    signal();
    const wait = (address: number, maximum: number) => lab.call((cpu, caller) => epoll.waitForEvents(cpu, caller, address, maximum, 0));
    expect([wait(0x1000, 1), ready()]).toEqual([-Errno.EFAULT, [Poll.IN]]);
    const most = Math.floor(0x7fff_ffff / EPOLL_EVENT_SIZE);
    expect([wait(lab.buffer, 0), wait(lab.buffer, -1), wait(lab.buffer, most + 1), wait(lab.buffer, most)]).toEqual([
      -Errno.EINVAL,
      -Errno.EINVAL,
      -Errno.EINVAL,
      1,
    ]);
  });

  it('nothing of a file that is gone, though it was ready', () => {
    const { lab, epoll, file, signal, ready } = withEventfd(Poll.IN);
    signal();
    file.put(lab.cpu);
    expect([ready(), epoll.items, lab.polls.watches]).toEqual([[], [], 0]);
  });
});

describe('epoll_ctl', () => {
  it('adds once, and modifies and deletes only what is there', () => {
    const { control, lab, epoll } = withEventfd(Poll.IN);
    const other = new EventFd(lab.scheduler, 0, 0).get();
    expect(control(Epoll.CTL_ADD, Poll.IN)).toBe(-Errno.EEXIST);
    for (const operation of [Epoll.CTL_MOD, Epoll.CTL_DEL])
      expect(lab.call((cpu) => epoll.control(cpu, operation, other, 6, Poll.IN, 0, 0))).toBe(-Errno.ENOENT);
    expect([control(9, 0), control(Epoll.CTL_DEL, 0), control(Epoll.CTL_DEL, 0)]).toEqual([-Errno.EINVAL, 0, -Errno.ENOENT]);
    expect(
      lab.call((cpu) => epoll.control(cpu, Epoll.CTL_ADD, epoll, 9, Poll.IN, 0, 0)),
      'itself',
    ).toBe(-Errno.EINVAL);
  });

  it('takes EPOLLEXCLUSIVE only when a file is added, with few other bits, and not for epolls', () => {
    const { lab, epoll, control } = withEventfd(Poll.IN | Epoll.EXCLUSIVE);
    expect(control(Epoll.CTL_MOD, Poll.IN), 'it is exclusive').toBe(-Errno.EINVAL);
    expect(control(Epoll.CTL_MOD, Poll.IN | Epoll.EXCLUSIVE)).toBe(-Errno.EINVAL);
    const add = (file: Parameters<EventPoll['control']>[2], bits: number) =>
      lab.call((cpu) => epoll.control(cpu, Epoll.CTL_ADD, file, 6, bits, 0, 0));
    const other = new EventFd(lab.scheduler, 0, 0).get();
    expect([add(lab.epoll(), Poll.IN | Epoll.EXCLUSIVE), add(other, Poll.PRI | Epoll.EXCLUSIVE)]).toEqual([-Errno.EINVAL, -Errno.EINVAL]);
    expect(add(other, READY | Poll.ERR | Poll.HUP | Epoll.ET | Epoll.EXCLUSIVE)).toBe(0);
    const plain = withEventfd(Poll.IN);
    expect(plain.control(Epoll.CTL_MOD, Poll.IN | Epoll.EXCLUSIVE), 'and cannot become so').toBe(-Errno.EINVAL);
  });

  it('watches no more files than one user may', () => {
    const lab = new EpollLab({ maxUserWatches: 2 });
    const epoll = lab.epoll();
    const file = new EventFd(lab.scheduler, 0, 0).get();
    const add = (fd: number) => lab.call((cpu) => epoll.control(cpu, Epoll.CTL_ADD, file, fd, Poll.IN, 0, 0));
    expect([add(1), add(2), add(3)]).toEqual([0, 0, -Errno.ENOSPC]);
    lab.call((cpu) => epoll.control(cpu, Epoll.CTL_DEL, file, 1, 0, 0, 0));
    expect(add(3)).toBe(0);
  });

  it.each([
    ['6.15', false, 7],
    ['6.17', true, 5],
  ])('refuses circles, and nests epolls only so deep: %s', (_release, nestingCountsUpwards, refused) => {
    const lab = new EpollLab({ nestingCountsUpwards });
    const epolls = Array.from({ length: 9 }, () => lab.epoll());
    const add = (outer: number, inner: number) =>
      lab.call((cpu) => (epolls[outer] as EventPoll).control(cpu, Epoll.CTL_ADD, epolls[inner] as EventPoll, inner, Poll.IN, 0, 0));
    // Each new one on top of the others.
    const results = [1, 2, 3, 4, 5, 6, 7].map((outer) => add(outer, outer - 1));
    expect(results.slice(0, refused).every((result, i) => result === (i + 1 < refused ? 0 : -Errno.ELOOP))).toBe(true);
    expect(add(0, 1)).toBe(-Errno.ELOOP);
  });
});

describe('epoll_wait that waits', () => {
  const waiter = (epoll: EventPoll, timeout: number, got: number[], maximum = 4) =>
    function* ({ caller, buffer }: { caller: EpollLab['caller']; buffer: number }) {
      got.push(yield (cpu: EpollLab['cpu']) => epoll.waitForEvents(cpu, caller, buffer, maximum, timeout));
    };

  it('is woken by an event', () => {
    const { lab, epoll, signal } = withEventfd(Poll.IN);
    const got: number[] = [];
    lab.actor(waiter(epoll, -1, got), 1);
    lab.run();
    expect(got).toEqual([]);
    signal();
    lab.finish();
    expect(got).toEqual([1]);
  });

  it('sleeps through changes that no item asks for', () => {
    const { lab, epoll, file } = withEventfd(Poll.OUT | Epoll.ET, 1);
    lab.events(epoll);
    const got: number[] = [];
    lab.actor(waiter(epoll, 5, got), 1);
    lab.run(1e6);
    lab.call((cpu) => (file.add(cpu, 0, 1) ? 0 : 1));
    lab.run(1e6);
    expect(got).toEqual([]);
    lab.finish();
    expect(got, 'the time is up').toEqual([0]);
  });

  it('ends with its time, and with a signal', () => {
    const { lab, epoll } = withEventfd(Poll.IN);
    const got: number[] = [];
    lab.actor(waiter(epoll, 2, got), 1);
    const waits = lab.actor(waiter(epoll, -1, got), 2);
    lab.run(1e6);
    expect(got).toEqual([]);
    lab.run(2e6);
    waits.interrupt(lab.cpu);
    lab.finish();
    expect(got).toEqual([0, -Errno.EINTR]);
  });

  it.each([
    ['edge-triggered: one', Poll.IN | Epoll.ET, 1],
    ['level-triggered: all, each by the one before it, as long as the event is there', Poll.IN, 2],
  ])('wakes of several waiters, if it is %s', (_how, bits, woken) => {
    const { lab, epoll, signal } = withEventfd(bits);
    const got: number[] = [];
    lab.actor(waiter(epoll, -1, got, 1), 1);
    lab.actor(waiter(epoll, -1, got, 1), 2);
    lab.run();
    signal();
    lab.run();
    expect(got).toEqual(Array(woken).fill(1));
  });

  it.each([
    ['exclusively: one is woken', Epoll.EXCLUSIVE, 1],
    ['otherwise: all are', 0, 3],
  ])('on several instances that watch one file %s', (_how, bit, woken) => {
    const lab = new EpollLab({}, 3);
    const [from, to] = Pipe.create(lab.scheduler, lab.manager.frames, OpenFlag.NONBLOCK);
    from.get();
    to.get();
    const got: number[] = [];
    for (let i = 0; i < 3; i++) {
      const epoll = lab.epoll();
      lab.call((cpu) => epoll.control(cpu, Epoll.CTL_ADD, from, 5, Poll.IN | bit, i, 0));
      lab.actor(waiter(epoll, -1, got), i);
    }
    lab.run();
    lab.call((cpu, caller) => to.write(cpu, caller, lab.buffer, 1));
    lab.run();
    expect(got).toHaveLength(woken);
  });
});
