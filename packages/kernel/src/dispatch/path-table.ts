import { MachineError } from '../errors.js';

/** What a machine has of one kind under paths that are whole names: special files, or programs. */
export class PathTable<T> {
  readonly #kind: string;
  readonly #entries = new Map<string, T>();

  /** @param kind for messages, such as 'special file' */
  constructor(kind: string) {
    this.#kind = kind;
  }

  /** @throws MachineError PATH if the path does not begin with a slash, or is taken */
  define(path: string, entry: T): void {
    const refusal = (why: string) => new MachineError('PATH', `${this.#kind} "${path}" cannot be defined: ${why}`);
    if (typeof path !== 'string' || !path.startsWith('/')) throw refusal('a path begins with a slash, as /proc/NAME does');
    if (this.#entries.has(path)) throw refusal('the path is taken; choose another');
    this.#entries.set(path, entry);
  }

  get(path: string): T | undefined {
    return this.#entries.get(path);
  }
}
