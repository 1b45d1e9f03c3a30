import { Scc } from '@rpal/rpal-core';

/**
 * The library's own records in guest memory (patch 35). Peers read and write them directly, so their layout is part of
 * the protocol between processes that use the library.
 */

/** `rpal_thread_pool`: what a service shows to its peers; its address is the `user_meta` given at ENABLE. @public for tools that read a service's memory */
export const Pool = { receivers: 0, fdTable: 8, key: 16, count: 24, id: 28, pkey: 32, size: 64 } as const;

/** One receiver of a pool. @public for tools that read a service's memory */
export const ReceiverRecord = {
  tid: 0,
  tlsBase: 8,
  status: 16,
  queueLock: 24,
  mainContext: 32,
  senderTls: 40,
  senderPkru: 48,
  senderContext: 56,
  rcc: 64,
  readyQueue: 72,
  size: 128,
} as const;

/** High half of a queue lock that is held: bit 63. The low half is the key of the holder's service. */
export const LOCKED = 1 << 31;

export const ReceiverStatus = { UNINITIALIZED: 0, INITIALIZED: 1, AVAILABLE: 2 } as const;

/** Queue of descriptors with user-mode events: producers reserve, store, publish; the receiver takes from `begin`. @public for tools that read a service's memory */
export const ReadyQueue = { reserved: 0, end: 4, begin: 64, fds: 128, capacity: 4096, size: 128 + 4 * 4096 } as const;

/** One sender: 136 bytes, of which 120 are shared with the kernel. @public for tools that read a service's memory */
export const SenderRecord = { index: 0, tid: 4, pkey: 8, inited: 12, scc: 16, size: 16 + Scc.size } as const;

/** A slot of the descriptor table: its record, one of `SlotUse` or beyond, the time stamp of the record that was installed last. */
export const FdSlot = { record: 0, use: 8, timestamp: 12, size: 16 } as const;
/**
 * What a slot's word of use says; callers count up from AVAILABLE. The library's own values are one less (-1, -100, 0), with which it
 * fills each node: here a node of fresh memory is free as it is.
 * @public for tools that read a service's memory
 */
export const SlotUse = { FREE: 0, FREEING: -99, AVAILABLE: 1 } as const;
/** The table is a list of nodes: slots, and behind them the address of the next node. */
export const FDS_PER_NODE = 16_384;
/** Nodes of the list of descriptors. @public for tools that read a service's memory */
export const FdNode = { next: FDS_PER_NODE * FdSlot.size, size: FDS_PER_NODE * FdSlot.size + 8 } as const;

/**
 * A descriptor with RPAL interest, and its queue of data words. `data` is what epoll_ctl was given; `peerKey` is the key of the service at
 * the other end if the owner has mapped the connection, and where that is put right, of the caller that used it last.
 */
export const FdRecord = {
  fd: 0,
  epfd: 4,
  interest: 8,
  pending: 12,
  trigger: 16,
  timestamp: 20,
  data: 24,
  peerKey: 32,
  head: 40,
  tail: 44,
  outdated: 48,
  words: 64,
  size: 64 + 8 * 32,
} as const;

/** Words that a descriptor's queue holds, and that one call can pass. */
export const QUEUE_WORDS = 32;

export const EPOLLRPALIN = 0x0002_0000;
/** Event of the epoll drop-ins: a queue has room. @public for programs, as EPOLLRPALIN is */
export const EPOLLRPALOUT = 0x0004_0000;

/** Sizes of the areas (patch 35): senders 8 pages, receiver contexts 1 page, a receiver's extra stacks. */
export const SENDERS_BYTES = 0x8000;
export const RECEIVERS_BYTES = 0x1000;
export const EVENT_STACK_BYTES = 0x4000;
export const TRAMPOLINE_STACK_BYTES = 0x1000;
export const MAX_SENDERS = 256;

/** A saved context on a fiber's stack (Boost fcontext): FP control words, r12..r15, rbx, rbp, return address. */
export const FiberFrame = { fpControl: 0, r12: 8, r13: 16, r14: 24, r15: 32, rbx: 40, rbp: 48, rip: 56, size: 64 } as const;
