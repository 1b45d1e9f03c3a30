import { PAGE_SIZE } from '@rpal/hw-x86';
import type { Program } from '@rpal/kernel';
import {
  Rcc,
  ReceiverState,
  RPAL_API_VERSION,
  RPAL_CAP_PKU,
  RPAL_COMPAT_VERSION,
  RPAL_PROC_FILE,
  RpalIoctl,
  rpalOf,
  SenderState,
  ServiceMetadata,
  VersionInfo,
} from '@rpal/rpal-core';
import { MapFlag, OpenFlag, Prot } from '@rpal/uapi';
import { RpalError } from './errors.js';
import {
  EVENT_STACK_BYTES,
  Pool,
  RECEIVERS_BYTES,
  ReadyQueue,
  ReceiverRecord,
  ReceiverStatus,
  SENDERS_BYTES,
  TRAMPOLINE_STACK_BYTES,
} from './layouts.js';
import { newNode } from './process/fd-table.js';
import type { LibProcess } from './process/lib-process.js';
import { LibReceiver, RET_SECTION_BYTES } from './receive/receiver.js';

type Routine<T = number> = Generator<void, T>;

/** Offsets in the process's code where the library is taken to be. */
const LIB_TEXT = 0x4000;
const RET_SECTION = 0x5000;

/** MAP_FAILED, where user memory never is: what a failed mmap is taken for that is compared with null. */
const MAP_FAILED = 0xffff_ffff_f000;

/** Contexts that fit the receiver area. */
const CONTEXTS = Math.floor(RECEIVERS_BYTES / Rcc.size);

/** `rpal_init` (patch 35). @returns the descriptor of /proc/rpal, or a negative `RpalError` */
export function* init(p: Program, state: LibProcess, receivers: number): Routine {
  if (receivers <= 0) return -RpalError.INVALID_ARG;
  if (receivers > CONTEXTS && !state.quirk('receiver-area-unchecked')) return -RpalError.INVALID_ARG;
  const fd = yield* p.open(RPAL_PROC_FILE, OpenFlag.RDWR);
  if (fd < 0) return -RpalError.RPALFILE_OPS;
  state.rpalFd = fd;
  state.isolation = rpalOf(p.context.contexts).isolation;
  const { thread } = p.context;
  state.libText = thread.process.textStart + LIB_TEXT;
  state.retBegin = thread.process.textStart + RET_SECTION;
  state.retEnd = state.retBegin + RET_SECTION_BYTES;
  const scratch = yield* p.allocate(PAGE_SIZE);
  if (scratch < 0) return -RpalError.NOMEM;
  state.scratch = scratch;
  const identified = yield* identify(p, state);
  if (identified < 0) return identified;
  if ((yield* buildPool(p, state, receivers)) < 0) return -RpalError.NOMEM;
  const contexts = yield* shared(p, state, RECEIVERS_BYTES);
  if (contexts < 0) return -RpalError.SENDERS_METADATA;
  state.receiverContexts = contexts;
  for (let index = 0; index < receivers; index++) yield* p.store32(contexts + index * Rcc.size + Rcc.receiverId, index);
  yield* p.store64(scratch + ServiceMetadata.userMeta, state.pool);
  yield* p.store64(scratch + ServiceMetadata.retBegin, state.retBegin);
  yield* p.store64(scratch + ServiceMetadata.retEnd, state.retEnd);
  yield* p.store32(scratch + ServiceMetadata.pkey, -1);
  if ((yield* p.ioctl(fd, RpalIoctl.ENABLE_SERVICE, scratch)) < 0) return -RpalError.ENABLE_SERVICE;
  yield* p.ioctl(fd, RpalIoctl.GET_SERVICE_PKEY, scratch);
  state.pkey = yield* p.load32(scratch);
  yield* p.store32(state.pool + Pool.pkey, state.pkey);
  const senders = yield* shared(p, state, SENDERS_BYTES);
  if (senders < 0) return -RpalError.SENDER_PAGES;
  state.senders = senders;
  state.initialised = true;
  return fd;
}

/** A mapping that the kernel reaches, too. @returns its address; a negative errno only if the library looks for it */
function* shared(p: Program, state: LibProcess, bytes: number): Routine {
  const address = yield* p.mmap(0, bytes, Prot.READ | Prot.WRITE, MapFlag.SHARED, state.rpalFd);
  return address < 0 && state.quirk('mmap-failure-null') ? MAP_FAILED : address;
}

