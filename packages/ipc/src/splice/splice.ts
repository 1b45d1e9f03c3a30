import { type Cpu, PAGE_MASK, PAGE_SIZE, Touch } from '@rpal/hw-x86';
import { userPage } from '@rpal/mm';
import { Errno } from '@rpal/uapi';
import { begin, type Caller } from '@rpal/vfs';
import { type Pipe, PipeBuffer, type PipeEnd } from '../pipe/pipe.js';
import { IpcStep } from '../steps.js';
import { SpliceOperation } from './splice-operation.js';

/** splice(2) from pipe to pipe: pages change hands, nothing is copied. */
export function splice(cpu: Cpu, caller: Caller, from: PipeEnd, to: PipeEnd, length: number, nonblocking: boolean): number {
  return transfer(cpu, caller, from, to, length, nonblocking, true);
}

/** tee(2): both pipes refer to the same pages afterwards. */
export function tee(cpu: Cpu, caller: Caller, from: PipeEnd, to: PipeEnd, length: number, nonblocking: boolean): number {
  return transfer(cpu, caller, from, to, length, nonblocking, false);
}

function transfer(cpu: Cpu, caller: Caller, from: PipeEnd, to: PipeEnd, length: number, nonblocking: boolean, move: boolean): number {
  if (from.writing || !to.writing) return -Errno.EBADF;
  if (from.pipe === to.pipe) return -Errno.EINVAL;
  const mayWait = !nonblocking && !from.nonblocking && !to.nonblocking;
  return begin(cpu, caller, new Transfer(caller, from.pipe, to.pipe, length, mayWait, move));
}

/** Waits for data and for room, then moves or links as many pages as there are (Linux: `splice_pipe_to_pipe`, `link_pipe`). */
class Transfer extends SpliceOperation {
  readonly #from: Pipe;
  readonly #to: Pipe;
  readonly #length: number;
  readonly #mayWait: boolean;
  readonly #move: boolean;

  constructor(caller: Caller, from: Pipe, to: Pipe, length: number, mayWait: boolean, move: boolean) {
    super(caller, from.scheduler, false);
    this.#from = from;
    this.#to = to;
    this.#length = length;
    this.#mayWait = mayWait;
    this.#move = move;
  }

  protected override attempt(cpu: Cpu): number {
    const from = this.#from;
    const to = this.#to;
    cpu.charge(IpcStep.spliceBody);
    if (from.empty && from.writers > 0) return this.waitAt(from.readWait, this.#mayWait);
    if (to.full && to.readers > 0) return this.waitAt(to.writeWait, this.#mayWait);
    if (to.readers === 0) return this.brokenPipe(cpu);
    const held = from.buffers.length;
    const moved = this.#move ? this.#moveBuffers() : this.#linkBuffers();
    if (moved > 0) {
      if (this.#move) from.handover.take(cpu, this.caller.task, moved);
      else from.handover.find(cpu, this.caller.task);
      to.handover.put(cpu, moved);
      to.readWait.wakeOne(cpu);
    }
    // Whoever waits to write is told of every page that has left, whether or not the pipe was full.
    if (from.buffers.length < held) from.writeWait.wakeOne(cpu);
    return moved;
  }

  #moveBuffers(): number {
    const from = this.#from;
    const to = this.#to;
    let left = this.#length;
    while (left > 0 && !from.empty && !to.full) {
      const buffer = from.buffers[0] as PipeBuffer;
      if (left >= buffer.length) {
        from.buffers.shift();
        to.buffers.push(buffer);
        left -= buffer.length;
      } else {
        to.frames.get(buffer.frame);
        to.buffers.push(new PipeBuffer(buffer.frame, buffer.offset, left, false, buffer.packet));
        buffer.offset += left;
        buffer.length -= left;
        left = 0;
      }
    }
    return this.#length - left;
  }

  #linkBuffers(): number {
    const to = this.#to;
    let left = this.#length;
    for (const { frame, offset, length, packet } of this.#from.buffers) {
      if (left === 0 || to.full) break;
      const part = Math.min(length, left);
      to.frames.get(frame);
      to.buffers.push(new PipeBuffer(frame, offset, part, false, packet));
      left -= part;
    }
    return this.#length - left;
  }
}

/** vmsplice(2) into a pipe: it refers to the caller's own pages, and sees what is written there later. */
export function vmsplice(cpu: Cpu, caller: Caller, to: PipeEnd, address: number, length: number, nonblocking: boolean): number {
  if (!to.writing) return to.read(cpu, caller, address, length);
  return begin(cpu, caller, new Gift(caller, to, address, length, !nonblocking && !to.nonblocking));
}

class Gift extends SpliceOperation {
  readonly #pipe: Pipe;
  readonly #address: number;
  readonly #length: number;
  readonly #mayWait: boolean;

  constructor(caller: Caller, to: PipeEnd, address: number, length: number, mayWait: boolean) {
    super(caller, to.pipe.scheduler, false);
    this.#pipe = to.pipe;
    this.#address = address;
    this.#length = length;
    this.#mayWait = mayWait;
  }

  protected override attempt(cpu: Cpu): number {
    const pipe = this.#pipe;
    cpu.charge(IpcStep.spliceBody);
    if (pipe.readers === 0) return this.brokenPipe(cpu);
    if (pipe.full) return this.waitAt(pipe.writeWait, this.#mayWait);
    let done = 0;
    while (done < this.#length && !pipe.full) {
      const physical = userPage(cpu, this.caller.memory, this.#address + done, Touch.LOAD);
      if (physical < 0) return done > 0 ? done : physical;
      const offset = physical & PAGE_MASK;
      const part = Math.min(PAGE_SIZE - offset, this.#length - done);
      const frame = (physical - offset) / PAGE_SIZE;
      pipe.frames.get(frame);
      pipe.buffers.push(new PipeBuffer(frame, offset, part, false));
      done += part;
    }
    if (done > 0) {
      pipe.handover.put(cpu, done);
      pipe.readWait.wakeOne(cpu);
    }
    return done;
  }
}
