import { describe, expect, it } from 'vitest';
import { closesLoop, tooManyPaths, type WatchGraph } from '../src/eventpoll/nesting.js';

/** A file, or an epoll: something that watches others. */
interface Node {
  readonly watched: Node[] | null;
  readonly watching: Node[];
}

type Epoll = Node & { readonly watched: Node[] };

const graph: WatchGraph<Node, Epoll> = {
  isEpoll: (node): node is Epoll => node.watched !== null,
  watched: ({ watched }) => watched,
  watching: ({ watching }) => watching as Epoll[],
};

const file = (): Node => ({ watched: null, watching: [] });
const epoll = (): Epoll => ({ watched: [], watching: [] });

function watch(by: Epoll, node: Node): void {
  by.watched.push(node);
  node.watching.push(by);
}

/** Epolls each of which watches the next. */
function chain(length: number): Epoll[] {
  const epolls = Array.from({ length }, epoll);
  for (let i = 1; i < length; i++) watch(epolls[i - 1] as Epoll, epolls[i] as Epoll);
  return epolls;
}

describe('watching an epoll', () => {
  it('closes a loop if that watches the watcher, however indirectly', () => {
    const epolls = chain(3);
    const [top, middle, bottom] = epolls as [Epoll, Epoll, Epoll];
    for (const direction of ['down', 'both'] as const) {
      expect(closesLoop(graph, bottom, top, direction)).toBe(true);
      expect(closesLoop(graph, middle, top, direction)).toBe(true);
      expect(closesLoop(graph, epoll(), top, direction)).toBe(false);
    }
  });

  it.each([
    [5, 'down', false],
    [6, 'down', false],
    [7, 'down', true],
    [4, 'both', false],
    [5, 'both', true],
  ] as const)('with %i in a row below, counting %s, is refused: %s', (below, direction, refused) => {
    expect(closesLoop(graph, epoll(), chain(below)[0] as Epoll, direction)).toBe(refused);
  });

  it('counts those above only from 6.17 on', () => {
    const above = chain(3);
    const below = chain(2);
    const link = (direction: 'down' | 'both') => closesLoop(graph, above.at(-1) as Epoll, below[0] as Epoll, direction);
    expect([link('down'), link('both')]).toEqual([false, false]);
    const higher = epoll();
    watch(higher, above[0] as Epoll);
    expect([link('down'), link('both')]).toEqual([false, true]);
  });
});

describe('the paths of wake-ups away from a file', () => {
  /** So many epolls watch the file, each of which is watched by `length - 1` others in a row. */
  function paths(of: Node, count: number, length: number): void {
    for (let i = 0; i < count; i++) {
      const row = chain(length);
      watch(row.at(-1) as Epoll, of);
    }
  }

  it.each([
    [1, 2000, false],
    [2, 500, false],
    [2, 501, true],
    [3, 100, false],
    [3, 101, true],
    [4, 50, false],
    [4, 51, true],
    [5, 10, false],
    [5, 11, true],
    [6, 1, true],
  ])('of length %i may be %i: too many is %s', (length, count, tooMany) => {
    const end = file();
    paths(end, count, length);
    expect(tooManyPaths(graph, end)).toBe(tooMany);
  });

  it('are counted for each file that an epoll watches, from zero', () => {
    const inner = epoll();
    for (let i = 0; i < 3; i++) watch(inner, file());
    paths(inner, 400, 1);
    expect(tooManyPaths(graph, inner), 'three times 400').toBe(false);
    paths(inner, 101, 1);
    expect(tooManyPaths(graph, inner)).toBe(true);
  });
});
