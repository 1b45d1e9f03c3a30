import { type Cpu, LockKind, PAGE_SIZE, SpinLock, Touch } from '@rpal/hw-x86';
import { chargeAllocatedPages, chargeFreedPages, type PageFrames } from '@rpal/mm';
import { type Handover, type Scheduler, WaitQueue, Wake } from '@rpal/sched';
import { Errno, Fcntl, FileMode, OpenFlag, Poll, Signal } from '@rpal/uapi';
import {
  begin,
  type Caller,
  chargeCopy,
  copyIn,
  copyOut,
  File,
  OperationKind,
  Pending,
  type PollTable,
  RetryOperation,
  VfsStep,
  Waiter,
} from '@rpal/vfs';
import { IpcStep } from '../steps.js';

/** Writes of up to so many bytes are not mixed with those of others. @public for programs that reach the limit */
export const PIPE_BUF: number = PAGE_SIZE;
/** Pages that a new pipe can hold, and that an unprivileged user may make it hold (fs.pipe-max-size). */
const DEFAULT_SLOTS = 16;
const MAX_SLOTS = 256;

const READABLE = Poll.IN | Poll.RDNORM;
const WRITABLE = Poll.OUT | Poll.WRNORM;

/** What is special about a page in a pipe (PIPE_BUF_FLAG_*). */
export const PipeBufferFlag = {
  /** A packet: one read takes it, or throws the rest of it away. */
  PACKET: 0x08,
  /** Later writes may be appended to it: it was written, not spliced. */
  CAN_MERGE: 0x10,
} as const;

/** A page in a pipe (Linux: `struct pipe_buffer`). */
export class PipeBuffer {
  frame: number;
  offset: number;
  length: number;
  /** `PipeBufferFlag` bits. */
  readonly flags: number;

  constructor(frame: number, offset: number, length: number, flags: number) {
    this.frame = frame;
    this.offset = offset;
    this.length = length;
    this.flags = flags;
  }
}

/** A pipe (fs/pipe.c). */
export class Pipe {
  readonly scheduler: Scheduler;
  readonly frames: PageFrames;
  readonly lock: SpinLock = new SpinLock(2, 'pipe', LockKind.SLEEPING);
  readonly readWait: WaitQueue = new WaitQueue('pipe readers');
  readonly writeWait: WaitQueue = new WaitQueue('pipe writers');
  readonly handover: Handover;
  /** Pages with data, oldest first. */
  readonly buffers: PipeBuffer[] = [];
  slots: number = DEFAULT_SLOTS;
  readers = 0;
  writers = 0;
  /** Somebody has polled it: from then on every write is announced, not only the first into an empty pipe. */
  polled = false;
  /** Pages kept for the next writes. */
  readonly #spare: number[] = [];

  constructor(scheduler: Scheduler, frames: PageFrames) {
    this.scheduler = scheduler;
    this.frames = frames;
    this.handover = scheduler.handovers.open('pipe');
  }

  /** pipe2(2): the end to read from, and the end to write to. */
  static create(scheduler: Scheduler, frames: PageFrames, flags: number): [PipeEnd, PipeEnd] {
    const pipe = new Pipe(scheduler, frames);
    const nonblocking = flags & OpenFlag.NONBLOCK;
    const packets = flags & OpenFlag.DIRECT;
    return [new PipeEnd(pipe, OpenFlag.RDONLY | nonblocking), new PipeEnd(pipe, OpenFlag.WRONLY | nonblocking | packets)];
  }

  get empty(): boolean {
    return this.buffers.length === 0;
  }

  get full(): boolean {
    return this.buffers.length >= this.slots;
  }

  /** A page to fill; -1 if memory is exhausted. */
  page(cpu: Cpu): number {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    chargeAllocatedPages(cpu, 1);
    return this.frames.allocate(cpu.socket);
  }

  /** A page is read to its end, or thrown away. Up to two are kept. */
  releasePage(cpu: Cpu, frame: number): void {
    if (this.frames.count(frame) === 1 && this.#spare.length < 2) {
      this.#spare.push(frame);
      return;
    }
    // What others still refer to goes with the last of them.
    if (this.frames.count(frame) === 1) chargeFreedPages(cpu, 1);
    this.frames.put(frame);
  }

