import type { Program } from '@rpal/kernel';
import { FDE_FREED, FDE_FREEING, FDS_PER_NODE, FdNode, FdRecord, FdSlot } from '../layouts.js';
import type { LibProcess } from './lib-process.js';

/**
 * The descriptor table (patch 35): which descriptors have RPAL interest, and their queues. Peers get and put its records
 * while the owner installs and removes them, so a record that is in use is marked outdated and freed later.
 */

type Routine<T = number> = Generator<void, T>;

/** Address of the slot of `fd`; nodes are added to the list as needed if `grow`. @returns -1 without a node */
function* slotOf(p: Program, state: LibProcess, fd: number, grow: boolean): Routine {
  let node = state.fdTable;
  let left = fd;
  for (; left >= FDS_PER_NODE; left -= FDS_PER_NODE) {
    let next = yield* p.load64(node + FdNode.next);
    if (next === 0) {
      if (!grow) return -1;
      next = yield* newNode(p);
      if (next < 0) return -1;
      yield* p.store64(node + FdNode.next, next);
    }
    node = next;
  }
  return node + left * FdSlot.size;
}

/** An empty node. Fresh memory is zero, and a slot without a record is free whatever its count says. */
export function* newNode(p: Program): Routine {
  return yield* p.allocate(FdNode.size);
}

/** Records RPAL interest in `fd`. @returns 0 or -1 */
export function* install(p: Program, state: LibProcess, epfd: number, fd: number, events: number, data: number): Routine {
  yield* freeLazily(p, state);
  const slot = yield* slotOf(p, state, fd, true);
  if (slot < 0) return -1;
  const record = yield* p.allocate(FdRecord.size);
  if (record < 0) return -1;
  const timestamp = ((yield* p.load32(slot + FdSlot.timestamp)) + 1) & 0xffff;
  yield* p.store32(record + FdRecord.fd, fd);
  yield* p.store32(record + FdRecord.epfd, epfd);
  yield* p.store32(record + FdRecord.interest, events);
  yield* p.store32(record + FdRecord.timestamp, timestamp);
  yield* p.store32(record + FdRecord.dataLow, data);
  yield* p.store64(slot + FdSlot.record, record);
  yield* p.store32(slot + FdSlot.timestamp, timestamp);
  yield* p.store32(slot + FdSlot.references, 0);
  state.usedFds.add(fd);
  return 0;
}

/** Another interest for `fd`, if it has a record. */
export function* modify(p: Program, state: LibProcess, fd: number, events: number, data: number): Routine<void> {
  const record = yield* recordOf(p, state, fd);
  if (record <= 0) return;
  yield* p.store32(record + FdRecord.interest, events);
  yield* p.store32(record + FdRecord.dataLow, data);
}

/** `fd` has no RPAL interest any more. The record goes at once if nobody uses it. */
export function* uninstall(p: Program, state: LibProcess, fd: number): Routine<void> {
  yield* freeLazily(p, state);
  const slot = yield* slotOf(p, state, fd, false);
  if (slot < 0) return;
  const record = yield* p.load64(slot + FdSlot.record);
  if (record === 0) return;
  yield* p.store32(record + FdRecord.outdated, 1);
  yield* p.store64(slot + FdSlot.record, 0);
  if ((yield* p.load32(slot + FdSlot.references)) === 0) {
    yield* free(p, slot, record);
  } else {
    state.lazyFree.push({ slot, record });
  }
}

/** Frees every record that a peer with `key` has last used. */
export function* freeOf(p: Program, state: LibProcess, key: number): Routine<void> {
  for (const fd of state.usedFds) {
    const slot = yield* slotOf(p, state, fd, false);
    const record = yield* p.load64(slot + FdSlot.record);
    if (record === 0 || (yield* p.load64(record + FdRecord.peerKey)) !== key) continue;
    yield* p.store32(record + FdRecord.outdated, 1);
    yield* p.store64(slot + FdSlot.record, 0);
    yield* free(p, slot, record);
  }
}

/** Address of the record of `fd`, 0 if it has none. */
export function* recordOf(p: Program, state: LibProcess, fd: number): Routine {
  const slot = yield* slotOf(p, state, fd, false);
  return slot < 0 ? 0 : yield* p.load64(slot + FdSlot.record);
}

function* free(p: Program, slot: number, record: number): Routine<void> {
  yield* p.store32(slot + FdSlot.references, FDE_FREEING);
  yield* p.munmap(record, FdRecord.size);
  yield* p.store32(slot + FdSlot.references, FDE_FREED);
}

/** Tries again to free what was in use. */
function* freeLazily(p: Program, state: LibProcess): Routine<void> {
  const waiting = state.lazyFree.splice(0);
  for (const { slot, record } of waiting) {
    if ((yield* p.load32(slot + FdSlot.references)) === 0) yield* free(p, slot, record);
    else state.lazyFree.push({ slot, record });
  }
}
