import { PAGE_SIZE } from '@rpal/hw-x86';
import type { Call, Program } from '@rpal/kernel';
import {
  pkruOf,
  Rcc,
  ReceiverState,
  RequestArg,
  RPAL_API_VERSION,
  RPAL_CAP_PKU,
  RPAL_COMPAT_VERSION,
  RPAL_PROC_FILE,
  RpalIoctl,
  readAllPkru,
  rpalOf,
  Scc,
  SenderState,
  ServiceMetadata,
  VersionInfo,
} from '@rpal/rpal-core';
import { Epoll, MapFlag, OpenFlag, Prot } from '@rpal/uapi';
import { RpalError } from './errors.js';
import {
  EPOLLRPALIN,
  EPOLLRPALOUT,
  EVENT_STACK_BYTES,
  FDE_FREED,
  FDS_PER_NODE,
  FdRecord,
  FdSlot,
  MAX_SENDERS,
  Pool,
  QUEUE_WORDS,
  RECEIVERS_BYTES,
  ReadyQueue,
  ReceiverRecord,
  ReceiverStatus,
  SENDERS_BYTES,
  SenderRecord,
  TRAMPOLINE_STACK_BYTES,
} from './layouts.js';
import { LibProcess } from './lib-process.js';
import { EpollWaitCall, LibReceiver, RET_SECTION_BYTES } from './receiver.js';
import { LibSender, ReadPtrsCall, type RpalFd, WritePtrsCall } from './sender.js';

type Routine<T = number> = Generator<void, T>;

/** Offsets in the process's code where the library is taken to be. */
const LIB_TEXT = 0x4000;
const RET_SECTION = 0x5000;

/**
 * The user half of RPAL as one thread sees it (patch 35). All routines are used with `yield*`; results are the
 * library's: 0 or a count on success, -1 or a negative `RpalError` on failure.
 */
export class LibRpal {
  readonly process: LibProcess;
  readonly #program: Program;
  #receiver: LibReceiver | null = null;
  #sender: LibSender | null = null;
  readonly #wait: EpollWaitCall;
  readonly #write: WritePtrsCall;
  readonly #read: ReadPtrsCall;

  constructor(program: Program) {
    this.#program = program;
    this.process = LibProcess.of(program.context.thread.process);
    this.#wait = new EpollWaitCall(program.context);
    this.#write = new WritePtrsCall(program.context);
    this.#read = new ReadPtrsCall(program.context);
    this.#write.process = this.process;
    this.#read.process = this.process;
  }

