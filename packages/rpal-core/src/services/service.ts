import type { MmStruct } from '@rpal/mm';
import { type DelayedWork, Mutex, type Scheduler, WaitQueue } from '@rpal/sched';
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
import type { SharedMapping } from './shared-mapping.js';
import type { RpalTask } from './thread.js';

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
  thread: RpalTask | null = null;
}

/** What the service gave at ENABLE (patch 10). */
export interface Metadata {
  readonly userMeta: number;
  readonly retBegin: number;
  readonly retEnd: number;
}

/** A process that runs an RPAL binary (patch 02: `struct rpal_service`). */
export class RpalService {
  readonly leader: RpalTask;
  readonly mm: MmStruct;
  readonly key: number;
  readonly id: number;
  readonly base: number;
  /** Not position independent: may never be enabled. */
  readonly bad: boolean;
  /** Position independent without a dynamic loader: its heap starts at the base (patch 05). */
  readonly staticPie: boolean;

  readonly mutex: Mutex;
  readonly sharedPages: SharedMapping[] = [];
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
  readonly receivers: RpalTask[] = [];
  waker: DelayedWork | null = null;

  references = 0;
  registered = true;

  constructor(
    scheduler: Scheduler,
    leader: RpalTask,
    key: number,
    id: number,
    kind: { readonly bad: boolean; readonly staticPie: boolean },
  ) {
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
