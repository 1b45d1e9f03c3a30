import { type KernelLock, LockKind } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { LockOrder, reportText, type Taken } from '../src/index.js';

const spin = (name: string): KernelLock => ({ name, kind: LockKind.SPIN });
const mutex = (name: string): KernelLock => ({ name, kind: LockKind.SLEEPING });
const by = (lock: KernelLock, where = 'somewhere'): Taken => ({ lock, where });

/** Takes locks one after the other, in each list the later ones under the earlier ones. @returns the problems */
function problems(...lists: readonly (readonly KernelLock[])[]): string[] {
  const order = new LockOrder();
  for (const list of lists) {
    list.forEach((lock, i) => {
      order.add(
        list.slice(0, i).map((held) => by(held)),
        by(lock),
        'task 1 (a)',
        0,
      );
    });
  }
  return order.reports.map(
    ({ problem, chains }) => `${problem} ${chains.map(({ held, taken }) => held.lock.name + taken.lock.name).join(' ')}`,
  );
}

describe('the order of locks', () => {
  const [a, b, c] = [mutex('a'), mutex('b'), mutex('c')] as const;

  it('may be any, as long as it is one', () => {
    expect(problems([a, b, c], [a, c], [b, c], [a, b, c])).toEqual([]);
  });

  it('is wrong if two classes are taken in both orders, by whatever locks of theirs', () => {
    expect(problems([a, b], [mutex('b'), mutex('a')])).toEqual(['circular ba ab']);
  });

  it('is wrong if it leads round over a third', () => {
    expect(problems([a, b], [b, c], [c, a])).toEqual(['circular ca ab bc']);
  });

  it('is known by where it was seen first', () => {
    const order = new LockOrder();
    order.add([by(a, 'mmap')], by(b, 'mmap'), 'task 1 (one)', 10);
    order.add([by(a, 'brk')], by(b, 'brk'), 'task 2 (two)', 20);
    expect(order.dependencies.map(({ taken, time }) => [taken.where, time])).toEqual([['mmap', 10]]);
  });

  it('is told once, however often it is seen', () => {
    expect(problems([a, b], [b, a], [a, b], [b, a])).toHaveLength(1);
  });

  it('is no order if a lock is taken twice', () => {
    expect(problems([a, a])).toEqual(['recursive aa']);
  });

  it('of two locks of one class may be one or the other, but not both', () => {
    const [one, two] = [spin('q'), spin('q')];
    expect(problems([one, two], [one, two])).toEqual([]);
    expect(problems([one, two], [two, one])).toEqual(['circular qq']);
  });

  it('has no sleeping lock under a spinning one', () => {
    expect(problems([a, spin('s')])).toEqual([]);
    expect(problems([spin('s'), a])).toEqual(['atomic sa']);
  });

  it('is reported with both chains, and with where each lock was taken', () => {
    const order = new LockOrder();
    order.add([by(a, 'mmap')], by(b, 'mmap, at rpal_mmap (patch 7)'), 'task 1 (one)', 10);
    order.add([by(b, 'ioctl, at ENABLE_SERVICE (patch 10)')], by(a, 'ioctl, at rpal_pkey_setup (patch 26)'), 'task 2 (two)', 20);
    expect(order.reports.map(reportText)).toEqual([
      [
        'possible circular locking dependency',
        '  task 2 (two) takes "a" in ioctl, at rpal_pkey_setup (patch 26)',
        '    holding "b" since ioctl, at ENABLE_SERVICE (patch 10)',
        '  and before, task 1 (one) took "b" in mmap, at rpal_mmap (patch 7)',
        '    holding "a" since mmap',
      ].join('\n'),
    ]);
  });
});
