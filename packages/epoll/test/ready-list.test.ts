import { describe, expect, it } from 'vitest';
import { type ReadyItem, ReadyList } from '../src/eventpoll/ready-list.js';

class Item implements ReadyItem {
  readonly name: string;
  ready = false;
  next: this | null = null;

  constructor(name: string) {
    this.name = name;
  }
}

function names(list: ReadyList<Item>): string {
  let text = '';
  let first: Item | null = null;
  for (let item = list.startScan(); item !== null; item = item.next) {
    first ??= item;
    text += item.name;
  }
  list.endScan(first, null);
  return text;
}

describe('a ready list', () => {
  const make = () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => new Item(name)) as [Item, Item, Item];
    return { list: new ReadyList<Item>(), a, b, c };
  };

  it('keeps the order in which items became ready, each once', () => {
    const { list, a, b, c } = make();
    for (const item of [b, a, b, c, a]) list.add(item);
    expect([names(list), list.empty, list.available]).toEqual(['bac', false, true]);
  });

  it('takes items off wherever they are, and goes on behind the last', () => {
    for (const gone of [0, 1, 2]) {
      const { list, a, b, c } = make();
      const items = [a, b, c];
      for (const item of items) list.add(item);
      list.remove(items[gone] as Item);
      expect((items[gone] as Item).ready).toBe(false);
      list.add(new Item('d'));
      expect(names(list)).toBe(
        `${items
          .filter((_, i) => i !== gone)
          .map(({ name }) => name)
          .join('')}d`,
      );
    }
  });

  it('keeps what becomes ready during a scan apart, and puts it between what was not looked at and what stays', () => {
    const { list, a, b, c } = make();
    list.add(a);
    list.add(b);
    const first = list.startScan() as Item;
    expect([first, list.empty, list.available, list.scanning]).toEqual([a, true, false, true]);
    first.ready = false;
    first.next = null;
    list.add(c);
    expect([list.empty, list.available, c.ready]).toEqual([true, true, true]);
    const stays = new Item('s');
    list.endScan(b, stays);
    expect([names(list), stays.ready]).toEqual(['bcs', true]);
  });

  it('takes items off the overflow list, too', () => {
    const { list, a, b } = make();
    list.startScan();
    list.add(a);
    list.add(b);
    list.remove(a);
    list.endScan(null, null);
    expect([names(list), a.ready]).toEqual(['b', false]);
  });
});
