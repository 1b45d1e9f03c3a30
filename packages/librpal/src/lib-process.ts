import type { Process } from '@rpal/kernel';
import { type Isolation, protectionKeys } from '@rpal/rpal-core';
import { RpalError } from './errors.js';

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
}

/** The library's globals in one process. */
export class LibProcess {
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
  readonly senderSlots: boolean[] = [];
  /** Scratch memory for arguments of system calls. */
  scratch = 0;
  /** Library code as far as its addresses matter. */
  libText = 0;
  retBegin = 0;
  retEnd = 0;
  /** Requested services by id. */
  readonly peers: Peer[] = [];

  static readonly #all: WeakMap<Process, LibProcess> = new WeakMap();

  /** The library's state in `process`. */
  static of(process: Process): LibProcess {
    let state = LibProcess.#all.get(process);
    if (state === undefined) {
      state = new LibProcess();
      LibProcess.#all.set(process, state);
    }
    return state;
  }
}
