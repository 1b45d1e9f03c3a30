import { type Cpu, PAGE_MASK, PAGE_SIZE, Touch } from '@rpal/hw-x86';
import { userPage } from '@rpal/mm';
import { Errno, SPLICE_F_NONBLOCK } from '@rpal/uapi';
import { begin, type Caller, type IoVec, Waiter } from '@rpal/vfs';
import { type Pipe, PipeBuffer, PipeBufferFlag, type PipeEnd } from '../pipe/pipe.js';
import { IpcStep } from '../steps.js';
import { SpliceOperation } from './splice-operation.js';

/** splice(2) from pipe to pipe: pages change hands, nothing is copied. */
export function splice(cpu: Cpu, caller: Caller, from: PipeEnd, to: PipeEnd, length: number, flags: number): number {
  return transfer(cpu, caller, from, to, new MoveBetweenPipes(caller, from.pipe, to.pipe, length, mayWait(flags, from, to)));
}

/** tee(2): both pipes refer to the same pages afterwards. */
export function tee(cpu: Cpu, caller: Caller, from: PipeEnd, to: PipeEnd, length: number, flags: number): number {
  return transfer(cpu, caller, from, to, new LinkBetweenPipes(caller, from.pipe, to.pipe, length, mayWait(flags, from, to)));
}

/** Whether a call with these SPLICE_F_ flags may wait for data in, or room for more. */
function mayWait(flags: number, ...ends: readonly PipeEnd[]): boolean {
  return (flags & SPLICE_F_NONBLOCK) === 0 && ends.every(({ nonblocking }) => !nonblocking);
}

function transfer(cpu: Cpu, caller: Caller, from: PipeEnd, to: PipeEnd, operation: Transfer): number {
  if (from.writing || !to.writing) return -Errno.EBADF;
  if (from.pipe === to.pipe) return -Errno.EINVAL;
  return begin(cpu, caller, operation);
}

/** Waits for data and for room, then moves or links as many pages as there are (Linux: `splice_pipe_to_pipe`, `link_pipe`). */
abstract class Transfer extends SpliceOperation {
  protected readonly from: Pipe;
  protected readonly to: Pipe;
  protected readonly length: number;
  readonly #mayWait: boolean;

  constructor(caller: Caller, from: Pipe, to: Pipe, length: number, mayWait: boolean) {
    super(caller, from.scheduler, Waiter.NONEXCLUSIVE);
    this.from = from;
    this.to = to;
    this.length = length;
    this.#mayWait = mayWait;
  }

  /** Fills the second pipe from the first. @returns bytes */
  protected abstract transfer(): number;

  /** The first pipe's bytes are in the second. */
  protected abstract handOver(cpu: Cpu, bytes: number): void;

  protected override attempt(cpu: Cpu): number {
    const { from, to } = this;
    cpu.charge(IpcStep.spliceBody);
    if (from.empty && from.writers > 0) return this.waitAt(from.readWait, this.#mayWait);
    if (to.full && to.readers > 0) return this.waitAt(to.writeWait, this.#mayWait);
    if (to.readers === 0) return this.brokenPipe(cpu);
    const held = from.buffers.length;
    const moved = this.transfer();
    if (moved > 0) {
      this.handOver(cpu, moved);
      to.handover.put(cpu, moved);
      to.readWait.wakeOne(cpu);
    }
    // Whoever waits to write is told of every page that has left, whether or not the pipe was full.
    if (from.buffers.length < held) from.writeWait.wakeOne(cpu);
    return moved;
  }
}

class MoveBetweenPipes extends Transfer {
  protected override handOver(cpu: Cpu, bytes: number): void {
    this.from.handover.take(cpu, this.caller.task, bytes);
  }

  protected override transfer(): number {
    const { from, to } = this;
    let left = this.length;
    while (left > 0 && !from.empty && !to.full) {
      const buffer = from.buffers[0] as PipeBuffer;
      if (left >= buffer.length) {
        from.buffers.shift();
        to.buffers.push(buffer);
        left -= buffer.length;
      } else {
        to.frames.get(buffer.frame);
        to.buffers.push(new PipeBuffer(buffer.frame, buffer.offset, left, buffer.flags & PipeBufferFlag.PACKET));
        buffer.offset += left;
        buffer.length -= left;
        left = 0;
      }
    }
    return this.length - left;
  }
}

class LinkBetweenPipes extends Transfer {
  protected override handOver(cpu: Cpu): void {
    this.from.handover.find(cpu, this.caller.task);
  }

  protected override transfer(): number {
    const { to } = this;
    let left = this.length;
    for (const { frame, offset, length, flags } of this.from.buffers) {
      if (left === 0 || to.full) break;
      const part = Math.min(length, left);
      to.frames.get(frame);
      to.buffers.push(new PipeBuffer(frame, offset, part, flags & PipeBufferFlag.PACKET));
      left -= part;
    }
    return this.length - left;
  }
}

/** vmsplice(2) into a pipe: it refers to the caller's own pages, and sees what is written there later. */
export function vmsplice(cpu: Cpu, caller: Caller, to: PipeEnd, segments: readonly IoVec[], flags: number): number {
  return begin(cpu, caller, new Gift(caller, to, segments, mayWait(flags, to)));
}

class Gift extends SpliceOperation {
  readonly #pipe: Pipe;
  readonly #segments: readonly IoVec[];
  readonly #mayWait: boolean;

  constructor(caller: Caller, to: PipeEnd, segments: readonly IoVec[], mayWait: boolean) {
    super(caller, to.pipe.scheduler, Waiter.NONEXCLUSIVE);
    this.#pipe = to.pipe;
    this.#segments = segments;
    this.#mayWait = mayWait;
  }

  protected override attempt(cpu: Cpu): number {
    const pipe = this.#pipe;
    cpu.charge(IpcStep.spliceBody);
    if (pipe.readers === 0) return this.brokenPipe(cpu);
    if (pipe.full) return this.waitAt(pipe.writeWait, this.#mayWait);
    let done = 0;
    let failed = 0;
    for (const { address, length } of this.#segments) {
      for (let at = 0; at < length && !pipe.full; ) {
        const physical = userPage(cpu, this.caller.memory, address + at, Touch.LOAD);
        failed = Math.min(0, physical);
        if (failed < 0) break;
        const offset = physical & PAGE_MASK;
        const part = Math.min(PAGE_SIZE - offset, length - at);
        const frame = (physical - offset) / PAGE_SIZE;
        pipe.frames.get(frame);
        pipe.buffers.push(new PipeBuffer(frame, offset, part, 0));
        done += part;
        at += part;
      }
      if (failed < 0 || pipe.full) break;
    }
    if (done === 0 && failed < 0) return failed;
    if (done > 0) {
      pipe.handover.put(cpu, done);
      pipe.readWait.wakeOne(cpu);
    }
    return done;
  }
}
