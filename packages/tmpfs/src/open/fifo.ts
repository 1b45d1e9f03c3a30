import type { Cpu } from '@rpal/hw-x86';
import { Pipe, PipeEnd } from '@rpal/ipc';
import { autoremoveWake, TaskState, WaitEntry, Wake } from '@rpal/sched';
import { Errno, OpenFlag } from '@rpal/uapi';
import { type Caller, type Operation, Pending, type PollTable } from '@rpal/vfs';
import type { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import type { SpecialInode } from '../tree/inode.js';
import type { TreeFile } from '../tree/tree-file.js';
import { closed, rememberedFlags } from './open-inode.js';

/** An end of a FIFO, open for reading or for writing. */
export class FifoEnd extends PipeEnd implements TreeFile {
  readonly tree: FileTree;
  readonly dentry: Dentry;

  constructor(tree: FileTree, dentry: Dentry, pipe: Pipe, flags: number) {
    super(pipe, flags & (OpenFlag.ACCMODE | OpenFlag.NONBLOCK));
    this.flags = rememberedFlags(flags);
    this.tree = tree;
    this.dentry = dentry;
  }

  override get mode(): number {
    return this.dentry.inode.mode;
  }

  override release(cpu: Cpu): void {
    this.leave(cpu);
    closed(cpu, this);
  }

  /** Its opening has failed: it has never been in use. */
  abandon(cpu: Cpu): void {
    this.leave(cpu);
    this.dentry.inode.opened--;
  }

  protected leave(cpu: Cpu): void {
    super.release(cpu);
    const inode = this.dentry.inode as SpecialInode;
    if (this.pipe.readers === 0 && this.pipe.writers === 0) inode.pipe = null;
  }
}

/** A FIFO that is open for reading and writing: an end of each kind. */
export class FifoBoth extends FifoEnd {
  readonly #writer: PipeEnd;

  constructor(tree: FileTree, dentry: Dentry, pipe: Pipe, flags: number) {
    super(tree, dentry, pipe, flags & ~OpenFlag.ACCMODE);
    this.flags = rememberedFlags(flags);
    this.#writer = new PipeEnd(pipe, OpenFlag.WRONLY);
  }

  override write(cpu: Cpu, caller: Caller, address: number, length: number): number {
    this.#writer.flags = (this.#writer.flags & ~OpenFlag.NONBLOCK) | (this.flags & OpenFlag.NONBLOCK);
    return this.#writer.write(cpu, caller, address, length);
  }

  override poll(cpu: Cpu, table: PollTable | null): number {
    return super.poll(cpu, table) | this.#writer.poll(cpu, table);
  }

  protected override leave(cpu: Cpu): void {
    this.#writer.release(cpu);
    super.leave(cpu);
  }
}

/** How often ends of a FIFO have been opened: a waiter for a partner sees that one was there, even if it has gone again. */
interface Openings {
  reading: number;
  writing: number;
}

const openings = new WeakMap<Pipe, Openings>();

function openingsOf(pipe: Pipe): Openings {
  let count = openings.get(pipe);
  if (count === undefined) {
    count = { reading: 0, writing: 0 };
    openings.set(pipe, count);
  }
  return count;
}

/**
 * open(2) of a FIFO (Linux: `fifo_open`): the opener of one end waits for an opener of the other one.
 * @param install what becomes of the open file
 */
export class FifoOpen implements Operation {
  readonly #caller: Caller;
  readonly #file: FifoEnd;
  readonly #install: (cpu: Cpu, file: FifoEnd) => number;
  readonly #entry: WaitEntry;
  /** Openings of the other end before this one. */
  #before = -1;

  constructor(caller: Caller, tree: FileTree, dentry: Dentry, flags: number, install: (cpu: Cpu, file: FifoEnd) => number) {
    this.#caller = caller;
    this.#install = install;
    const { scheduler, memory } = tree.kernel;
    const inode = dentry.inode as SpecialInode;
    inode.pipe ??= new Pipe(scheduler, memory.frames);
    const both = (flags & OpenFlag.ACCMODE) === OpenFlag.RDWR;
    this.#file = both ? new FifoBoth(tree, dentry, inode.pipe, flags) : new FifoEnd(tree, dentry, inode.pipe, flags);
    dentry.inode.opened++;
    this.#entry = new WaitEntry(autoremoveWake(scheduler), caller.task);
  }

  step(cpu: Cpu): number {
    const { pipe, writing, flags } = this.#file;
    const { task } = this.#caller;
    const count = openingsOf(pipe);
    task.state = TaskState.RUNNING;
    this.#entry.queue?.remove(cpu, this.#entry);
    const both = (flags & OpenFlag.ACCMODE) === OpenFlag.RDWR;
    if (this.#before < 0) {
      this.#before = writing ? count.reading : count.writing;
      if ((flags & OpenFlag.ACCMODE) === OpenFlag.ACCMODE) return this.#give(cpu, -Errno.EINVAL);
      const partner = writing ? pipe.readers > 0 : pipe.writers > 0;
      const nonblocking = (flags & OpenFlag.NONBLOCK) !== 0;
      if (writing && nonblocking && !partner) return this.#give(cpu, -Errno.ENXIO);
      if (writing || both) count.writing++;
      if (!writing) count.reading++;
      // Wakes those who wait for this end.
      if ((writing || both ? pipe.writers : pipe.readers) === 1 || both) {
        pipe.readWait.walk(cpu, Wake.ALL);
        pipe.writeWait.walk(cpu, Wake.ALL);
      }
      if (both || partner || nonblocking) return this.#give(cpu, 0);
    }
    if ((writing ? count.reading : count.writing) !== this.#before) return this.#give(cpu, 0);
    if (task.signalPending) return this.#give(cpu, -Errno.ERESTARTSYS);
    const queue = writing ? pipe.writeWait : pipe.readWait;
    task.prepareToSleep(cpu, TaskState.INTERRUPTIBLE, queue);
    queue.add(cpu, this.#entry);
    return Pending.SLEEP;
  }

  #give(cpu: Cpu, error: number): number {
    if (error === 0) {
      this.#file.dentry.inode.opened--;
      return this.#install(cpu, this.#file);
    }
    // It was never opened for anybody else.
    this.#file.abandon(cpu);
    return error;
  }
}
