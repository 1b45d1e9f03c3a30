import { PAGE_SIZE } from '@rpal/hw-x86';
import type { Program } from '@rpal/kernel';
import {
  Rcc,
  RPAL_API_VERSION,
  RPAL_CAP_PKU,
  RPAL_COMPAT_VERSION,
  RPAL_PROC_FILE,
  RpalIoctl,
  rpalOf,
  ServiceMetadata,
  VersionInfo,
} from '@rpal/rpal-core';
import { MapFlag, OpenFlag, Prot } from '@rpal/uapi';
import { RpalError } from './errors.js';
import {
  EVENT_STACK_BYTES,
  FdNode,
  Pool,
  RECEIVERS_BYTES,
  ReadyQueue,
  ReceiverRecord,
  SENDERS_BYTES,
  TRAMPOLINE_STACK_BYTES,
} from './layouts.js';
import { newNode } from './process/fd-table.js';
import type { LibProcess, ReceiverParts } from './process/lib-process.js';
import { SenderSlots } from './process/sender-slots.js';
import { RET_SECTION_BYTES } from './receive/receiver.js';

type Routine<T = number> = Generator<void, T>;

/** Offsets in the process's code where the library is taken to be. */
const LIB_TEXT = 0x4000;
const RET_SECTION = 0x5000;

/** MAP_FAILED, where user memory never is: what a failed mmap is taken for that is compared with null. */
const MAP_FAILED = 0xffff_ffff_f000;

/** Contexts that fit the receiver area. */
const CONTEXTS = Math.floor(RECEIVERS_BYTES / Rcc.size);

/** Both extra stacks of a receiver, with a page that guards each end. */
const STACKS_BYTES = EVENT_STACK_BYTES + TRAMPOLINE_STACK_BYTES + 3 * PAGE_SIZE;

/** `rpal_init` (patch 35). @returns the descriptor of /proc/rpal, or -1 */
export function* init(p: Program, state: LibProcess, receivers: number): Routine {
  if (receivers <= 0) return state.failWithout(RpalError.INVALID_ARG);
  if (receivers > CONTEXTS && !state.quirk('receiver-area-unchecked')) return state.fail(RpalError.INVALID_ARG);
  if (state.initialised && !state.quirk('second-init-forgets')) return state.fail(RpalError.SENDERS_METADATA);
  const fd = yield* p.open(RPAL_PROC_FILE, OpenFlag.RDWR);
  if (fd < 0) return state.fail(RpalError.RPALFILE_OPS);
  state.rpalFd = fd;
  // A new key of thread-specific data, and an empty table of requested services.
  for (const thread of state.threads) thread.forgetRoles();
  state.peers = [];
  if ((yield* initialise(p, state, receivers)) === 0) return fd;
  yield* p.close(fd);
  return -1;
}

/** What comes once the file is open. @returns 0 or -1 */
function* initialise(p: Program, state: LibProcess, receivers: number): Routine {
  state.isolation = rpalOf(p.context.contexts).isolation;
  const { thread } = p.context;
  state.libText = thread.process.textStart + LIB_TEXT;
  state.retBegin = thread.process.textStart + RET_SECTION;
  state.retEnd = state.retBegin + RET_SECTION_BYTES;
  const scratch = yield* p.allocate(PAGE_SIZE);
  if (scratch < 0) return state.fail(RpalError.NOMEM);
  state.scratch = scratch;
  const unsupported = yield* checkVersion(p, state);
  if (unsupported !== 0) return state.fail(unsupported);
  state.key = (yield* p.ioctl(state.rpalFd, RpalIoctl.GET_SERVICE_KEY, scratch)) < 0 ? 0 : yield* p.load64(scratch);
  state.id = (yield* p.ioctl(state.rpalFd, RpalIoctl.GET_SERVICE_ID, scratch)) < 0 ? -1 : yield* p.load32(scratch);
  if (state.initialised || !(yield* buildPool(p, state, receivers))) return state.failWithout(RpalError.NOMEM);
  const error = yield* enable(p, state);
  if (error === 0) return 0;
  if (!state.quirk('failed-init-leaks')) yield* destroyPool(p, state);
  return state.fail(error);
}

/** Enables the service and maps the senders' area. @returns 0 or a positive `RpalError` */
function* enable(p: Program, state: LibProcess): Routine {
  const { scratch, rpalFd } = state;
  yield* p.store64(scratch + ServiceMetadata.userMeta, state.pool);
  yield* p.store64(scratch + ServiceMetadata.retBegin, state.retBegin);
  yield* p.store64(scratch + ServiceMetadata.retEnd, state.retEnd);
  yield* p.store32(scratch + ServiceMetadata.pkey, -1);
  if ((yield* p.ioctl(rpalFd, RpalIoctl.ENABLE_SERVICE, scratch)) !== 0) return RpalError.ENABLE_SERVICE;
  state.pkey = yield* servicePkey(p, state);
  yield* p.store32(state.pool + Pool.pkey, state.pkey);
  const senders = yield* shared(p, state, SENDERS_BYTES);
  if (senders < 0) {
    yield* p.ioctl(rpalFd, RpalIoctl.DISABLE_SERVICE, 0);
    return RpalError.SENDER_PAGES;
  }
  state.senders = senders;
  state.senderSlots = new SenderSlots();
  state.initialised = true;
  return 0;
}