  /** Somebody may read: always told if the pipe was empty, else only once it has been polled. */
  announceData(cpu: Cpu, wasEmpty: boolean): void {
    if (wasEmpty || this.polled) this.readWait.walk(cpu, Wake.ONE_SYNC, READABLE);
  }

  announceRoom(cpu: Cpu): void {
    this.writeWait.walk(cpu, Wake.ONE_SYNC, WRITABLE);
  }

  /** F_SETPIPE_SZ. @returns the new capacity in bytes, or a negative errno */
  resize(cpu: Cpu, bytes: number): number {
    if (bytes > 0x8000_0000) return -Errno.EINVAL;
    const slots = 1 << (32 - Math.clz32(Math.max(1, Math.ceil(bytes / PAGE_SIZE)) - 1));
    if (slots > this.slots && slots > MAX_SLOTS) return -Errno.EPERM;
    if (slots < this.buffers.length) return -Errno.EBUSY;
    this.slots = slots;
    // There may be more room for writers; they are told so even if there is less.
    this.writeWait.walk(cpu, Wake.ONE);
    return slots * PAGE_SIZE;
  }

  /** An end is closed for good: if it was the last of its kind, everybody is told. */
  closeEnd(cpu: Cpu, writing: boolean): void {
    if (writing) this.writers--;
    else this.readers--;
    if ((this.readers === 0) !== (this.writers === 0)) {
      this.readWait.walk(cpu, Wake.ALL);
      this.writeWait.walk(cpu, Wake.ALL);
    }
    if (this.readers > 0 || this.writers > 0) return;
    for (const { frame } of this.buffers.splice(0)) this.frames.put(frame);
    for (const frame of this.#spare.splice(0)) this.frames.put(frame);
  }
}

/** The end of a pipe that a descriptor refers to. */
export class PipeEnd extends File {
  readonly pipe: Pipe;
  readonly writing: boolean;

  constructor(pipe: Pipe, flags: number) {
    super(flags);
    this.pipe = pipe;
    this.writing = (flags & OpenFlag.ACCMODE) === OpenFlag.WRONLY;
    if (this.writing) pipe.writers++;
    else pipe.readers++;
  }

  override get readsIov(): boolean {
    return true;
  }

  override get writesIov(): boolean {
    return true;
  }

  override get takesDirect(): boolean {
    return true;
  }

  override get mode(): number {
    return FileMode.FIFO | 0o600;
  }

  override read(cpu: Cpu, caller: Caller, address: number, length: number): number {
    return this.readAs(cpu, caller, address, length, 'file');
  }

  /** A read that waits for data, or does not, as the file says, or as its caller does. */
  readAs(cpu: Cpu, caller: Caller, address: number, length: number, waits: ReadWaits): number {
    if (this.writing) return -Errno.EBADF;
    cpu.charge(IpcStep.pipeFile);
    if (length === 0) return 0;
    const operation =
      caller.operations.get(PIPE_READ) ??
      caller.operations.keep(PIPE_READ, new PipeReadOperation(caller, this.pipe.scheduler, Waiter.EXCLUSIVE));
    return begin(cpu, caller, operation.start(this, address, length, waits));
  }

  override write(cpu: Cpu, caller: Caller, address: number, length: number): number {
    if (!this.writing) return -Errno.EBADF;
    cpu.charge(IpcStep.pipeFile);
    if (length === 0) return 0;
    const operation =
      caller.operations.get(PIPE_WRITE) ??
      caller.operations.keep(PIPE_WRITE, new PipeWriteOperation(caller, this.pipe.scheduler, Waiter.EXCLUSIVE));
    return begin(cpu, caller, operation.start(this, address, length));
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    const { pipe } = this;
    cpu.charge(VfsStep.filePoll);
    pipe.polled = true;
    table?.register(cpu, this.writing ? pipe.writeWait : pipe.readWait);
    if (this.writing) return (pipe.full ? 0 : WRITABLE) | (pipe.readers === 0 ? Poll.ERR : 0);
    return (pipe.empty ? 0 : READABLE) | (pipe.writers === 0 ? Poll.HUP : 0);
  }

