import type { Meeting, Routine } from '@rpal/compare';
import { pageCeil } from '@rpal/hw-x86';
import type { Program } from '@rpal/kernel';
import { BusStep } from '../steps.js';

/** Bytes of a message before its text, with the length of the text: as a caller writes them, and with the sender that the daemon adds. */
export const HEADER = 112 + 8;
const LINE = 64;

/** How much of what comes in the library looks at before it believes it: all of it, or nothing (as in the measurements of 2010). */
export type Validation = 'on' | 'off';

/** Which side of a method call a program is on. */
export type Role = 'caller' | 'callee';

/** What a program's D-Bus library does with messages: the same library over a daemon and over a bus in the kernel. */
export class Library {
  readonly #p: Program;
  readonly #role: Role;
  readonly #validation: Validation;

  constructor(p: Program, role: Role, validation: Validation) {
    this.#p = p;
    this.#role = role;
    this.#validation = validation;
  }

  /** Writes a message with the text at `text` to `address`. @returns its length */
  *build(address: number, text: number, length: number): Routine<number> {
    const p = this.#p;
    const { cpu } = p.context;
    cpu.charge(this.#role === 'caller' ? BusStep.callBuild : BusStep.replyBuild);
    looksAtText(p, length);
    yield* p.store64(address, HEADER + length);
    yield* p.memcpy(address + HEADER, text, length);
    return HEADER + length;
  }

  /** Takes apart what has come, of which `length` bytes are text. */
  load(length: number): void {
    const p = this.#p;
    const { cpu } = p.context;
    cpu.charge(this.#role === 'caller' ? BusStep.replyLoad : BusStep.callLoad);
    if (this.#validation === 'off') return;
    cpu.charge(this.#role === 'caller' ? BusStep.replyValidate : BusStep.callValidate);
    looksAtText(p, length);
  }
}

/** Looks whether a text is UTF-8. */
export function looksAtText(p: Program, length: number): void {
  p.context.cpu.chargeTimes(BusStep.textByte64, Math.ceil(length / LINE));
}

/** Room for the largest message of a meeting. */
export function roomFor({ size }: Pick<Meeting, 'size'>): number {
  return pageCeil(HEADER + size);
}
