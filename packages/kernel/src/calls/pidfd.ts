import type { Cpu } from '@rpal/hw-x86';
import { OpenFlag, Poll } from '@rpal/uapi';
import { File, type PollTable } from '@rpal/vfs';
import type { Process } from '../process/process.js';

/** A process as a file (kernel/pid.c): readable once it has ended. */
export class PidFd extends File {
  readonly process: Process;

  constructor(process: Process, flags: number) {
    super(OpenFlag.RDWR | (flags & OpenFlag.NONBLOCK));
    this.process = process;
  }

  override get canRead(): boolean {
    return false;
  }

  override get canWrite(): boolean {
    return false;
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    table?.register(cpu, this.process.endWait);
    return this.process.exit !== null && this.process.threads.length === 0 ? Poll.IN | Poll.RDNORM : 0;
  }
}
