import type { Cpu } from '@rpal/hw-x86';
import type { Scheduler, WaitQueue } from '@rpal/sched';
import { Errno, OpenFlag, Poll } from '@rpal/uapi';
import { begin, type Caller, File, Pending, type PollTable, putBytes, RetryOperation, Waiter } from '@rpal/vfs';
import { type SignalBits, union } from '../process/pending-signals.js';
import { Thread } from '../process/thread.js';
import { KernelStep } from '../steps.js';
import { dequeueSignal } from './signal.js';

/** sizeof(struct signalfd_siginfo). Of it only the signal's number is filled in, and what sigqueue sent along (`ssi_int`). */
const RECORD = 128;
const SSI_INT = 44;

/** A signalfd (fs/signalfd.c): the blocked signals of its reader, as records. */
export class SignalFd extends File {
  readonly #scheduler: Scheduler;
  mask: SignalBits;

  constructor(scheduler: Scheduler, mask: SignalBits, flags: number) {
    super(OpenFlag.RDWR | (flags & OpenFlag.NONBLOCK));
    this.#scheduler = scheduler;
    this.mask = mask;
  }

  override get readsIov(): boolean {
    return true;
  }

  override read(cpu: Cpu, caller: Caller, address: number, length: number): number {
    cpu.charge(KernelStep.signalfdRead);
    if (length < RECORD) return -Errno.EINVAL;
    const operation = new SignalfdRead(caller, this.#scheduler, Waiter.NONEXCLUSIVE);
    return begin(cpu, caller, operation.start(this, address, Math.floor(length / RECORD)));
  }

  override get canWrite(): boolean {
    return false;
  }

  /** noop_llseek: stays where it is. */
  override seek(): number {
    return 0;
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    // As in Linux: the signals of the caller, not of the creator of the file.
    const task = this.#scheduler.current(cpu);
    if (!(task instanceof Thread)) return 0;
    table?.register(cpu, task.process.signalWait);
    const { low, high } = union(task.pending, task.process.pending);
    return ((low & this.mask.low) | (high & this.mask.high)) !== 0 ? Poll.IN : 0;
  }
}

class SignalfdRead extends RetryOperation {
  #file!: SignalFd;
  #address = 0;
  #records = 0;

  start(file: SignalFd, address: number, records: number): this {
    this.#file = file;
    this.#address = address;
    this.#records = records;
    return this;
  }

  protected override get queue(): WaitQueue {
    return (this.caller.task as Thread).process.signalWait;
  }

  protected override attempt(cpu: Cpu): number {
    const thread = this.caller.task as Thread;
    let bytes = 0;
    while (bytes < this.#records * RECORD) {
      const taken = dequeueSignal(thread, this.#file.mask);
      if (taken === null) break;
      const record = new DataView(new ArrayBuffer(RECORD));
      record.setUint32(0, taken.signal, true);
      record.setInt32(SSI_INT, taken.value, true);
      const failed = putBytes(cpu, this.caller, this.#address + bytes, new Uint8Array(record.buffer));
      if (failed < 0) return bytes > 0 ? bytes : failed;
      bytes += RECORD;
    }
    if (bytes > 0) return bytes;
    return this.#file.nonblocking ? -Errno.EAGAIN : Pending.NOTHING_YET;
  }
}
