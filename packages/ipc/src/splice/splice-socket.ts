import type { Cpu } from '@rpal/hw-x86';
import { Errno, SPLICE_F_NONBLOCK } from '@rpal/uapi';
import { begin, type Caller, Pending, Waiter } from '@rpal/vfs';
import { type Pipe, PipeBuffer, type PipeEnd } from '../pipe/pipe.js';
import { IpcStep } from '../steps.js';
import type { SkbPiece } from '../unix/skb.js';
import { SHUTDOWN_RECEIVE, SocketState } from '../unix/unix-socket.js';
import type { UnixStreamSocket } from '../unix/unix-stream.js';
import { SpliceOperation } from './splice-operation.js';

/** Pages that one message refers to, at most (Linux: the array of `splice_to_socket`). */
const PIECES_MAX = 16;

/** splice(2) from a pipe to a stream socket: messages that refer to the pages of the pipe. */
export function spliceToSocket(cpu: Cpu, caller: Caller, from: PipeEnd, to: UnixStreamSocket, length: number, flags: number): number {
  if (from.writing) return -Errno.EBADF;
  return begin(cpu, caller, new ToSocket(caller, from.pipe, to, length, (flags & SPLICE_F_NONBLOCK) === 0 && !from.nonblocking));
}

/** splice(2) from a stream socket to a pipe: the pages of its messages, or copies of short ones. */
export function spliceFromSocket(cpu: Cpu, caller: Caller, from: UnixStreamSocket, to: PipeEnd, length: number, flags: number): number {
  if (!to.writing) return -Errno.EBADF;
  return begin(cpu, caller, new FromSocket(caller, from, to.pipe, length, (flags & SPLICE_F_NONBLOCK) === 0 && !to.nonblocking));
}

/** splice_to_socket. Others may use the pipe while it waits for the socket; in Linux they wait for it. */
class ToSocket extends SpliceOperation {
  readonly #from: Pipe;
  readonly #to: UnixStreamSocket;
  readonly #mayWait: boolean;
  /** Whether a full socket is waited for is decided once, when the call begins. */
  readonly #mayWaitForRoom: boolean;
  #left: number;
  #sent = 0;
  /** Pages have left the pipe. */
  #moved = false;

  constructor(caller: Caller, from: Pipe, to: UnixStreamSocket, length: number, mayWait: boolean) {
    super(caller, from.scheduler, Waiter.NONEXCLUSIVE);
    this.#from = from;
    this.#to = to;
    this.#left = length;
    this.#mayWait = mayWait;
    this.#mayWaitForRoom = !to.nonblocking;
  }

  protected override interrupted(cpu: Cpu, error: number): number {
    return this.#end(cpu, error);
  }

  protected override attempt(cpu: Cpu): number {
    const from = this.#from;
    const to = this.#to;
    cpu.charge(IpcStep.spliceBody);
    while (this.#left > 0) {
      if (from.empty) {
        if (from.writers === 0 || this.#sent > 0) return this.#end(cpu, 0);
        return this.waitAt(from.readWait, this.#mayWait);
      }
      from.handover.find(cpu, this.caller.task);
      const pieces: SkbPiece[] = [];
      let length = 0;
      for (const { frame, offset, length: there } of from.buffers) {
        const part = Math.min(there, this.#left - length);
        pieces.push({ frame, offset, length: part });
        length += part;
        if (length === this.#left || pieces.length === PIECES_MAX) break;
      }
      const queued = to.queuePages(cpu, this.caller, pieces, length);
      if (queued === Pending.NOTHING_YET) {
        const outcome = this.waitAt(to.wait, this.#mayWaitForRoom);
        return outcome === Pending.NOTHING_YET ? outcome : this.#end(cpu, outcome);
      }
      if (queued <= 0) return this.#end(cpu, queued);
      this.#consume(cpu, queued);
    }
    return this.#end(cpu, 0);
  }

  #consume(cpu: Cpu, bytes: number): void {
    const from = this.#from;
    this.#sent += bytes;
    this.#left -= bytes;
    for (let left = bytes; left > 0; ) {
      const buffer = from.buffers[0] as PipeBuffer;
      const part = Math.min(left, buffer.length);
      buffer.offset += part;
      buffer.length -= part;
      left -= part;
      if (buffer.length > 0) break;
      from.buffers.shift();
      from.releasePage(cpu, buffer.frame);
      this.#moved = true;
    }
  }

  /** @returns what has been sent, else `otherwise` */
  #end(cpu: Cpu, otherwise: number): number {
    if (this.#sent > 0) this.#from.handover.take(cpu, this.caller.task, this.#sent);
    if (this.#moved) this.#from.writeWait.wakeOne(cpu);
    return this.#sent > 0 ? this.#sent : otherwise;
  }
}

/** splice_file_to_pipe with unix_stream_splice_read. */
class FromSocket extends SpliceOperation {
  readonly #from: UnixStreamSocket;
  readonly #to: Pipe;
  readonly #length: number;
  readonly #mayWait: boolean;
  readonly #mayWaitForData: boolean;

  constructor(caller: Caller, from: UnixStreamSocket, to: Pipe, length: number, mayWait: boolean) {
    super(caller, to.scheduler, Waiter.NONEXCLUSIVE);
    this.#from = from;
    this.#to = to;
    this.#length = length;
    this.#mayWait = mayWait;
    this.#mayWaitForData = mayWait && !from.nonblocking;
  }

  protected override attempt(cpu: Cpu): number {
    const from = this.#from;
    const to = this.#to;
    cpu.charge(IpcStep.spliceBody);
    if (to.readers === 0) return this.brokenPipe(cpu);
    if (to.full) return this.waitAt(to.writeWait, this.#mayWait);
    if (from.state !== SocketState.CONNECTED) return -Errno.EINVAL;
    const moved = this.#move(cpu);
    if (moved > 0) {
      to.handover.put(cpu, moved);
      to.readWait.wakeOne(cpu);
    }
    if (moved !== 0) return moved;
    const error = from.takeError();
    if (error < 0) return error;
    if ((from.shutdownMask & SHUTDOWN_RECEIVE) !== 0) return 0;
    return this.waitAt(from.wait, this.#mayWaitForData);
  }

  /** @returns bytes moved, 0 if there are none, or a negative errno */
  #move(cpu: Cpu): number {
    const from = this.#from;
    const to = this.#to;
    let moved = 0;
    const put = (piece: SkbPiece): boolean => {
      if (to.full) return false;
      to.buffers.push(new PipeBuffer(piece.frame, piece.offset, piece.length, 0));
      return true;
    };
    while (moved < this.#length && !to.full) {
      const part = from.takePages(cpu, this.caller, this.#length - moved, put);
      if (part === Pending.NOTHING_YET) break;
      if (part < 0) return moved > 0 ? moved : part;
      moved += part;
      if (from.endsHere) break;
    }
    return moved;
  }
}
