import { Ledger } from '@rpal/hw-x86';
import type { Machine, Program } from '@rpal/kernel';

/** Follows a phase's messages, one after the other, and books where the cycles of each go. */
export class Meter {
  /** Messages that were received. */
  messages = 0;
  /** Sum of server stamp minus client stamp, TSC cycles. */
  totalCycles = 0;
  /** Messages whose booked cycles were not exactly what the two stamps say. */
  unbalanced = 0;
  /** From the client's stamp to the server's. */
  readonly forward: Ledger;
  /** From the server's stamp to the client's next message: echo, and way back. */
  readonly back: Ledger;
  client!: Program;
  server!: Program;

  constructor(machine: Machine) {
    this.forward = new Ledger(machine.platform.costs);
    this.back = new Ledger(machine.platform.costs);
  }

  /** The client has read its stamp: the window opens. */
  sent(): void {
    const { cpu } = this.client.context;
    cpu.path.start(cpu, this.forward, this.server.context.thread);
  }

  /** The server has parsed `stamp` and read its own clock. */
  received(stamp: number, now: number): void {
    const { cpu } = this.server.context;
    const booked = cpu.path.turn(cpu, this.back, this.client.context.thread);
    if (booked !== now - stamp) this.unbalanced++;
    this.totalCycles += now - stamp;
    this.messages++;
  }

  /** The client has compared the echo. */
  returned(): void {
    const { cpu } = this.client.context;
    cpu.path.finish(cpu);
  }
}
