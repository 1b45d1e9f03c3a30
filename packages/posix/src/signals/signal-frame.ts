import type { Program } from '@rpal/kernel';
import { Frame, Info, Register, xsaveLayout } from './frame-layout.js';

type Read = Generator<void, number>;
type Write = Generator<void, void>;

/**
 * The frame of a signal handler, as the handler sees it on its stack. What it writes there is in force when it returns.
 *
 * ```ts
 * yield* p.sigaction(Signal.SEGV, function* (q) {
 *   const frame = new SignalFrame(q);
 *   yield* frame.setPkru(0);
 * });
 * ```
 * @public for engines of machine code
 */
export class SignalFrame {
  /** Where it lies. */
  readonly address: number;
  readonly #p: Program;
  readonly #pkru: number;

  /** @param p the program as the handler was given it */
  constructor(p: Program) {
    this.#p = p;
    this.address = p.context.rsp;
    this.#pkru = xsaveLayout(p.context.thread.process.kernel.scheduler.platform.profile).pkru;
  }

  /** Address of the `siginfo_t`, and of the `struct ucontext`: what a handler in C is given. */
  get info(): number {
    return this.address + Frame.info;
  }

  get context(): number {
    return this.address + Frame.flags;
  }

  /** A general register of what was interrupted. @param name as in `Register` */
  register(name: keyof typeof Register): Read {
    return this.#load64(Frame.registers + 8 * Register[name]);
  }

  *setRegister(name: keyof typeof Register, value: number): Write {
    yield* this.#p.store64(this.address + Frame.registers + 8 * Register[name], value);
  }

  /** `si_code`, and the address of the fault. */
  *code(): Read {
    return (yield* this.#p.load32(this.info + Info.code)) | 0;
  }

  /** The error code of the exception, and which it was. */
  faultError(): Read {
    return this.#load64(Frame.error);
  }

  faultVector(): Read {
    return this.#load64(Frame.trap);
  }

  faultAddress(): Read {
    return this.#load64(Frame.info + Info.address);
  }

  /** Who has sent the signal: `si_pid` and `si_uid`; of a timer, its id and overruns. */
  *sender(): Read {
    return yield* this.#p.load32(this.info + Info.pid);
  }

  *user(): Read {
    return yield* this.#p.load32(this.info + Info.uid);
  }

  /** What came along (`si_value`); of SIGCHLD, `si_status`. */
  *value(): Read {
    return (yield* this.#p.load32(this.info + Info.value)) | 0;
  }

  /** The key of the memory that PKRU did not allow (`si_pkey`). */
  *key(): Read {
    return yield* this.#p.load32(this.info + Info.key);
  }

  /** Signals that are blocked when it returns: `low` word, or the one of 33 .. 64. */
  *mask(word: 'low' | 'high' = 'low'): Read {
    return (yield* this.#p.load32(this.address + Frame.mask + (word === 'low' ? 0 : 4))) | 0;
  }

  *setMask(low: number, high = 0): Write {
    yield* this.#p.store32(this.address + Frame.mask, low);
    yield* this.#p.store32(this.address + Frame.mask + 4, high);
  }

  /** PKRU in the extended state. */
  *pkru(): Read {
    const state = yield* this.#load64(Frame.fpState);
    return yield* this.#p.load32(state + this.#pkru);
  }

  *setPkru(value: number): Write {
    const state = yield* this.#load64(Frame.fpState);
    yield* this.#p.store32(state + this.#pkru, value);
  }

  *#load64(offset: number): Read {
    return yield* this.#p.load64(this.address + offset);
  }
}
