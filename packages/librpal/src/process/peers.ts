import type { Program } from '@rpal/kernel';
import { pkruOf, RequestArg, RpalIoctl } from '@rpal/rpal-core';
import { LOCKED, ReadyQueue, ReceiverRecord } from '../layouts.js';
import { freeOf } from './fd-table.js';
import type { LibProcess } from './lib-process.js';

type Routine<T = number> = Generator<void, T>;

/** Slots of the library's table of requested services. */
const MAX_SERVICEID = 254;

/** Dead keys that are read at once (`KEY_SIZE`). */
const KEYS = 16;

/** `rpal_request_service`. @returns 0 or -1 */
export function* requestService(p: Program, state: LibProcess, key: number): Routine {
  if (!state.initialised) return -1;
  const { scratch } = state;
  const results = scratch + 256;
  yield* p.store64(scratch + RequestArg.key, key);
  yield* p.store64(scratch + RequestArg.userMetap, results);
  yield* p.store64(scratch + RequestArg.id, results + 8);
  yield* p.store64(scratch + RequestArg.pkey, results + 16);
  if ((yield* p.ioctl(state.rpalFd, RpalIoctl.REQUEST_SERVICE, scratch)) < 0) return -1;
  const pool = yield* p.load64(results);
  const id = yield* p.load32(results + 8);
  const pkey = yield* p.load32(results + 16);
  const present = state.peers[id];
  if (pool === 0 || (present !== undefined && !present.released)) {
    yield* p.ioctl(state.rpalFd, RpalIoctl.RELEASE_SERVICE, key);
    return -1;
  }
  // The descriptor table of the peer is looked up when it is first needed: it may not be mapped yet.
  state.peers[id] = { key, id, pkey, pkruMask: pkruOf(pkey), pool, fdTable: 0, released: false };
  return 0;
}

/** `rpal_release_service`: the library forgets it before it asks the kernel. @returns 0 or -1 */
export function* releaseService(p: Program, state: LibProcess, key: number): Routine {
  if (!state.initialised) return -1;
  const peer = state.peers.find((candidate) => candidate?.key === key);
  if (peer !== undefined) state.peers[peer.id] = { ...peer, released: true };
  if ((yield* p.ioctl(state.rpalFd, RpalIoctl.RELEASE_SERVICE, key)) !== 0) return -1;
  yield* freeOf(p, state, key);
  return 0;
}

/** `rpal_get_request_service_id`. @returns the id of a service that was requested, or -1 */
export function requestedServiceId(state: LibProcess, key: number): number {
  // An empty slot has key 0.
  if (key === 0) return state.quirk('key-zero-found') ? firstUnused(state) : -1;
  const peer = state.peers.find((candidate) => candidate?.key === key);
  return peer === undefined || (peer.released && !state.quirk('released-key-found')) ? -1 : peer.id;
}

function firstUnused({ peers }: LibProcess): number {
  for (let id = 0; id < MAX_SERVICEID; id++) if (peers[id] === undefined) return id;
  return -1;
}

/**
 * `rpal_clean_service_start`: takes locks back that dead peers hold on receivers' queues. The caller sees to it that it
 * does not use the dead peers meanwhile. @returns keys of the dead, for `cleanServiceEnd`; null if there are none
 */
export function* cleanServiceStart(p: Program, state: LibProcess): Routine<readonly number[] | null> {
  const { scratch } = state;
  const bytes = yield* p.read(state.rpalFd, scratch, KEYS * 8);
  if (bytes <= 0) return null;
  const keys: number[] = [];
  for (let at = 0; at < bytes; at += 8) keys.push(yield* p.load64(scratch + at));
  for (let index = 0; index < state.receiverCount; index++) {
    const record = state.receivers + index * ReceiverRecord.size;
    const low = yield* p.load32(record + ReceiverRecord.queueLock);
    const high = yield* p.load32(record + ReceiverRecord.queueLock + 4);
    if ((high | 0) !== LOCKED || !keys.includes(low)) continue;
    // Gives up what the dead peer had reserved and not published.
    const queue = yield* p.load64(record + ReceiverRecord.readyQueue);
    yield* p.store32(queue + ReadyQueue.reserved, yield* p.load32(queue + ReadyQueue.end));
    yield* p.store64(record + ReceiverRecord.queueLock, 0);
  }
  return keys;
}

/** `rpal_clean_service_end`: releases the dead peers. */
export function* cleanServiceEnd(p: Program, state: LibProcess, keys: readonly number[]): Routine<void> {
  for (const key of keys) yield* releaseService(p, state, key);
}