/** Version, capabilities, key and id. @returns 0 or a negative `RpalError` */
function* identify(p: Program, state: LibProcess): Routine {
  const { rpalFd, scratch } = state;
  if ((yield* p.ioctl(rpalFd, RpalIoctl.GET_API_VERSION_AND_CAP, scratch)) < 0) return -RpalError.GET_CAP_VERSION;
  const compat = yield* p.load32(scratch + VersionInfo.compatVersion);
  const api = yield* p.load32(scratch + VersionInfo.apiVersion);
  if (compat !== RPAL_COMPAT_VERSION || api < RPAL_API_VERSION) return -RpalError.KERNEL_API_NOTSUPPORT;
  if (((yield* p.load32(scratch + VersionInfo.cap)) & RPAL_CAP_PKU) === 0) return -RpalError.HARDWARE_NOTSUPPORT;
  if ((yield* p.ioctl(rpalFd, RpalIoctl.GET_SERVICE_KEY, scratch)) < 0) return -RpalError.SERVICE_KEY;
  state.key = yield* p.load64(scratch);
  if ((yield* p.ioctl(rpalFd, RpalIoctl.GET_SERVICE_ID, scratch)) < 0) return -RpalError.SERVICE_KEY;
  state.id = yield* p.load32(scratch);
  return 0;
}

/** Pool, receiver records and their queues, descriptor table: private memory that peers will look into. */
function* buildPool(p: Program, state: LibProcess, receivers: number): Routine {
  const pool = yield* p.allocate(Pool.size + receivers * ReceiverRecord.size);
  const table = yield* newNode(p);
  if (pool < 0 || table < 0) return -1;
  state.pool = pool;
  state.receivers = pool + Pool.size;
  state.receiverCount = receivers;
  state.fdTable = table;
  yield* p.store64(pool + Pool.receivers, state.receivers);
  yield* p.store64(pool + Pool.fdTable, table);
  yield* p.store64(pool + Pool.key, state.key);
  yield* p.store32(pool + Pool.count, receivers);
  yield* p.store32(pool + Pool.id, state.id);
  return 0;
}

/** `rpal_exit`. That the library was initialised is not forgotten. */
export function* exit(p: Program, state: LibProcess): Routine<void> {
  yield* p.munmap(state.senders, SENDERS_BYTES);
  yield* p.ioctl(state.rpalFd, RpalIoctl.DISABLE_SERVICE, 0);
  yield* p.munmap(state.pool, Pool.size + state.receiverCount * ReceiverRecord.size);
  yield* p.close(state.rpalFd);
}

/** `rpal_receiver_init`: the calling thread becomes the next receiver. @returns it, or null */
export function* makeReceiver(p: Program, state: LibProcess): Routine<LibReceiver | null> {
  if (!state.initialised || state.nextReceiver >= state.receiverCount) return null;
  const index = state.nextReceiver++;
  const record = state.receivers + index * ReceiverRecord.size;
  const rcc = state.receiverContexts + index * Rcc.size;
  const readyQueue = yield* p.allocate(ReadyQueue.size);
  const stacks = yield* p.allocate(EVENT_STACK_BYTES + TRAMPOLINE_STACK_BYTES + 3 * PAGE_SIZE);
  if (readyQueue < 0 || stacks < 0) return null;
  yield* p.store32(rcc + Rcc.receiverId, index);
  yield* p.store32(rcc + Rcc.receiverState, ReceiverState.RUNNING);
  state.instruments?.receiverState(p.context.cpu, rcc, 1, 0, ReceiverState.RUNNING);
  yield* p.store32(rcc + Rcc.senderState, SenderState.RUNNING);
  yield* p.store32(rcc + Rcc.epPending, 0);
  yield* p.store32(rcc + Rcc.epPollMagic, 0);
  yield* p.store64(record + ReceiverRecord.tid, yield* p.gettid());
  yield* p.store64(record + ReceiverRecord.tlsBase, p.rdfsbase());
  yield* p.store64(record + ReceiverRecord.rcc, rcc);
  yield* p.store64(record + ReceiverRecord.readyQueue, readyQueue);
  if ((yield* p.ioctl(state.rpalFd, RpalIoctl.REGISTER_RECEIVER, rcc)) < 0) return null;
  yield* p.store32(record + ReceiverRecord.status, ReceiverStatus.INITIALIZED);
  return new LibReceiver(state, index, { record, rcc, readyQueue, stacks }, p.context);
}
