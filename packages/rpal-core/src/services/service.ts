import type { EventPoll } from '@rpal/epoll';
import type { Thread } from '@rpal/kernel';
import type { MmStruct } from '@rpal/mm';
import { type CpuSet, type DelayedWork, Mutex, type Scheduler, type SleepTimer, type WaitEntry, WaitQueue } from '@rpal/sched';
import type { File } from '@rpal/vfs';
import {
  MAX_REQUEST_SERVICE,
  MapType,
  PkuOn,
  RPAL_ADDR_SPACE_SIZE,
  RPAL_ADDRESS_SPACE_HIGH,
  RPAL_ADDRESS_SPACE_LOW,
  RPAL_MAX_RECEIVER_NUM,
  RPAL_NR_ID,
} from '../abi/constants.js';
import type { SharedPages } from '../memory/shared-pages.js';
import { RpalBug } from '../rpal-bug.js';
import type { RpalEpollWait } from '../switch/epoll.js';

/** One peer in a service's map (patch 11). */
export class MapEntry {
  /** `MapType` bits. */
  type = 0;
  /** Holds a reference while not null. */
  service: RpalService | null = null;
  /** The peer's key, cached when the entry was first made. */
  pkey = -1;

  get mapped(): boolean {
    return this.type === (MapType.REQUEST | MapType.REVERSE);
  }
}

/** One entry of the FS-base table (patch 17). `fsBase` 0: free. */
export class FsBaseEntry {
  fsBase = 0;
  thread: Thread | null = null;
}

/**
 * The record of a registered thread (patch 08: `rpal_sender_data`, `rpal_receiver_data`). The two begin alike and the task
 * has one pointer for either, so a record that was made for one role and is used for the other means what lies at the same
 * place: the call context, and the thread at the other side of a lazy switch.
 */
export class RoleData {
  readonly thread: Thread;
  readonly serviceId: number;
  readonly page: SharedPages;
  /** Physical address of the call context: the SCC of a sender, the RCC of a receiver. */
  readonly context: number;
  freed = false;
  /** Of a receiver: cycles that it was charged with and no sender has been credited with yet. Counted only where claims are checked. */
  charged = 0;
  /** Affinity before the CPU was locked. */
  oldAffinity: CpuSet | null = null;
  /** Of a sender, the receiver of the present lazy switch; of a receiver, who lazily switched to it. */
  partner: Thread | null = null;
  /** Without patch 20's order: the receiver that kernel return has still to unlock. */
  unlockLate: Thread | null = null;

  /** The epoll instance of the last RPAL wait. */
  epoll: EventPoll | null = null;
  /** The epoll file that the last RPAL wait took, and whether its reference is still held. */
  file: File | null = null;
  fileHeld = false;
  timer: SleepTimer | null = null;
  /** The sleep timer has expired since the wait began. */
  timedOut = false;
  /** What fast epoll wait found wrong with the arguments: a negative errno, or 0. */
  fastError = 0;
  /** Its epoll_wait, made on first use. */
  operation: RpalEpollWait | null = null;
  /** Its place in the queue of an epoll instance. A sender's record ends before it. */
  readonly waitEntry: WaitEntry | null;

  constructor(thread: Thread, serviceId: number, page: SharedPages, context: number, waitEntry: WaitEntry | null) {
    this.thread = thread;
    this.serviceId = serviceId;
    this.page = page;
    this.context = context;
    this.waitEntry = waitEntry;
  }

  /** Physical address of the sender call context. */
  get scc(): number {
    return this.context;
  }

  /** Physical address of the receiver call context. */
  get rcc(): number {
    return this.context;
  }

  /** @throws RpalBug for a record that was made for a sender */
  get wait(): WaitEntry {
    const { waitEntry } = this;
    if (waitEntry === null) throw new RpalBug(`thread ${this.thread.pid}: read beyond the end of its rpal_sender_data`);
    return waitEntry;
  }
}

/** What the service gave at ENABLE (patch 10). */
export interface Metadata {
  readonly userMeta: number;
  readonly retBegin: number;
  readonly retEnd: number;
}

/** A process that runs an RPAL binary (patch 02: `struct rpal_service`). */
export class RpalService {
  readonly leader: Thread;
  readonly mm: MmStruct;
  readonly key: number;
  readonly id: number;
  readonly base: number;
  /** Not position independent: may never be enabled. */
  readonly bad: boolean;
  /** Position independent without a dynamic loader: its heap starts at the base (patch 05). */
  readonly staticPie: boolean;

  readonly mutex: Mutex;
  readonly sharedPages: SharedPages[] = [];
  /** Registered senders and receivers. */
  threadCount = 0;
  enabled = false;
  metadata: Metadata | null = null;

  requestsLeft: number = MAX_REQUEST_SERVICE;
  readonly map: readonly MapEntry[] = Array.from({ length: RPAL_NR_ID }, () => new MapEntry());

  /** Keys of dead peers by id, and who waits for them on /proc/rpal (patch 12). */
  readonly deadKeys: Map<number, number> = new Map();
  readonly deathWait: WaitQueue = new WaitQueue('ends of requested services');

  readonly fsBases: readonly FsBaseEntry[] = Array.from({ length: RPAL_MAX_RECEIVER_NUM }, () => new FsBaseEntry());
  pkuOn: number = PkuOn.FALSE;
  pkey = -1;

  /** Receivers that the waker looks after (patch 31). */
  readonly receivers: Thread[] = [];
  waker: DelayedWork | null = null;

  references = 0;
  registered = true;

  constructor(scheduler: Scheduler, leader: Thread, key: number, id: number, kind: { readonly bad: boolean; readonly staticPie: boolean }) {
    this.leader = leader;
    this.mm = leader.memory;
    this.key = key;
    this.id = id;
    this.base = RPAL_ADDRESS_SPACE_LOW + id * RPAL_ADDR_SPACE_SIZE;
    this.bad = kind.bad;
    this.staticPie = kind.staticPie;
    this.mutex = new Mutex(scheduler, 'RPAL service');
  }

  get top(): number {
    return this.base + RPAL_ADDR_SPACE_SIZE;
  }

  /**
   * True for addresses in the own slice, and for those outside all slices: address 0 and kernel addresses count as
   * correct (`rpal_is_correct_address`).
   */
  isCorrect(address: number): boolean {
    if (address >= this.base && address < this.top) return true;
    return address < RPAL_ADDRESS_SPACE_LOW || address >= RPAL_ADDRESS_SPACE_HIGH;
  }

  /** True if `address` lies in the ret section that the service registered. */
  inRetSection(address: number): boolean {
    const { metadata } = this;
    return metadata !== null && address >= metadata.retBegin && address < metadata.retEnd;
  }

  /** The entry of the slice owner of `address`, or null if the address is in no slice. */
  peerAt(address: number): MapEntry | null {
    if (address < RPAL_ADDRESS_SPACE_LOW || address >= RPAL_ADDRESS_SPACE_HIGH) return null;
    return this.map[Math.floor((address - RPAL_ADDRESS_SPACE_LOW) / RPAL_ADDR_SPACE_SIZE)] ?? null;
  }

  /** The live services that are mapped both ways. */
  *mappedPeers(): Generator<RpalService> {
    for (const entry of this.map) if (entry.mapped && entry.service !== null && !entry.service.mm.dead) yield entry.service;
  }
}
