import type { Call, Program } from '@rpal/kernel';
import { FdmapArg, RpalIoctl } from '@rpal/rpal-core';
import { Epoll } from '@rpal/uapi';
import { AccessSafetyCall } from './call/access-safety.js';
import { ReadPtrsCall } from './call/read-ptrs.js';
import type { LibSender, RpalFd } from './call/sender.js';
import { CallKind, mayPass, WritePtrsCall } from './call/write-ptrs.js';
import { refuse, requireNumbers } from './checks.js';
import { RpalError } from './errors.js';
import { EPOLLRPALIN, EPOLLRPALOUT, FdRecord, Pool } from './layouts.js';
import { install, modify, recordOf, timestampOf, uninstall } from './process/fd-table.js';
import { LibProcess } from './process/lib-process.js';
import { cleanServiceEnd, cleanServiceStart, releaseService, requestedServiceId, requestService } from './process/peers.js';
import { EpollWaitCall } from './receive/receiver.js';
import { endReceiver, endSender, makeReceiver, makeSender, type NewReceiver } from './registration.js';
import { CompareExchange } from './routine/compare-exchange.js';
import { exit, init } from './setup.js';
import type { LibraryBuild } from './steps.js';

/** Which events a wait collects: those of the kernel, too, or only those that callers have set. */
const Events = { ALL: false, USER_ONLY: true } as const;

type Routine<T = number> = Generator<void, T>;

/** In each pair of bits of PKRU the one that allows reading: `RPAL_PKRU_BASE_CODE_READ`. */
const NO_WRITE = 0xaaaa_aaaa | 0;

/**
 * The user half of RPAL as one thread sees it (patch 35). All routines are used with `yield*`; results are the
 * library's: 0 or a count on success, -1 or a negative `RpalError` on failure.
 */
export class LibRpal {
  readonly process: LibProcess;
  readonly #program: Program;
  #receiver: NewReceiver | null = null;
  #sender: LibSender | null = null;
  readonly #wait: EpollWaitCall;
  readonly #write: WritePtrsCall;
  readonly #read: ReadPtrsCall;

  constructor(program: Program, build?: LibraryBuild) {
    this.#program = program;
    this.process = LibProcess.of(program.context.thread.process, build);
    this.#wait = new EpollWaitCall(program.context);
    this.#write = new WritePtrsCall(program.context);
    this.#read = new ReadPtrsCall(program.context);
    this.process.threads.add(this);
    this.#write.process = this.process;
    this.#read.process = this.process;
  }

