import type { Program } from '@rpal/kernel';
import { FDS_PER_NODE, FdNode, FdRecord, FdSlot, SlotUse } from '../layouts.js';
import { CompareExchange } from '../routine/compare-exchange.js';
import type { LibProcess } from './lib-process.js';

/**
 * The descriptor table (patch 35): which descriptors have RPAL interest, and their queues. Peers get and put its records
 * while the owner installs and removes them, so a record that is in use is marked outdated and freed later.
 */

type Routine<T = number> = Generator<void, T>;

/** What happens if a table has no node for a descriptor. */
const Nodes = { AS_THEY_ARE: 0, GROW: 1 } as const;

/** Address of the slot of `fd` in the table whose first node is at `table`. @param nodes one of `Nodes` @returns -1 without a node */
function* slotOf(p: Program, table: number, fd: number, nodes: number): Routine {
  if (fd < 0) return -1;
  let node = table;
  let left = fd;
  for (; left >= FDS_PER_NODE; left -= FDS_PER_NODE) {
    let next = yield* p.load64(node + FdNode.next);
    if (next === 0) {
      if (nodes === Nodes.AS_THEY_ARE) return -1;
      next = yield* newNode(p);
      if (next < 0) return -1;
      yield* p.store64(node + FdNode.next, next);
    }
    node = next;
  }
  return node + left * FdSlot.size;
}

/** An empty node: fresh memory is zero, which is a free slot. */
export function* newNode(p: Program): Routine {
  return yield* p.allocate(FdNode.size);
}

/** Records RPAL interest in `fd` (`fd_event_install`). @returns 0, or -1 if its slot is in use */
export function* install(p: Program, state: LibProcess, epfd: number, fd: number, events: number, data: number): Routine {
  const record = yield* p.allocate(FdRecord.size);
  if (record < 0) return -1;
  yield* p.store32(record + FdRecord.fd, fd);
  yield* p.store32(record + FdRecord.epfd, epfd);
  yield* p.store32(record + FdRecord.interest, events);
  yield* p.store64(record + FdRecord.data, data);
  const slot = yield* slotOf(p, state.fdTable, fd, Nodes.GROW);
  if (slot >= 0) yield* freeLazily(p, state);
  if (slot < 0 || (yield* useOf(p, slot)) !== SlotUse.FREE) return yield* giveUp(p, record);
  const racing = state.quirk('install-race-loses-record');
  // Repaired, the slot is taken before the record appears in it, so that two threads cannot both believe that it is theirs.
  if (!racing && (yield* exchange(p, slot, SlotUse.FREE, SlotUse.FREEING)) !== SlotUse.FREE) return yield* giveUp(p, record);
  const timestamp = ((yield* p.load32(slot + FdSlot.timestamp)) + 1) & 0xffff;
  yield* p.store32(slot + FdSlot.timestamp, timestamp);
  yield* p.store32(record + FdRecord.timestamp, timestamp);
  yield* p.store64(slot + FdSlot.record, record);
  if (!racing) {
    yield* p.store32(slot + FdSlot.use, SlotUse.AVAILABLE);
  } else if ((yield* exchange(p, slot, SlotUse.FREE, SlotUse.AVAILABLE)) !== SlotUse.FREE) {
    yield* p.store64(slot + FdSlot.record, 0);
    return yield* giveUp(p, record);
  }
  state.usedFds.add(fd);
  return 0;
}

function* giveUp(p: Program, record: number): Routine {
  yield* p.munmap(record, FdRecord.size);
  return -1;
}

/** Another interest for `fd` (`fd_event_modify`). @returns 0, or -1 if it has no record */
export function* modify(p: Program, state: LibProcess, fd: number, events: number, data: number): Routine {
  const record = yield* recordOf(p, state, fd);
  if (record === 0) return -1;
  yield* p.store32(record + FdRecord.interest, events);
  yield* p.store64(record + FdRecord.data, data);
  if (state.quirk('modify-drops-pending')) yield* p.store32(record + FdRecord.pending, 0);
  return 0;
}