  override fcntl(cpu: Cpu, _caller: Caller, command: number, argument: number): number {
    if (command === Fcntl.SETPIPE_SZ) return this.pipe.resize(cpu, argument >>> 0);
    return command === Fcntl.GETPIPE_SZ ? this.pipe.slots * PAGE_SIZE : -Errno.EINVAL;
  }

  override get unread(): number {
    return this.pipe.buffers.reduce((sum, { length }) => sum + length, 0);
  }

  override release(cpu: Cpu): void {
    cpu.charge(IpcStep.pipeRelease);
    this.pipe.closeEnd(cpu, this.writing);
  }
}

/** Does a read wait for data: as O_NONBLOCK of the file says, or whatever that says? */
export type ReadWaits = 'file' | 'yes' | 'no';

/** pipe_read. */
export class PipeReadOperation extends RetryOperation {
  #end!: PipeEnd;
  #address = 0;
  #length = 0;
  #waits: ReadWaits = 'file';
  #slept = false;

  start(end: PipeEnd, address: number, length: number, waits: ReadWaits): this {
    this.#end = end;
    this.#address = address;
    this.#length = length;
    this.#waits = waits;
    this.#slept = false;
    return this;
  }

  protected override get queue(): WaitQueue {
    return this.#end.pipe.readWait;
  }

  protected override prepare(cpu: Cpu): void {
    cpu.charge(IpcStep.pipeBlock);
    this.#slept = true;
  }