/** The key that the kernel has installed; -1 if there is none. */
export function* servicePkey(p: Program, { rpalFd, scratch }: LibProcess): Routine {
  return (yield* p.ioctl(rpalFd, RpalIoctl.GET_SERVICE_PKEY, scratch)) < 0 ? -1 : yield* p.load32(scratch);
}

/** A mapping that the kernel reaches, too. @returns its address; a negative errno only if the library looks for it */
function* shared(p: Program, state: LibProcess, bytes: number): Routine {
  const address = yield* p.mmap(0, bytes, Prot.READ | Prot.WRITE, MapFlag.SHARED, state.rpalFd);
  return address < 0 && state.quirk('mmap-failure-null') ? MAP_FAILED : address;
}

/** @returns 0 or a positive `RpalError` */
function* checkVersion(p: Program, { rpalFd, scratch }: LibProcess): Routine {
  if ((yield* p.ioctl(rpalFd, RpalIoctl.GET_API_VERSION_AND_CAP, scratch)) < 0) return RpalError.GET_CAP_VERSION;
  const compat = yield* p.load32(scratch + VersionInfo.compatVersion);
  const api = yield* p.load32(scratch + VersionInfo.apiVersion);
  if (compat !== RPAL_COMPAT_VERSION || api < RPAL_API_VERSION) return RpalError.KERNEL_API_NOTSUPPORT;
  return ((yield* p.load32(scratch + VersionInfo.cap)) & RPAL_CAP_PKU) === 0 ? RpalError.HARDWARE_NOTSUPPORT : 0;
}

/**
 * Pool, receiver records and their queues, descriptor table: private memory that peers will look into. The page of the receivers'
 * contexts, and the receivers' stacks. @returns false if memory is short
 */
function* buildPool(p: Program, state: LibProcess, receivers: number): Routine<boolean> {
  const pool = yield* p.allocate(Pool.size + receivers * ReceiverRecord.size);
  const table = yield* newNode(p);
  if (pool < 0 || table < 0) return false;
  const contexts = yield* shared(p, state, RECEIVERS_BYTES);
  if (contexts < 0) return false;
  const parts: ReceiverParts[] = [];
  for (let index = 0; index < receivers; index++) {
    const readyQueue = yield* p.allocate(ReadyQueue.size);
    const stacks = yield* p.allocate(STACKS_BYTES);
    if (readyQueue < 0 || stacks < 0) return false;
    parts.push({ readyQueue, stacks });
    yield* p.store32(contexts + index * Rcc.size + Rcc.receiverId, index);
  }
  state.pool = pool;
  state.receivers = pool + Pool.size;
  state.receiverCount = receivers;
  state.receiverParts = parts;
  state.receiverContexts = contexts;
  state.fdTable = table;
  yield* p.store64(pool + Pool.receivers, state.receivers);
  yield* p.store64(pool + Pool.fdTable, table);
  yield* p.store64(pool + Pool.key, state.key);
  yield* p.store32(pool + Pool.count, receivers);
  yield* p.store32(pool + Pool.id, state.id);
  return true;
}

function* destroyPool(p: Program, state: LibProcess): Routine<void> {
  for (let node = state.fdTable; node !== 0; ) {
    const next = yield* p.load64(node + FdNode.next);
    yield* p.munmap(node, FdNode.size);
    node = next;
  }
  for (const { readyQueue, stacks } of state.receiverParts) {
    yield* p.munmap(stacks, STACKS_BYTES);
    yield* p.munmap(readyQueue, ReadyQueue.size);
  }
  yield* p.munmap(state.receiverContexts, RECEIVERS_BYTES);
  yield* p.munmap(state.pool, Pool.size + state.receiverCount * ReceiverRecord.size);
}

/** `rpal_exit`. As the series has it, the library does not forget that it was initialised. */
export function* exit(p: Program, state: LibProcess): Routine<void> {
  if (!state.initialised) return;
  yield* p.munmap(state.senders, SENDERS_BYTES);
  yield* p.ioctl(state.rpalFd, RpalIoctl.DISABLE_SERVICE, 0);
  yield* destroyPool(p, state);
  for (const thread of state.threads) thread.forgetRoles();
  yield* p.close(state.rpalFd);
  if (state.quirk('exit-not-forgotten')) return;
  state.initialised = false;
  state.nextReceiver = 0;
  state.fdTable = 0;
  state.usedFds.clear();
  state.lazyFree.length = 0;
}
