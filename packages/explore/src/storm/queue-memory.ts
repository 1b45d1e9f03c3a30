import { entryFrame, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import { FdRecord, FdSlot, type LibProcess, QUEUE_WORDS } from '@rpal/librpal';
import type { RpalService } from '@rpal/rpal-core';

/** The queue of one descriptor, as its owner's memory has it. */
export interface QueueMemory {
  /** Physical address of the record (`FdRecord`). */
  readonly record: number;
  /** Key of the service at the other end, as far as the library has noted it: 0 as written, unless the owner has mapped the connection. */
  readonly peerKey: number;
  /** Words taken out and put in since the queue was made. */
  readonly taken: number;
  readonly put: number;
  /** The word that was put in last, which stays in memory when it is taken out; 0 if none was. */
  readonly last: number;
  /** Words put in and not taken out, oldest first. */
  readonly waiting: readonly number[];
}

/** Reads the memory of a service from outside: nothing is charged, nothing faults. */
export class ServiceMemory {
  readonly #service: RpalService;

  constructor(service: RpalService) {
    this.#service = service;
  }

  /** Physical address behind one of the service's own addresses; -1 if nothing is there. */
  physical(address: number): number {
    const { memory } = this.#service.mm.manager;
    const entry = this.#service.mm.tables.find(address);
    if (entry < 0 || (memory.read32(entry) & Pte.present) === 0) return -1;
    return entryFrame(memory.read32(entry), memory.read32(entry + 4)) * PAGE_SIZE + (address % PAGE_SIZE);
  }

  /** A 64-bit word; 0 if nothing is there. */
  read64(address: number): number {
    const at = this.physical(address);
    return at < 0 ? 0 : this.#service.mm.manager.memory.read64(at);
  }

  /** The queue of a descriptor below the first node's end; null if it has none (any more). */
  queue(library: LibProcess, fd: number): QueueMemory | null {
    const record = this.physical(this.read64(library.fdTable + fd * FdSlot.size + FdSlot.record));
    if (record < 0) return null;
    const { memory } = this.#service.mm.manager;
    const taken = memory.read32(record + FdRecord.head);
    const put = memory.read32(record + FdRecord.tail);
    const word = (at: number): number => memory.read64(record + FdRecord.words + 8 * (at & (QUEUE_WORDS - 1)));
    const waiting: number[] = [];
    for (let i = taken; i < put; i++) waiting.push(word(i));
    return { record, peerKey: memory.read64(record + FdRecord.peerKey), taken, put, last: put === 0 ? 0 : word(put - 1), waiting };
  }
}
