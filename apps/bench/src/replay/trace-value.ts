/** An argument or result as strace writes it. */
export type Value =
  | { readonly kind: 'number'; readonly value: number }
  /** What a pointer leads to: bytes. `cut`: strace has left some out. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly cut: boolean }
  /** An array; or a set, whose members spaces separate. `inverted`: all but these. */
  | { readonly kind: 'list'; readonly items: readonly Value[]; readonly inverted: boolean }
  | { readonly kind: 'struct'; readonly fields: ReadonlyMap<string, Value> }
  /** Words, such as WIFEXITED(s): not taken apart. */
  | { readonly kind: 'words'; readonly text: string };

/** Takes the arguments of a call apart, as `strace -X raw` writes them. */
export class ValueReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** All values up to the end, with commas between. @throws Error that says where it is garbled */
  all(): Value[] {
    const values: Value[] = [];
    for (;;) {
      this.#skip();
      if (this.#at >= this.#text.length) return values;
      values.push(this.#value());
      this.#skip();
      if (this.#at >= this.#text.length) return values;
      this.#expect(',');
    }
  }

  #value(): Value {
    this.#skip();
    const value = this.#plain();
    this.#skip();
    // What was passed, and what came back: the latter counts.
    if (this.#text.startsWith('=>', this.#at)) {
      this.#at += 2;
      const after = this.#value();
      // Of a structure only what has changed is written again.
      if (value.kind !== 'struct' || after.kind !== 'struct') return after;
      return { kind: 'struct', fields: new Map([...value.fields, ...after.fields]) };
    }
    return value;
  }

  #plain(): Value {
    const next = this.#text[this.#at];
    if (next === '"') return this.#string();
    if (next === '{') return this.#struct();
    if (next === '[') return this.#list(false);
    if (next === '~' && this.#text[this.#at + 1] === '[') {
      this.#at++;
      return this.#list(true);
    }
    const name = /^([a-z_][A-Za-z0-9_.]*)=(?!=)/.exec(this.#text.slice(this.#at));
    if (name !== null) {
      // An argument with its name, as those of clone.
      this.#at += name[0].length;
      return { kind: 'struct', fields: new Map([[name[1] as string, this.#value()]]) };
    }
    return this.#words();
  }

  #string(): Value {
    const bytes: number[] = [];
    this.#at++;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) throw new Error('a string has no end');
      this.#at++;
      if (char === '"') break;
      if (char !== '\\') {
        bytes.push(char.charCodeAt(0) & 0xff);
        continue;
      }
      bytes.push(this.#escaped());
    }
    const cut = this.#text.startsWith('...', this.#at);
    if (cut) this.#at += 3;
    return { kind: 'bytes', bytes: Uint8Array.from(bytes), cut };
  }

  #escaped(): number {
    const rest = this.#text.slice(this.#at);
    const hex = /^x([0-9a-f]{2})/.exec(rest);
    if (hex !== null) {
      this.#at += 3;
      return Number.parseInt(hex[1] as string, 16);
    }
    const octal = /^[0-7]{1,3}/.exec(rest);
    if (octal !== null) {
      this.#at += octal[0].length;
      return Number.parseInt(octal[0], 8);
    }
    const char = rest[0] ?? '';
    this.#at++;
    return ({ n: 10, t: 9, r: 13, v: 11, f: 12, a: 7, b: 8 } as Record<string, number>)[char] ?? char.charCodeAt(0);
  }

  #struct(): Value {
    const fields = new Map<string, Value>();
    this.#at++;
    for (;;) {
      this.#skip();
      if (this.#take('}')) break;
      if (this.#text.startsWith('...', this.#at)) throw new Error('a structure is cut; record with strace -v');
      const name = /^([A-Za-z_][A-Za-z0-9_.]*)=/.exec(this.#text.slice(this.#at));
      if (name === null) fields.set(String(fields.size), this.#value());
      else {
        this.#at += name[0].length;
        fields.set(name[1] as string, this.#value());
      }
      this.#skip();
      if (this.#take('}')) break;
      this.#expect(',');
    }
    return { kind: 'struct', fields };
  }

  #list(inverted: boolean): Value {
    const items: Value[] = [];
    this.#at++;
    for (;;) {
      this.#skip();
      if (this.#take(']')) return { kind: 'list', items, inverted };
      if (this.#text.startsWith('...', this.#at)) throw new Error('an array is cut; record with strace -v -s 1000000');
      items.push(this.#value());
      this.#skip();
      this.#take(',');
    }
  }

  /** A number, bits with | between them, NULL, or words up to the end of the value. */
  #words(): Value {
    const start = this.#at;
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] as string;
      if (char === '(') depth++;
      else if (char === ')' && depth > 0) depth--;
      else if (
        depth === 0 &&
        (char === ',' || char === '}' || char === ']' || char === ' ' || (char === '=' && this.#text[this.#at + 1] === '>'))
      ) {
        const rest = this.#text.slice(this.#at);
        // Words of a condition go on behind && and ||.
        if (char === ' ' && /^ (&&|==|\|\||[A-Z])/.test(rest)) continue;
        if (char === ' ' && /(&&|==|\|\|)$/.test(this.#text.slice(start, this.#at))) continue;
        break;
      }
    }
    const text = this.#text.slice(start, this.#at).trim();
    // Flags of which none is set have no name.
    if (text === '' && this.#text[this.#at] === ',') return { kind: 'number', value: 0 };
    if (text === '') throw new Error(`there is no value at "${this.#text.slice(start, start + 20)}"`);
    const value = numberIn(text);
    return value === null ? { kind: 'words', text } : { kind: 'number', value };
  }

  /** Spaces and comments. */
  #skip(): void {
    for (;;) {
      while (this.#text[this.#at] === ' ') this.#at++;
      if (!this.#text.startsWith('/*', this.#at)) return;
      const end = this.#text.indexOf('*/', this.#at);
      if (end < 0) throw new Error('a comment has no end');
      this.#at = end + 2;
    }
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #expect(char: string): void {
    if (!this.#take(char)) throw new Error(`"${char}" is missing before "${this.#text.slice(this.#at, this.#at + 20)}"`);
  }
}

/** A number in any of strace's ways: decimal, octal, hexadecimal, bits joined by |, NULL, a device number; null: it is none. */
export function numberIn(text: string): number | null {
  if (text === 'NULL') return 0;
  const device = /^makedev\((\w+), (\w+)\)$/.exec(text);
  if (device !== null) return Number(device[1]) * 256 + Number(device[2]);
  let sum = 0;
  for (const part of text.split('|')) {
    if (/^-?\d+$/.test(part) && !/^0\d/.test(part)) sum = join(sum, Number(part));
    else if (/^0[0-7]+$/.test(part)) sum = join(sum, Number.parseInt(part, 8));
    else if (/^0x[0-9a-f]+$/.test(part)) sum = join(sum, signed(BigInt(part)));
    else return null;
  }
  return sum;
}

/** Bits of different parts do not overlap: as a sum they are right beyond 32 bits, too. */
function join(sum: number, part: number): number {
  return sum + part;
}

/** A register of 64 bits as a signed number: addresses are exact, and -1 is -1. */
function signed(value: bigint): number {
  return Number(BigInt.asIntN(64, value));
}
