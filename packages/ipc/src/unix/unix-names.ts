import { Errno } from '@rpal/uapi';

/** What a name leads to: a socket of some type (SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET). */
export interface Named {
  readonly type: number;
}

/** Names of Unix sockets. An abstract name (one that begins with NUL) is one per type; a path outlives its socket, and then leads to none. */
export class UnixNames<S extends Named> {
  #automatic = 0;
  readonly #bound = new Map<string, S | null>();

  /** The socket of a type at a name, or -ENOENT, -ECONNREFUSED or -EPROTOTYPE. */
  find(name: string, type: number): S | number {
    const socket = this.#bound.get(key(name, type));
    if (socket === undefined) return isAbstract(name) ? -Errno.ECONNREFUSED : -Errno.ENOENT;
    if (socket === null) return -Errno.ECONNREFUSED;
    return socket.type === type ? socket : -Errno.EPROTOTYPE;
  }

  /** Has a socket been bound to a path, whether or not it is still there? */
  has(path: string): boolean {
    return this.#bound.has(path);
  }

  /** @returns false if the name is taken */
  bind(name: string, socket: S): boolean {
    const at = key(name, socket.type);
    if (this.#bound.has(at)) return false;
    this.#bound.set(at, socket);
    return true;
  }

  /** Binds `socket` to a free abstract name of five hexadecimal digits (Linux: `unix_autobind`). @returns the name */
  bindAutomatically(socket: S): string {
    let name = this.#nextAutomatic();
    while (!this.bind(name, socket)) name = this.#nextAutomatic();
    return name;
  }

  #nextAutomatic(): string {
    return `\0${(this.#automatic++).toString(16).padStart(5, '0')}`;
  }

  /** The socket that was bound to `name` is gone. */
  forget(name: string, socket: S): void {
    if (isAbstract(name)) this.#bound.delete(key(name, socket.type));
    else if (this.#bound.get(name) === socket) this.#bound.set(name, null);
  }

  /** unlink(2) of a path. @returns 0 or -ENOENT */
  unlink(path: string): number {
    return this.#bound.delete(path) ? 0 : -Errno.ENOENT;
  }
}

function isAbstract(name: string): boolean {
  return name.startsWith('\0');
}

function key(name: string, type: number): string {
  return isAbstract(name) ? `${type}${name}` : name;
}
