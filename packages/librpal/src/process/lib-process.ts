import type { Cpu } from '@rpal/hw-x86';
import type { Process } from '@rpal/kernel';
import { findRpal, type Instruments, type Isolation, protectionKeys, type QuirkName, type Rpal } from '@rpal/rpal-core';
import type { Handover } from '@rpal/sched';
import { RpalError } from '../errors.js';
import { SenderSlots } from './sender-slots.js';

/** A service that this one has requested, as the library remembers it. */
export interface Peer {
  readonly key: number;
  readonly id: number;
  readonly pkey: number;
  /** What opening the peer's key leaves of PKRU. */
  readonly pkruMask: number;
  /** Address of the peer's pool, and of its descriptor table. */
  readonly pool: number;
  readonly fdTable: number;
  /** The request was taken back. The entry stays. */
  readonly released: boolean;
}

/** The library's globals in one process. */
export class LibProcess {
  /** The kernel half, for its instruments and for what is to be repaired; null on a machine without it. */
  readonly #kernelHalf: Rpal | null;
  initialised = false;
  /** What opens and closes the memory of peers on this machine. Set by `rpal_init`. */
  isolation: Isolation = protectionKeys;
  error: number = RpalError.NONE;
  rpalFd = -1;
  key = 0;
  id = -1;
  pkey = -1;
  pool = 0;
  receivers = 0;
  receiverCount = 0;
  fdTable = 0;
  receiverContexts = 0;
  senders = 0;
  /** Receivers and senders made so far; receiver indices are never used again. */
  nextReceiver = 0;
  readonly senderSlots: SenderSlots = new SenderSlots();
  /** Descriptors that have, or had, a record. */
  readonly usedFds: Set<number> = new Set();
  /** Descriptor records that somebody still used when they were to be freed, by address, with their slots. */
  readonly lazyFree: { readonly slot: number; readonly record: number }[] = [];
  /** Scratch memory for arguments of system calls. */
  scratch = 0;
  /** Library code as far as its addresses matter. */
  libText = 0;
  retBegin = 0;
  retEnd = 0;
  /** Requested services by id. */
  readonly peers: Peer[] = [];
  /** Where words go from sender to receiver: one for all processes of a machine. */
  readonly handover: Handover;

  static readonly #all: WeakMap<Process, LibProcess> = new WeakMap();
  static readonly #handovers: WeakMap<object, Handover> = new WeakMap();

  constructor(kernelHalf: Rpal | null, handover: Handover) {
    this.#kernelHalf = kernelHalf;
    this.handover = handover;
  }

  /** Told of changes of state and of rights that the library makes; null on a machine without the kernel half. */
  get instruments(): Instruments | null {
    return this.#kernelHalf === null ? null : this.#kernelHalf.instruments;
  }

  /** User mode takes these rights, two bits per key, on the CPU it runs on. */
  loadRights(cpu: Cpu, rights: number): void {
    this.isolation.userLoad(cpu, rights);
    this.instruments?.rights(cpu, rights);
  }

  /** True if the library's behaviour of that name is reproduced, false if it is repaired. */
  quirk(name: QuirkName): boolean {
    return this.#kernelHalf === null || this.#kernelHalf.quirk(name);
  }

  /** The library's state in `process`. */
  static of(process: Process): LibProcess {
    let state = LibProcess.#all.get(process);
    if (state === undefined) {
      const { kernel } = process;
      let handover = LibProcess.#handovers.get(kernel);
      if (handover === undefined) {
        handover = kernel.scheduler.handovers.open('RPAL');
        LibProcess.#handovers.set(kernel, handover);
      }
      state = new LibProcess(findRpal(kernel), handover);
      LibProcess.#all.set(process, state);
    }
    return state;
  }
}
