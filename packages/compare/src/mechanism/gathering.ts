import type { Program } from '@rpal/kernel';
import type { Endpoint, Routine, Waiting } from './mechanism.js';

/** The server's end of connections to several clients. Calls that fail throw MachineError. */
export interface Hub {
  /** Waits for the next message of `length` bytes, whoever sends it, and has it copied to `address`. @returns the client's number */
  receive(address: number, length: number): Routine<number>;
  send(client: number, address: number, length: number): Routine;
  /** Called at the end: waits until no client needs the server. */
  close?(): Routine;
}

/** Several clients and one server to bring together. */
export interface Gathering {
  /** Bytes of the largest message that will be sent. */
  readonly size: number;
  readonly waiting: Waiting;
  /** CPU that the server is pinned to, and one for each client. */
  readonly serverCpu: number;
  readonly clientCpus: readonly number[];
  client(p: Program, end: Endpoint, number: number): Routine;
  server(p: Program, hub: Hub): Routine;
}
