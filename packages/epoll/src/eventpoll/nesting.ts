import type { File } from '@rpal/vfs';
import { EventPoll, itemsOn } from './eventpoll.js';

/** How deep epolls may be nested in each other (fs/eventpoll.c: EP_MAX_NESTS). */
const MAX_NESTS = 4;
/** How many wake-up paths of one epoll, two, ... may lead away from a file. Those of length one are not limited. */
const PATH_LIMITS = [Number.POSITIVE_INFINITY, 500, 100, 50, 10];

/**
 * Would watching `to` in `epoll` close a loop, or nest too deep (Linux: `ep_loop_check`)?
 * @param upwards count the instances above `epoll` too
 */
export function closesLoop(epoll: EventPoll, to: EventPoll, upwards: boolean): boolean {
  const down = depthBelow(to, epoll, 0, new Map());
  if (!upwards) return down === Number.POSITIVE_INFINITY;
  return down > MAX_NESTS || down + 1 + depthAbove(epoll, 0, new Map()) > MAX_NESTS;
}

/** Levels of epolls below `epoll`; infinite if `target` is among them or there are more than can be. */
function depthBelow(epoll: EventPoll, target: EventPoll, depth: number, known: Map<EventPoll, number>): number {
  const before = known.get(epoll);
  if (before !== undefined) return before;
  known.set(epoll, 0);
  let deepest = 0;
  for (const { file } of epoll.items) {
    if (!(file instanceof EventPoll)) continue;
    const below = file === target || depth > MAX_NESTS ? Number.POSITIVE_INFINITY : depthBelow(file, target, depth + 1, known) + 1;
    if (below > deepest) deepest = below;
    if (below === Number.POSITIVE_INFINITY) break;
  }
  known.set(epoll, deepest);
  return deepest;
}

/** Levels of epolls that watch `epoll`. */
function depthAbove(epoll: EventPoll, depth: number, known: Map<EventPoll, number>): number {
  const before = known.get(epoll);
  if (before !== undefined) return before;
  let highest = 0;
  for (const { epoll: above } of itemsOn(epoll)) highest = Math.max(highest, depthAbove(above, depth + 1, known) + 1);
  known.set(epoll, highest);
  return highest;
}

/**
 * `file` has a new watcher: do too many paths, or one too long, lead away from a file that this concerns (Linux:
 * `reverse_path_check`)? It concerns `file`, or if that is an epoll, all that is watched below it.
 */
export function tooManyPaths(file: File): boolean {
  const ends = new Set<File>();
  if (file instanceof EventPoll) collectEnds(file, ends, new Set());
  else ends.add(file);
  const counts = [0, 0, 0, 0, 0];
  for (const end of ends) if (exceeds(end, 0, counts)) return true;
  return false;
}

function collectEnds(epoll: EventPoll, ends: Set<File>, seen: Set<EventPoll>): void {
  if (seen.has(epoll)) return;
  seen.add(epoll);
  for (const { file } of epoll.items) {
    if (file instanceof EventPoll) collectEnds(file, ends, seen);
    else ends.add(file);
  }
}

function exceeds(file: File, depth: number, counts: number[]): boolean {
  if (depth > MAX_NESTS) return true;
  for (const { epoll } of itemsOn(file)) {
    if (epoll.watchers.length > 0) {
      if (exceeds(epoll, depth + 1, counts)) return true;
    } else {
      counts[depth] = (counts[depth] as number) + 1;
      if ((counts[depth] as number) > (PATH_LIMITS[depth] as number)) return true;
    }
  }
  return false;
}
