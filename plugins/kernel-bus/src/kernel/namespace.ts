import type { Cpu } from '@rpal/hw-x86';
import type { Kernel, Thread } from '@rpal/kernel';
import { MemoryFile } from '@rpal/mm';
import type { Scheduler } from '@rpal/sched';
import { Errno } from '@rpal/uapi';
import { Connection } from './connection.js';

/** Who is on a bus: connections by their ids, and names that lead to them. @public for tools that look inside */
export class BusNamespace {
  readonly scheduler: Scheduler;
  readonly #kernel: Kernel;
  readonly #poolBytes: number;
  readonly #connections = new Map<number, Connection>();
  readonly #names = new Map<string, Connection>();
  #next = 1;

  /** @param poolBytes of each connection, a multiple of the page size */
  constructor(kernel: Kernel, poolBytes: number) {
    this.#kernel = kernel;
    this.scheduler = kernel.scheduler;
    this.#poolBytes = poolBytes;
  }

  /** Connections that are open. */
  get size(): number {
    return this.#connections.size;
  }

  /** A new connection, whose pool has memory as it is used. @returns -ENOMEM without memory for it */
  connect(cpu: Cpu, { process }: Thread, flags: number): Connection | number {
    const memory = new MemoryFile(this.#kernel.memory, '/bus pool');
    memory.truncate(cpu, this.#poolBytes);
    const connection = new Connection(this, this.#next++, process.credentials.euid, memory, flags);
    this.#connections.set(connection.id, connection);
    return connection;
  }

  /** @returns 0, or -EEXIST if another connection has the name */
  own(name: string, connection: Connection): number {
    const owner = this.#names.get(name);
    if (owner !== undefined && owner !== connection) return -Errno.EEXIST;
    this.#names.set(name, connection);
    return 0;
  }

  owner(name: string): Connection | undefined {
    return this.#names.get(name);
  }

  connection(id: number): Connection | undefined {
    return this.#connections.get(id);
  }

  /** Who wants broadcasts of the connection with that id, in the order in which they came. */
  wanting(id: number): Connection[] {
    return [...this.#connections.values()].filter((one) => one.wants(id));
  }

  /** The connection is closed: it and its names are gone. */
  leave(connection: Connection): void {
    this.#connections.delete(connection.id);
    for (const [name, owner] of this.#names) if (owner === connection) this.#names.delete(name);
  }
}
