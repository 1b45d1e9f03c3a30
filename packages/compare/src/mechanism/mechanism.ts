import type { Plugin } from '@rpal/bus';
import type { Machine, Program } from '@rpal/kernel';
import type { Gathering } from './gathering.js';

/** Part of a program: it may wait, and ends with a value. */
export type Routine<T = void> = Generator<void, T>;

/** One side of a connection, as the program on that side uses it. Calls that fail throw MachineError. */
export interface Endpoint {
  /** Sends the `length` bytes at `address`. Where the mechanism holds back a sender that is too fast, this waits. */
  send(address: number, length: number): Routine;
  /**
   * Waits for the next message of `length` bytes.
   * @param address room for it, where the mechanism copies
   * @returns where it lies: at `address`, or in memory of the mechanism or of the sender
   */
  receive(address: number, length: number): Routine<number>;
  /** Called at the end: waits until the other side no longer needs this one. */
  close?(): Routine;
}

/** What a side does with its end of the connection. */
export type Side = (p: Program, end: Endpoint) => Routine;

/** How a side waits for a message: the kernel lets it sleep, or it looks again and again. */
export type Waiting = 'sleep' | 'poll';

/** Two sides to bring together. */
export interface Meeting {
  /** Bytes of the largest message that will be sent. */
  readonly size: number;
  /** CPUs that client and server are pinned to. */
  readonly cpus: readonly [client: number, server: number];
  readonly waiting: Waiting;
  readonly client: Side;
  readonly server: Side;
}

/** What a comparison must know about a mechanism before it runs. */
export interface MechanismLimits {
  /** Bytes of the smallest and the largest message. */
  readonly sizes: readonly [smallest: number, largest: number];
  /** How its sides can wait. */
  readonly waits: readonly Waiting[];
  /** Whether a client may send again before an answer has come. */
  readonly streams: boolean;
  /** Whether both sides have to be on one CPU; absent: they may be anywhere. */
  readonly oneCpu?: true;
  /** How many clients one server can have at most; absent: as many as there are cores. */
  readonly mostClients?: number;
}

/** A way for two programs to exchange messages. Plugins may add further ones. */
export interface Mechanism extends MechanismLimits {
  /** In lower case, for command lines. */
  readonly name: string;
  /** A line for a reader who does not know it. */
  readonly title: string;
  /** How often each byte is copied between the sender's buffer and the receiver's. */
  readonly copies: number;
  /** What its answers go by, if not by the mechanism itself. */
  readonly back?: string;
  /** What its machine needs besides Linux. */
  plugins?(): readonly Plugin[];
  /**
   * Spawns the programs of both sides, which connect, say who they are by calling `meeting.client` and `meeting.server`, and end
   * with them.
   */
  start(machine: Machine, meeting: Meeting): void;
  /** The same for several clients and one server; absent: it is for two sides only. */
  gather?(machine: Machine, gathering: Gathering): void;
}