  protected override attempt(cpu: Cpu): number {
    const { pipe } = this.#end;
    if (!this.#slept) cpu.charge(IpcStep.pipeRead);
    pipe.lock.acquire(cpu);
    const { full: wasFull } = pipe;
    const taken = this.#take(cpu, pipe);
    const { empty } = pipe;
    pipe.lock.release(cpu);
    if (taken > 0) pipe.handover.take(cpu, this.caller.task, taken);
    if (taken === 0 && pipe.writers > 0) return this.#mayWait ? Pending.NOTHING_YET : -Errno.EAGAIN;
    if (wasFull && !pipe.full) pipe.announceRoom(cpu);
    // A reader that slept hands what it left on to the next one.
    if (this.#slept && !empty) pipe.readWait.walk(cpu, Wake.ONE_SYNC, READABLE);
    return taken;
  }

  get #mayWait(): boolean {
    return this.#waits === 'file' ? !this.#end.nonblocking : this.#waits === 'yes';
  }

  #take(cpu: Cpu, pipe: Pipe): number {
    let taken = 0;
    while (taken < this.#length) {
      const buffer = pipe.buffers[0];
      if (buffer === undefined) break;
      pipe.handover.find(cpu, this.caller.task);
      const part = Math.min(buffer.length, this.#length - taken);
      if (taken > 0) cpu.charge(IpcStep.pipeReadPage);
      chargeCopy(cpu, IpcStep.pipeCopyOut, part);
      cpu.coherence.touch(cpu, buffer.frame * PAGE_SIZE + buffer.offset, Touch.LOAD);
      const failed = copyOut(cpu, this.caller, this.#address + taken, buffer.frame * PAGE_SIZE + buffer.offset, part);
      if (failed < 0) return taken > 0 ? taken : failed;
      buffer.offset += part;
      buffer.length -= part;
      taken += part;
      const packet = (buffer.flags & PipeBufferFlag.PACKET) !== 0;
      if (buffer.length > 0 && !packet) break;
      pipe.buffers.shift();
      pipe.releasePage(cpu, buffer.frame);
      if (packet) break;
    }
    return taken;
  }
}

/** The `PipeReadOperation` of each task. */
export const PIPE_READ: OperationKind<PipeReadOperation> = new OperationKind('pipe read');

/** pipe_write. */
export class PipeWriteOperation extends RetryOperation {
  #end!: PipeEnd;
  #address = 0;
  #length = 0;
  #done = 0;
  #slept = false;

  start(end: PipeEnd, address: number, length: number): this {
    this.#end = end;
    this.#address = address;
    this.#length = length;
    this.#done = 0;
    this.#slept = false;
    return this;
  }

  protected override get queue(): WaitQueue {
    return this.#end.pipe.writeWait;
  }

  protected override prepare(cpu: Cpu): void {
    cpu.charge(IpcStep.pipeBlock);
    this.#slept = true;
  }

  protected override interrupted(): number {
    return this.#done > 0 ? this.#done : -Errno.ERESTARTSYS;
  }

  protected override attempt(cpu: Cpu): number {
    const { pipe } = this.#end;
    if (!this.#slept) cpu.charge(IpcStep.pipeWrite);
    pipe.lock.acquire(cpu);
    const { empty: wasEmpty } = pipe;
    const before = this.#done;
    const result = this.#put(cpu, pipe);
    const { full } = pipe;
    pipe.lock.release(cpu);
    if (this.#done > before) pipe.handover.put(cpu, this.#done - before);
    if (result !== Pending.NOTHING_YET) {
      pipe.announceData(cpu, wasEmpty);
      // A writer that slept hands the room it left on to the next one.
      if (this.#slept && !full) pipe.writeWait.walk(cpu, Wake.ONE_SYNC, WRITABLE);
    } else if (wasEmpty) {
      pipe.readWait.walk(cpu, Wake.ONE_SYNC, READABLE);
    }
    return result;
  }

  #put(cpu: Cpu, pipe: Pipe): number {
    if (pipe.readers === 0) return this.#broken(cpu);
    const failed = this.#merge(cpu, pipe);
    if (failed < 0) return failed;
    const packets = (this.#end.flags & OpenFlag.DIRECT) !== 0;
    while (this.#done < this.#length) {
      if (pipe.full) return this.#end.nonblocking ? this.#orSoFar(-Errno.EAGAIN) : Pending.NOTHING_YET;
      if (this.#done > 0) cpu.charge(IpcStep.pipeWritePage);
      const frame = pipe.page(cpu);
      if (frame < 0) return this.#orSoFar(-Errno.ENOMEM);
      const part = Math.min(PAGE_SIZE, this.#length - this.#done);
      if (part < PAGE_SIZE) cpu.charge(IpcStep.pipeCopyPart);
      if (!this.#copy(cpu, frame * PAGE_SIZE, part)) {
        pipe.releasePage(cpu, frame);
        return this.#orSoFar(-Errno.EFAULT);
      }
      pipe.buffers.push(new PipeBuffer(frame, 0, part, packets ? PipeBufferFlag.PACKET : PipeBufferFlag.CAN_MERGE));
    }
    return this.#length;
  }

  /** The odd bytes of a write go behind what is in the last page, if all of them fit there. */
  #merge(cpu: Cpu, pipe: Pipe): number {
    const odd = this.#length % PAGE_SIZE;
    const last = pipe.buffers[pipe.buffers.length - 1];
    if (this.#done > 0 || odd === 0 || last === undefined || (last.flags & PipeBufferFlag.CAN_MERGE) === 0) return 0;
    const end = last.offset + last.length;
    if (end + odd > PAGE_SIZE) return 0;
    if (!this.#copy(cpu, last.frame * PAGE_SIZE + end, odd)) return -Errno.EFAULT;
    last.length += odd;
    return 0;
  }

  #copy(cpu: Cpu, to: number, length: number): boolean {
    chargeCopy(cpu, IpcStep.pipeCopyIn, length);
    cpu.coherence.touch(cpu, to, Touch.STORE);
    if (copyIn(cpu, this.caller, to, this.#address + this.#done, length) < 0) return false;
    this.#done += length;
    return true;
  }

  #orSoFar(error: number): number {
    return this.#done > 0 ? this.#done : error;
  }

  #broken(cpu: Cpu): number {
    this.caller.raise(cpu, Signal.PIPE);
    return this.#orSoFar(-Errno.EPIPE);
  }
}

/** The `PipeWriteOperation` of each task. */
export const PIPE_WRITE: OperationKind<PipeWriteOperation> = new OperationKind('pipe write');