  /**
   * `rpal_init`: `receivers` threads will be callable.
   * @returns the descriptor of /proc/rpal; or -1 and `error` is set - but as the series has it, not for no receivers or too little memory
   */
  *init(receivers: number): Routine {
    return yield* init(this.#program, this.process, receivers);
  }

  /** `rpal_exit`: the service is disabled, the library's areas go. */
  *exit(): Routine<void> {
    yield* exit(this.#program, this.process);
  }

  /** The last error that `init` or `senderInit` stored. */
  get error(): number {
    return this.process.error;
  }

  /** `rpal_get_service_id`. @returns the own id, or -1 before `init` */
  get serviceId(): number {
    return this.process.initialised ? this.process.id : -1;
  }

  /** `rpal_get_service_key`. @returns the own key, or -1 before `init` */
  get serviceKey(): number {
    return this.process.initialised ? this.process.key : -1;
  }

  /** `rpal_receiver_init`: the calling thread becomes the next receiver. @returns an eventfd that nothing uses, or -1 */
  *receiverInit(): Routine {
    const made = yield* makeReceiver(this.#program, this.process, this.#receiver !== null);
    if (made === null) return -1;
    this.#receiver = made;
    this.#wait.receiver = made.receiver;
    return made.eventFd;
  }

  /** `rpal_receiver_exit`. The index of the receiver is not used again. */
  *receiverExit(): Routine<void> {
    const receiver = this.#receiver;
    if (receiver === null) return;
    this.#receiver = null;
    this.#wait.receiver = null;
    yield* endReceiver(this.#program, this.process, receiver);
  }

  /** Is the calling thread a receiver? */
  get isReceiver(): boolean {
    return this.#receiver !== null;
  }

  /** Is the calling thread a sender? */
  get isSender(): boolean {
    return this.#sender !== null;
  }

  /**
   * `rpal_sender_init`: the calling thread may call.
   * @returns 0; or -1 and `error` is set - but as the series has it, not if it is a sender already
   */
  *senderInit(): Routine {
    const state = this.process;
    if (!state.initialised) return state.fail(RpalError.DONT_INITED);
    if (this.#sender !== null) return state.failWithout(RpalError.SENDER_INIT);
    const made = yield* makeSender(this.#program, state);
    if (typeof made === 'number') return state.fail(made);
    this.#sender = made;
    this.#write.sender = made;
    return 0;
  }

  /** `rpal_sender_exit`. @returns 0, always */
  *senderExit(): Routine {
    const sender = this.#sender;
    if (sender === null) return 0;
    this.#sender = null;
    this.#write.sender = null;
    yield* endSender(this.#program, this.process, sender);
    return 0;
  }

  /** The library forgets the thread, as when the key of thread-specific data goes; the kernel is not told. */
  forgetRoles(): void {
    this.#receiver = null;
    this.#wait.receiver = null;
    this.#sender = null;
    this.#write.sender = null;
  }

  /** `rpal_request_service`: asks for the service with `key`. @returns 0 or -1 */
  *requestService(key: number): Routine {
    return yield* requestService(this.#program, this.process, key);
  }

  /** `rpal_release_service`: withdraws the request, and with it the descriptor records that the peer used. @returns 0 or -1 */
  *releaseService(key: number): Routine {
    return yield* releaseService(this.#program, this.process, key);
  }

  /** `rpal_get_request_service_id`. @returns the id of a service that was requested, or -1 */
  requestedServiceId(key: number): number {
    return requestedServiceId(this.process, key);
  }

  /** `rpal_clean_service_start`, when /proc/rpal is readable: breaks locks of dead peers. @returns their keys, or null */
  *cleanServiceStart(): Routine<readonly number[] | null> {
    return yield* cleanServiceStart(this.#program, this.process);
  }

  /** `rpal_clean_service_end`: releases the dead. */
  *cleanServiceEnd(keys: readonly number[]): Routine<void> {
    yield* cleanServiceEnd(this.#program, this.process, keys);
  }

  /** `rpal_epoll_ctl`: as epoll_ctl; RPAL interest is also recorded in the library's descriptor table. */
  *epollCtl(epfd: number, operation: number, fd: number, events: number, data: number = fd): Routine {
    const p = this.#program;
    const state = this.process;
    const result = yield* p.epollCtl(epfd, operation, fd, events, data);
    if (result !== 0 || !state.initialised) return result;
    // It is no failure if a descriptor has no record to change or remove.
    if (operation === Epoll.CTL_DEL) yield* uninstall(p, state, fd);
    if (operation === Epoll.CTL_MOD) yield* modify(p, state, fd, events, data);
    if (operation !== Epoll.CTL_ADD || (events & (EPOLLRPALIN | EPOLLRPALOUT)) === 0) return 0;
    if ((yield* install(p, state, epfd, fd, events, data)) === 0) return 0;
    yield* p.epollCtl(epfd, Epoll.CTL_DEL, fd);
    return -1;
  }

  /** `rpal_epoll_wait`: as epoll_wait; a receiver thread can be called meanwhile, and gets user-mode events too. */
  epollWait(epfd: number, events: number, maxevents: number, timeout: number): Call {
    return this.#prepareWait(epfd, events, maxevents, timeout, Events.ALL);
  }

  /** `rpal_epoll_wait_user`: collects user-mode events only, and never blocks. @returns how many */
  epollWaitUser(events: number, maxevents: number): Call {
    return this.#prepareWait(-1, events, maxevents, 0, Events.USER_ONLY);
  }

  #prepareWait(epfd: number, events: number, maxevents: number, timeout: number, userOnly: boolean): Call {
    requireNumbers('rpal_epoll_wait', epfd + events + maxevents + timeout);
    const call = this.#wait;
    call.epfd = epfd;
    call.events = events;
    call.maxevents = maxevents;
    call.timeout = timeout;
    call.userOnly = userOnly;
    return call;
  }

  /**
   * `rpal_uds_fdmap`: who is at the other end of the Unix socket `fd`, in service `serviceId`.
   * @returns null on failure - but as the series has it, not if the kernel finds nobody: that counts as success, and the
   *   result is what the argument held before
   */
  *udsFdmap(serviceId: number, fd: number): Routine<RpalFd | null> {
    const p = this.#program;
    const state = this.process;
    const { context } = p;
    const saved = state.rights(context.cpu);
    state.loadRights(context.cpu, saved & NO_WRITE);
    let found: RpalFd | null = null;
    const mapped = yield* this.readAccessSafety(() => this.#mapConnection(serviceId, fd, (far) => (found = far)));
    state.loadRights(context.cpu, saved);
    return mapped === 0 ? found : null;
  }

  *#mapConnection(serviceId: number, fd: number, found: (far: RpalFd) => void): Routine<void> {
    const p = this.#program;
    const state = this.process;
    const far = yield* this.#mapSocket(serviceId, fd, state.quirk('fdmap-result-uninitialised'));
    const peer = state.peers[serviceId];
    if (far === null || peer === undefined || peer.released) return;
    // The table of the peer is looked up here, where its memory is mapped.
    const fdTable = yield* p.load64(peer.pool + Pool.fdTable);
    state.peers[serviceId] = { ...peer, fdTable };
    const timestamp = yield* timestampOf(p, fdTable, far.fd);
    // The record remembers the service at the other end, so that it can be freed when that one dies.
    const own = yield* recordOf(p, state, fd);
    if (own !== 0) yield* p.store64(own + FdRecord.peerKey, yield* p.load64(peer.pool + Pool.key));
    found({ ...far, timestamp });
  }

  /** `rpal_get_peer_rid`: the receiver behind a connection. @returns its id, or -1 */
  *peerReceiver(serviceId: number, fd: number): Routine {
    const found = yield* this.#mapSocket(serviceId, fd, this.process.quirk('fdmap-result-uninitialised'));
    return found?.receiver ?? -1;
  }

  /** True once UDS_FDMAP finds a receiver: what the sample's sleep of three seconds waits for. */
  *hasReceiver(serviceId: number, fd: number): Routine<boolean> {
    return (yield* this.#mapSocket(serviceId, fd, false)) !== null;
  }

  *#mapSocket(serviceId: number, fd: number, trusting: boolean): Routine<{ receiver: number; fd: number } | null> {
    const p = this.#program;
    const { scratch, rpalFd } = this.process;
    yield* p.store32(scratch + FdmapArg.serviceId, serviceId);
    yield* p.store32(scratch + FdmapArg.cfd, fd);
    const result = scratch + FdmapArg.size;
    yield* p.store64(scratch + FdmapArg.res, result);
    if (!trusting) yield* p.store64(result, 0xffff_ffff);
    if ((yield* p.ioctl(rpalFd, RpalIoctl.UDS_FDMAP, scratch)) < 0) return null;
    const far = yield* p.load32(result);
    const receiver = yield* p.load32(result + 4);
    return !trusting && far === 0xffff_ffff ? null : { receiver: receiver & 0xff, fd: far };
  }

  /**
   * `rpal_write_ptrs`: passes `length` words (1 .. 32) from memory at `pointers` and calls the receiver. A thread that is
   * no sender becomes one.
   * @returns `length`, or a negative `RpalError`
   */
  writePtrs(serviceId: number, rpalfd: RpalFd, pointers: number, length: number): Call {
    requireNumbers('rpal_write_ptrs', serviceId + pointers + length);
    if (typeof rpalfd?.fd !== 'number') refuse('rpal_write_ptrs', 'rpalfd', rpalfd, 'what findReceiver or udsFdmap has returned');
    if (this.#sender === null) return this.#registerAndWrite(serviceId, rpalfd, pointers, length);
    return this.#prepareWrite(serviceId, rpalfd, pointers, length, CallKind.IN);
  }

  #prepareWrite(serviceId: number, rpalfd: RpalFd, pointers: number, length: number, kind: number): Call {
    const call = this.#write;
    call.serviceId = serviceId;
    call.rpalfd = rpalfd;
    call.pointers = pointers;
    call.length = length;
    call.kind = kind;
    return call;
  }

  *#registerAndWrite(serviceId: number, rpalfd: RpalFd, pointers: number, length: number): Routine {
    if (!mayPass(pointers, length)) return -RpalError.INVALID_ARG;
    if ((yield* this.#asSender()) === null) return -this.process.senderRefused;
    return yield* this.#prepareWrite(serviceId, rpalfd, pointers, length, CallKind.IN);
  }

  /** `rpal_read_ptrs`: takes up to `length` words from the queue of `fd`. @returns how many, or -1 */
  readPtrs(fd: number, pointers: number, length: number): Call {
    requireNumbers('rpal_read_ptrs', fd + pointers + length);
    const call = this.#read;
    call.fd = fd;
    call.pointers = pointers;
    call.length = length;
    return call;
  }

  /**
   * `rpal_read_ptrs_trigger_out`: as `readPtrs`, and if a writer has found the queue full since, its receiver is called
   * with EPOLLRPALOUT. @returns how many words
   */
  *readPtrsTriggerOut(fd: number, pointers: number, length: number, serviceId: number, rpalfd: RpalFd): Routine {
    const p = this.#program;
    const count = yield* this.readPtrs(fd, pointers, length);
    if (count <= 0) return count;
    const record = yield* recordOf(p, this.process, fd);
    if (record === 0 || (yield* new CompareExchange(p.context, record + FdRecord.trigger, 1, 0)) !== 1) return count;
    const told = (yield* this.#asSender()) !== null && (yield* this.#prepareWrite(serviceId, rpalfd, 0, 0, CallKind.OUT)) >= 0;
    // A writer that asked to be told is told next time.
    if (!told) yield* p.store32(record + FdRecord.trigger, 1);
    return count;
  }

  /** `rpal_read_access_safety`: runs `routine` under a recovery point. @returns 0, or -1 if a peer's memory was gone */
  *readAccessSafety(routine: () => Generator<void, unknown>): Routine {
    const body = routine();
    if (typeof body?.next !== 'function') refuse('rpal_read_access_safety', 'what its routine returns', body, 'a generator function');
    const sender = yield* this.#asSender();
    if (sender === null) return -1;
    return yield* new AccessSafetyCall(this.#program.context, sender, this.process.nestsRecovery, body);
  }

  /** The calling thread as a sender, which it becomes if it is none. @returns null if it cannot */
  *#asSender(): Routine<LibSender | null> {
    if (this.#sender === null) yield* this.senderInit();
    return this.#sender;
  }
}

/** How a program was linked with the library. */
export interface LibraryOptions {
  /** What the compiler made of it: `unoptimised` by default, as the RFC's sample, or `optimised`. All threads of a process have the same. */
  readonly build?: LibraryBuild;
}

/** The library as `program` sees it. */
export function librpal(program: Program, options: LibraryOptions = {}): LibRpal {
  if (program?.context === undefined) refuse('librpal', 'the program', program, 'what the program gets: function* (p) { librpal(p) }');
  const build = options?.build;
  if (build !== undefined && build?.steps === undefined) refuse('librpal', 'the build', build, 'unoptimised or optimised');
  return new LibRpal(program, build);
}