/** `fd` has no RPAL interest any more (`fd_event_uninstall`). Its record goes at once if nobody uses it. @returns 0, or -1 if it had none */
export function* uninstall(p: Program, state: LibProcess, fd: number): Routine {
  const slot = yield* slotOf(p, state.fdTable, fd, Nodes.AS_THEY_ARE);
  const record = slot < 0 ? 0 : yield* p.load64(slot + FdSlot.record);
  if (record !== 0) {
    yield* p.store32(record + FdRecord.outdated, 1);
    if ((yield* exchange(p, slot, SlotUse.AVAILABLE, SlotUse.FREEING)) === SlotUse.AVAILABLE) yield* free(p, slot, record);
    else state.lazyFree.push({ slot, record });
  }
  yield* freeLazily(p, state);
  return record === 0 ? -1 : 0;
}

/**
 * Frees what a dead peer with `key` has held (`fdt_freelist_forcefree`): of the records that wait to be freed those with its key,
 * whatever their count. A record has a key only if its owner has mapped the connection; put right, callers leave theirs,
 * and what they hold of records that are still in use is given back, too.
 */
export function* freeOf(p: Program, state: LibProcess, key: number): Routine<void> {
  const waiting = state.lazyFree.splice(0);
  for (const entry of waiting) {
    if ((yield* p.load64(entry.record + FdRecord.peerKey)) !== key) state.lazyFree.push(entry);
    else yield* free(p, entry.slot, entry.record);
  }
  if (state.quirk('dead-callers-record-kept')) return;
  for (const fd of state.usedFds) {
    const slot = yield* slotOf(p, state.fdTable, fd, Nodes.AS_THEY_ARE);
    const record = yield* p.load64(slot + FdSlot.record);
    if (record === 0 || (yield* p.load64(record + FdRecord.peerKey)) !== key) continue;
    if ((yield* useOf(p, slot)) > SlotUse.AVAILABLE) yield* p.store32(slot + FdSlot.use, SlotUse.AVAILABLE);
  }
}

/** The time stamp of `fd` in the table at `table`, own or a peer's; 0 if it has no place there (`fde_timestamp_get`). */
export function* timestampOf(p: Program, table: number, fd: number): Routine {
  const slot = yield* slotOf(p, table, fd, Nodes.AS_THEY_ARE);
  return slot < 0 ? 0 : yield* p.load32(slot + FdSlot.timestamp);
}

/** Address of the usable record of `fd`; 0 if it has none. */
export function* recordOf(p: Program, state: LibProcess, fd: number): Routine {
  const slot = yield* slotOf(p, state.fdTable, fd, Nodes.AS_THEY_ARE);
  if (slot < 0 || (yield* useOf(p, slot)) < SlotUse.AVAILABLE) return 0;
  const record = yield* p.load64(slot + FdSlot.record);
  return record === 0 || (yield* p.load32(record + FdRecord.outdated)) !== 0 ? 0 : record;
}

function* free(p: Program, slot: number, record: number): Routine<void> {
  yield* p.store32(slot + FdSlot.use, SlotUse.FREEING);
  yield* p.store64(slot + FdSlot.record, 0);
  yield* p.store32(slot + FdSlot.use, SlotUse.FREE);
  yield* p.munmap(record, FdRecord.size);
}

/** Tries again to free what was in use. */
function* freeLazily(p: Program, state: LibProcess): Routine<void> {
  const waiting = state.lazyFree.splice(0);
  for (const entry of waiting) {
    const { slot, record } = entry;
    if ((yield* exchange(p, slot, SlotUse.AVAILABLE, SlotUse.FREEING)) === SlotUse.AVAILABLE) yield* free(p, slot, record);
    else state.lazyFree.push(entry);
  }
}

function* useOf(p: Program, slot: number): Routine {
  return (yield* p.load32(slot + FdSlot.use)) | 0;
}

/** Compare-exchange of the use of `slot`. @returns the value found */
function exchange(p: Program, slot: number, expected: number, desired: number): CompareExchange {
  return new CompareExchange(p.context, slot + FdSlot.use, expected, desired);
}
