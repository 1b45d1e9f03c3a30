import type { Cpu } from '@rpal/hw-x86';
import type { Scheduler, WaitQueue } from '@rpal/sched';
import { Errno, OpenFlag, Poll, Signal, SignalCode } from '@rpal/uapi';
import { begin, type Caller, File, Pending, type PollTable, putBytes, RetryOperation, Waiter } from '@rpal/vfs';
import { type QueuedSignal, type SignalBits, union } from '../process/pending-signals.js';
import { Thread } from '../process/thread.js';
import { KernelStep } from '../steps.js';
import { dequeueSignal } from './signal.js';

/** sizeof(struct signalfd_siginfo), and where in it what a `siginfo_t` says is. */
const RECORD = 128;
const Ssi = { signo: 0, code: 8, pid: 12, uid: 16, tid: 24, overrun: 32, status: 40, int: 44, ptr: 48 } as const;

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
      const failed = putBytes(cpu, this.caller, this.#address + bytes, recordOf(taken));
      if (failed < 0) return bytes > 0 ? bytes : failed;
      bytes += RECORD;
    }
    if (bytes > 0) return bytes;
    return this.#file.nonblocking ? -Errno.EAGAIN : Pending.NOTHING_YET;
  }
}

/** Linux: `signalfd_copyinfo`. */
function recordOf({ signal, code, pid, uid, value, valueHigh }: QueuedSignal): Uint8Array {
  const record = new DataView(new ArrayBuffer(RECORD));
  const timer = code === SignalCode.TIMER;
  record.setUint32(Ssi.signo, signal, true);
  record.setInt32(Ssi.code, code, true);
  record.setInt32(timer ? Ssi.tid : Ssi.pid, pid, true);
  record.setUint32(timer ? Ssi.overrun : Ssi.uid, uid, true);
  if (signal === Signal.CHLD && code > 0) {
    record.setInt32(Ssi.status, value, true);
  } else if (code < 0 && code !== SignalCode.TKILL) {
    record.setInt32(Ssi.int, value, true);
    record.setInt32(Ssi.ptr, value, true);
    record.setInt32(Ssi.ptr + 4, valueHigh, true);
  }
  return new Uint8Array(record.buffer);
}