  /** `rpal_init`: `receivers` threads will be callable. @returns the descriptor of /proc/rpal, or -1 and `error` is set */
  *init(receivers: number): Routine {
    const p = this.#program;
    const state = this.process;
    if (receivers <= 0) return this.#fail(RpalError.INVALID_ARG);
    const fd = yield* p.open(RPAL_PROC_FILE, OpenFlag.RDWR);
    if (fd < 0) return this.#fail(RpalError.RPALFILE_OPS);
    state.rpalFd = fd;
    state.isolation = rpalOf(p.context.kernel).isolation;
    const { thread } = p.context;
    state.libText = thread.process.textStart + LIB_TEXT;
    state.retBegin = thread.process.textStart + RET_SECTION;
    state.retEnd = state.retBegin + RET_SECTION_BYTES;
    const scratch = yield* p.allocate(PAGE_SIZE);
    if (scratch < 0) return this.#fail(RpalError.NOMEM);
    state.scratch = scratch;
    if ((yield* p.ioctl(fd, RpalIoctl.GET_API_VERSION_AND_CAP, scratch)) < 0) return this.#fail(RpalError.GET_CAP_VERSION);
    const compat = yield* p.load32(scratch + VersionInfo.compatVersion);
    const api = yield* p.load32(scratch + VersionInfo.apiVersion);
    if (compat !== RPAL_COMPAT_VERSION || api < RPAL_API_VERSION) return this.#fail(RpalError.KERNEL_API_NOTSUPPORT);
    if (((yield* p.load32(scratch + VersionInfo.cap)) & RPAL_CAP_PKU) === 0) return this.#fail(RpalError.HARDWARE_NOTSUPPORT);
    if ((yield* p.ioctl(fd, RpalIoctl.GET_SERVICE_KEY, scratch)) < 0) return this.#fail(RpalError.SERVICE_KEY);
    state.key = yield* p.load64(scratch);
    if ((yield* p.ioctl(fd, RpalIoctl.GET_SERVICE_ID, scratch)) < 0) return this.#fail(RpalError.SERVICE_KEY);
    state.id = yield* p.load32(scratch);
    if ((yield* this.#buildPool(receivers)) < 0) return this.#fail(RpalError.NOMEM);
    const contexts = yield* p.mmap(0, RECEIVERS_BYTES, Prot.READ | Prot.WRITE, MapFlag.SHARED, fd);
    if (contexts < 0) return this.#fail(RpalError.SENDERS_METADATA);
    state.receiverContexts = contexts;
    yield* p.store64(scratch + ServiceMetadata.userMeta, state.pool);
    yield* p.store64(scratch + ServiceMetadata.retBegin, state.retBegin);
    yield* p.store64(scratch + ServiceMetadata.retEnd, state.retEnd);
    yield* p.store32(scratch + ServiceMetadata.pkey, -1);
    if ((yield* p.ioctl(fd, RpalIoctl.ENABLE_SERVICE, scratch)) < 0) return this.#fail(RpalError.ENABLE_SERVICE);
    yield* p.ioctl(fd, RpalIoctl.GET_SERVICE_PKEY, scratch);
    state.pkey = yield* p.load32(scratch);
    yield* p.store32(state.pool + Pool.pkey, state.pkey);
    const senders = yield* p.mmap(0, SENDERS_BYTES, Prot.READ | Prot.WRITE, MapFlag.SHARED, fd);
    if (senders < 0) return this.#fail(RpalError.SENDER_PAGES);
    state.senders = senders;
    state.initialised = true;
    return fd;
  }

  /** The last error that `init` or `senderInit` stored. */
  get error(): number {
    return this.process.error;
  }

  /** Pool, receiver records and their queues, descriptor table: private memory that peers will look into. */
  *#buildPool(receivers: number): Routine {
    const p = this.#program;
    const state = this.process;
    const pool = yield* p.allocate(Pool.size + receivers * ReceiverRecord.size);
    const table = yield* p.allocate(FDS_PER_NODE * FdSlot.size);
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

  /** `rpal_receiver_init`: the calling thread becomes the next receiver. @returns 0 or -1 */
  *receiverInit(): Routine {
    const p = this.#program;
    const state = this.process;
    if (!state.initialised || this.#receiver !== null || state.nextReceiver >= state.receiverCount) return -1;
    const index = state.nextReceiver++;
    const record = state.receivers + index * ReceiverRecord.size;
    const rcc = state.receiverContexts + index * Rcc.size;
    const readyQueue = yield* p.allocate(ReadyQueue.size);
    const stacks = yield* p.allocate(EVENT_STACK_BYTES + TRAMPOLINE_STACK_BYTES + 3 * PAGE_SIZE);
    if (readyQueue < 0 || stacks < 0) return -1;
    yield* p.store32(rcc + Rcc.receiverId, index);
    yield* p.store32(rcc + Rcc.receiverState, ReceiverState.RUNNING);
    yield* p.store32(rcc + Rcc.senderState, SenderState.RUNNING);
    yield* p.store32(rcc + Rcc.epPending, 0);
    yield* p.store32(rcc + Rcc.epPollMagic, 0);
    yield* p.store64(record + ReceiverRecord.tid, yield* p.gettid());
    yield* p.store64(record + ReceiverRecord.tlsBase, p.rdfsbase());
    yield* p.store64(record + ReceiverRecord.rcc, rcc);
    yield* p.store64(record + ReceiverRecord.readyQueue, readyQueue);
    if ((yield* p.ioctl(state.rpalFd, RpalIoctl.REGISTER_RECEIVER, rcc)) < 0) return -1;
    yield* p.store32(record + ReceiverRecord.status, ReceiverStatus.INITIALIZED);
    this.#receiver = new LibReceiver(state, index, { record, rcc, readyQueue, stacks }, p.context);
    this.#wait.receiver = this.#receiver;
    return 0;
  }

  /** `rpal_sender_init`: the calling thread may call. @returns 0, or -1 and `error` is set */
  *senderInit(): Routine {
    const p = this.#program;
    const state = this.process;
    if (!state.initialised) return this.#fail(RpalError.DONT_INITED);
    if (this.#sender !== null) return this.#fail(RpalError.SENDER_INIT);
    let index = 0;
    while (state.senderSlots[index] === true) index++;
    if (index >= MAX_SENDERS) return this.#fail(RpalError.SENDER_INIT);
    state.senderSlots[index] = true;
    const record = state.senders + index * SenderRecord.size;
    const scc = record + SenderRecord.scc;
    yield* p.store32(record + SenderRecord.index, index);
    yield* p.store32(record + SenderRecord.tid, yield* p.gettid());
    yield* p.store32(record + SenderRecord.pkey, state.pkey);
    yield* p.store32(record + SenderRecord.inited, 1);
    yield* p.store32(scc + Scc.senderId, index);
    yield* p.store64(scc + Scc.erip, LibSender.recoveryAddress(p.context));
    if ((yield* p.ioctl(state.rpalFd, RpalIoctl.REGISTER_SENDER, scc)) < 0) {
      state.senderSlots[index] = false;
      return this.#fail(RpalError.SENDER_REG);
    }
    this.#sender = new LibSender(index, scc);
    this.#write.sender = this.#sender;
    return 0;
  }

  /** `rpal_sender_exit`. */
  *senderExit(): Routine {
    if (this.#sender === null) return 0;
    yield* this.#program.ioctl(this.process.rpalFd, RpalIoctl.UNREGISTER_SENDER, 0);
    this.process.senderSlots[this.#sender.index] = false;
    this.#sender = null;
    this.#write.sender = null;
    return 0;
  }

  /** `rpal_request_service`: asks for the service with `key`. @returns 0 or -1 */
  *requestService(key: number): Routine {
    const p = this.#program;
    const state = this.process;
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
    // The descriptor table of the peer is looked up when it is first needed: it may not be mapped yet.
    state.peers[id] = { key, id, pkey, pkruMask: pkruOf(pkey), pool, fdTable: 0 };
    return 0;
  }

  /** `rpal_release_service`. @returns 0 or -1 */
  *releaseService(key: number): Routine {
    return (yield* this.#program.ioctl(this.process.rpalFd, RpalIoctl.RELEASE_SERVICE, key)) < 0 ? -1 : 0;
  }

  /** `rpal_get_request_service_id`. @returns the id of a service that was requested, or -1 */
  requestedServiceId(key: number): number {
    return this.process.peers.find((peer) => peer?.key === key)?.id ?? -1;
  }

  /** `rpal_epoll_ctl`: as epoll_ctl; RPAL interest is recorded in the library's descriptor table besides. */
  *epollCtl(epfd: number, operation: number, fd: number, events: number, data: number = fd): Routine {
    const p = this.#program;
    const result = yield* p.epollCtl(epfd, operation, fd, events, data);
    if (result < 0 || !this.process.initialised) return result;
    if (operation === Epoll.CTL_DEL) yield* this.#uninstall(fd);
    if (operation !== Epoll.CTL_ADD || (events & (EPOLLRPALIN | EPOLLRPALOUT)) === 0) return result;
    if ((yield* this.#install(epfd, fd, events, data)) < 0) {
      yield* p.epollCtl(epfd, Epoll.CTL_DEL, fd);
      return -1;
    }
    return 0;
  }

  *#install(epfd: number, fd: number, events: number, data: number): Routine {
    const p = this.#program;
    if (fd >= FDS_PER_NODE) return -1;
    const slot = this.process.fdTable + fd * FdSlot.size;
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
    return 0;
  }

  *#uninstall(fd: number): Routine {
    const p = this.#program;
    const slot = this.process.fdTable + fd * FdSlot.size;
    if ((yield* p.load64(slot + FdSlot.record)) === 0) return 0;
    yield* p.store32(slot + FdSlot.references, FDE_FREED);
    yield* p.store64(slot + FdSlot.record, 0);
    return 0;
  }

  /** `rpal_epoll_wait`: as epoll_wait; a receiver thread can be called meanwhile, and gets user-mode events too. */
  epollWait(epfd: number, events: number, maxevents: number, timeout: number): Call {
    const call = this.#wait;
    call.epfd = epfd;
    call.events = events;
    call.maxevents = maxevents;
    call.timeout = timeout;
    return call;
  }

  /**
   * `rpal_uds_fdmap`: who is at the other end of the Unix socket `fd`, in service `serviceId`.
   * @returns null if the kernel cannot tell; as the series has it, it then reports success and no result
   */
  *udsFdmap(serviceId: number, fd: number): Routine<RpalFd | null> {
    const p = this.#program;
    const state = this.process;
    const peer = state.peers[serviceId];
    if (peer === undefined) return null;
    const { scratch } = state;
    const { cpu } = p.context;
    const saved = cpu.mmu.pkru;
    state.isolation.userLoad(cpu, readAllPkru(state.pkey));
    yield* p.store32(scratch, serviceId);
    yield* p.store32(scratch + 4, fd);
    yield* p.store64(scratch + 8, 0xffff_ffff);
    const result = yield* p.ioctl(state.rpalFd, RpalIoctl.UDS_FDMAP, scratch);
    const far = yield* p.load32(scratch + 8);
    const receiver = yield* p.load32(scratch + 12);
    if (result < 0 || far === 0xffff_ffff) {
      state.isolation.userLoad(p.context.cpu, saved);
      return null;
    }
    const fdTable = yield* p.load64(peer.pool + Pool.fdTable);
    state.peers[serviceId] = { ...peer, fdTable };
    const timestamp = yield* p.load32(fdTable + far * FdSlot.size + FdSlot.timestamp);
    state.isolation.userLoad(p.context.cpu, saved);
    return { receiver, fd: far, timestamp };
  }

  /**
   * `rpal_write_ptrs`: passes `length` words (1 .. 32) from memory at `pointers` and calls the receiver.
   * @returns `length`, or a negative `RpalError`
   */
  writePtrs(serviceId: number, rpalfd: RpalFd, pointers: number, length: number): Call {
    const call = this.#write;
    call.serviceId = serviceId;
    call.rpalfd = rpalfd;
    call.pointers = pointers;
    call.length = length;
    return call;
  }

  /** `rpal_read_ptrs`: takes up to `length` words from the queue of `fd`. @returns how many, or -1 */
  readPtrs(fd: number, pointers: number, length: number): Call {
    const call = this.#read;
    call.fd = fd;
    call.pointers = pointers;
    call.length = Math.min(length, QUEUE_WORDS);
    return call;
  }

  #fail(code: number): number {
    this.process.error = code;
    return -1;
  }
}

/** The library as `program` sees it. */
export function librpal(program: Program): LibRpal {
  return new LibRpal(program);
}
