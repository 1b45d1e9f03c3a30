import { Epoll, Poll } from '@rpal/uapi';
import { describe, expect, it } from 'vitest';
import { EpollStep, PollEntry } from '../src/index.js';
import { EpollLab as Lab } from './lab.js';

describe('an epoll instance', () => {
  it('is on the wait queue of what it watches, with an entry that names its item', () => {
    const { cpu, epoll, b } = withPair();
    epoll.control(cpu, Epoll.CTL_ADD, b, 5, Poll.IN, 7, 0);
    const { first } = b.wait;
    expect(first).toBeInstanceOf(PollEntry);
    expect((first as PollEntry).item).toMatchObject({ fd: 5, dataLow: 7, ready: false });
    epoll.control(cpu, Epoll.CTL_DEL, b, 5, 0, 0, 0);
    expect(b.wait.active).toBe(false);
    expect(b.watchers).toEqual([]);
  });

  it('tells the same file apart by descriptor', () => {
    const { cpu, lab, epoll, a, b } = withPair();
    epoll.control(cpu, Epoll.CTL_ADD, b, 5, Poll.IN, 1, 0);
    epoll.control(cpu, Epoll.CTL_ADD, b, 6, Poll.IN, 2, 0);
    a.write(cpu, lab.caller, lab.buffer, 4);
    expect(lab.events(epoll).map(([data]) => data)).toEqual([2, 1]);
  });

  it('filters: a change that an item did not ask for does not make it ready', () => {
    const { cpu, lab, epoll, a, b } = withPair();
    epoll.control(cpu, Epoll.CTL_ADD, a, 5, Poll.PRI | Epoll.ET, 1, 0);
    b.write(cpu, lab.caller, lab.buffer, 4);
    expect(epoll.eventsAvailable).toBe(true);
    expect(lab.events(epoll)).toEqual([]);
    epoll.control(cpu, Epoll.CTL_MOD, a, 5, Poll.OUT | Epoll.ET, 1, 0);
    expect(lab.events(epoll)).toEqual([[1, Poll.OUT]]);
    b.write(cpu, lab.caller, lab.buffer, 4);
    expect(epoll.eventsAvailable).toBe(false);
  });

  it('charges for a change that it filters out, too: less than for one that it takes', () => {
    const { cpu, lab, epoll, a, b } = withPair();
    const price = (step: number) => cpu.costs.step[step] as number;
    const spent = () => [lab.spentOn(EpollStep.pollCallbackFiltered), lab.spentOn(EpollStep.pollCallback)];
    epoll.control(cpu, Epoll.CTL_ADD, a, 5, Poll.OUT | Epoll.ET, 1, 0);
    b.write(cpu, lab.caller, lab.buffer, 4);
    expect(spent()).toEqual([price(EpollStep.pollCallbackFiltered), 0]);
    epoll.control(cpu, Epoll.CTL_MOD, a, 5, Poll.IN | Epoll.ET, 1, 0);
    b.write(cpu, lab.caller, lab.buffer, 4);
    expect(spent()).toEqual([price(EpollStep.pollCallbackFiltered), price(EpollStep.pollCallback)]);
    expect(price(EpollStep.pollCallbackFiltered)).toBeLessThan(price(EpollStep.pollCallback));
  });

  it('announces the events on its list as messages without bytes (messagePut, messageTaken)', () => {
    const { cpu, lab, epoll, a, b } = withPair();
    epoll.control(cpu, Epoll.CTL_ADD, b, 5, Poll.IN, 1, 0);
    const seen: [string, number, string][] = [];
    const { messagePut, messageTaken } = lab.scheduler.events;
    messagePut.on('test', (_cpu, _time, queue, bytes) => queue === epoll.handover && seen.push(['put', bytes, queue.name]));
    messageTaken.on('test', (_cpu, _time, queue, bytes) => queue === epoll.handover && seen.push(['taken', bytes, queue.name]));
    a.write(cpu, lab.caller, lab.buffer, 4);
    lab.events(epoll);
    expect(epoll.handover.name).toMatch(/^epoll \d+$/);
    expect(seen).toEqual([
      ['put', 0, epoll.handover.name],
      ['taken', 0, epoll.handover.name],
    ]);
  });

  it('lets go of everything with its last reference', () => {
    const { cpu, epoll, a, b } = withPair();
    epoll.control(cpu, Epoll.CTL_ADD, a, 5, Poll.IN, 1, 0);
    epoll.control(cpu, Epoll.CTL_ADD, b, 6, Poll.IN, 2, 0);
    epoll.put(cpu);
    expect([a.wait.active, b.wait.active, a.watchers.length]).toEqual([false, false, 0]);
  });

  it('can be watched itself: readable while one of its items has events', () => {
    const { cpu, lab, epoll, a, b } = withPair();
    const outer = lab.epoll();
    epoll.control(cpu, Epoll.CTL_ADD, b, 5, Poll.IN, 1, 0);
    outer.control(cpu, Epoll.CTL_ADD, epoll, 6, Poll.IN, 2, 0);
    expect(lab.events(outer)).toEqual([]);
    a.write(cpu, lab.caller, lab.buffer, 4);
    expect(lab.events(outer)).toEqual([[2, Poll.IN]]);
    b.read(cpu, lab.caller, lab.buffer, 4);
    expect(lab.events(outer)).toEqual([]);
  });

  it('asks plugins before it waits', () => {
    const lab = new Lab();
    const epoll = lab.epoll();
    lab.seams.hooks.epollWait.tap('test', (_cpu, _caller, _epoll, timeout) => ({ step: () => 1000 + timeout }));
    expect(epoll.waitForEvents(lab.cpu, lab.caller, lab.buffer, 1, 23)).toBe(1023);
  });
});

function withPair() {
  const lab = new Lab();
  const [a, b] = lab.pair();
  return { lab, cpu: lab.cpu, epoll: lab.epoll(), a, b };
}
