/** How deep epolls may be nested in each other (fs/eventpoll.c: EP_MAX_NESTS). */
const MAX_NESTS = 4;
/** How many wake-up paths of one epoll, two, ... may lead away from a file. Those of length one are not limited. */
const PATH_LIMITS = [Number.POSITIVE_INFINITY, 500, 100, 50, 10];

/** Who watches whom: files, of which some are epolls. */
export interface WatchGraph<F, E extends F> {
  isEpoll(file: F): file is E;
  /** What `epoll` watches. */
  watched(epoll: E): Iterable<F>;
  /** The epolls that watch `file`. */
  watching(file: F): Iterable<E>;
}

/**
 * Would watching `to` in `epoll` close a loop, or nest too deep (Linux: `ep_loop_check`)?
 * @param direction whether the instances above `epoll` count, too
 */
export function closesLoop<F, E extends F>(graph: WatchGraph<F, E>, epoll: E, to: E, direction: 'down' | 'both'): boolean {
  const down = depthBelow(graph, to, epoll, 0, new Map());
  if (direction === 'down') return down === Number.POSITIVE_INFINITY;
  return down > MAX_NESTS || down + 1 + depthAbove(graph, epoll, new Map()) > MAX_NESTS;
}

/** Levels of epolls below `epoll`; infinite if `target` is among them or there are more than can be. */
function depthBelow<F, E extends F>(graph: WatchGraph<F, E>, epoll: E, target: E, depth: number, known: Map<E, number>): number {
  const before = known.get(epoll);
  if (before !== undefined) return before;
  known.set(epoll, 0);
  let deepest = 0;
  for (const file of graph.watched(epoll)) {
    if (!graph.isEpoll(file)) continue;
    const below = file === target || depth > MAX_NESTS ? Number.POSITIVE_INFINITY : depthBelow(graph, file, target, depth + 1, known) + 1;
    if (below > deepest) deepest = below;
    if (below === Number.POSITIVE_INFINITY) break;
  }
  known.set(epoll, deepest);
  return deepest;
}

/** Levels of epolls that watch `epoll`. */
function depthAbove<F, E extends F>(graph: WatchGraph<F, E>, epoll: E, known: Map<E, number>): number {
  const before = known.get(epoll);
  if (before !== undefined) return before;
  let highest = 0;
  for (const above of graph.watching(epoll)) highest = Math.max(highest, depthAbove(graph, above, known) + 1);
  known.set(epoll, highest);
  return highest;
}

/**
 * `file` has a new watcher: do too many paths, or one too long, lead away from a file that this concerns (Linux:
 * `reverse_path_check`)? It concerns `file`, or if that is an epoll, all that is watched below it.
 */
export function tooManyPaths<F, E extends F>(graph: WatchGraph<F, E>, file: F): boolean {
  const ends = new Set<F>();
  if (graph.isEpoll(file)) collectEnds(graph, file, ends, new Set());
  else ends.add(file);
  for (const end of ends) if (exceeds(graph, end, 0, [0, 0, 0, 0, 0])) return true;
  return false;
}

function collectEnds<F, E extends F>(graph: WatchGraph<F, E>, epoll: E, ends: Set<F>, seen: Set<E>): void {
  if (seen.has(epoll)) return;
  seen.add(epoll);
  for (const file of graph.watched(epoll)) {
    if (graph.isEpoll(file)) collectEnds(graph, file, ends, seen);
    else ends.add(file);
  }
}

function exceeds<F, E extends F>(graph: WatchGraph<F, E>, file: F, depth: number, counts: number[]): boolean {
  if (depth > MAX_NESTS) return true;
  for (const epoll of graph.watching(file)) {
    if (isWatched(graph, epoll)) {
      if (exceeds(graph, epoll, depth + 1, counts)) return true;
    } else {
      counts[depth] = (counts[depth] as number) + 1;
      if ((counts[depth] as number) > (PATH_LIMITS[depth] as number)) return true;
    }
  }
  return false;
}

function isWatched<F, E extends F>(graph: WatchGraph<F, E>, file: F): boolean {
  for (const _ of graph.watching(file)) return true;
  return false;
}
