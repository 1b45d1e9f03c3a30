import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { mmap } from '@rpal/mm';
import { Errno, MapFlag, OpenFlag } from '@rpal/uapi';
import { type Caller, copyOut, File, putBytes, VfsStep } from '@rpal/vfs';
import { TmpfsStep } from '../steps.js';
import type { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import type { TreeFile } from '../tree/tree-file.js';
import { closed, flushed, mayRead, mayWrite, rememberedFlags } from './open-inode.js';

/** `st_rdev` of a device (Linux: `new_encode_dev`). */
export function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
}

/** An open device: what it does is for its subclasses. */
abstract class DeviceFile extends File implements TreeFile {
  readonly tree: FileTree;
  readonly dentry: Dentry;

  constructor(tree: FileTree, dentry: Dentry, flags: number) {
    super(rememberedFlags(flags));
    this.tree = tree;
    this.dentry = dentry;
  }

  override get mode(): number {
    return this.dentry.inode.mode;
  }

  override get positioned(): boolean {
    return true;
  }

  override get pollable(): boolean {
    return false;
  }

  override read(cpu: Cpu, caller: Caller, address: number, length: number): number {
    if (!mayRead(this)) return -Errno.EBADF;
    cpu.charge(TmpfsStep.deviceAccess);
    return length === 0 ? 0 : this.give(cpu, caller, address, length);
  }

  override write(cpu: Cpu, _caller: Caller, _address: number, length: number): number {
    if (!mayWrite(this)) return -Errno.EBADF;
    cpu.charge(TmpfsStep.deviceAccess);
    return this.take(length);
  }

  override readAt(cpu: Cpu, caller: Caller, address: number, length: number): number {
    return this.read(cpu, caller, address, length);
  }

  override writeAt(cpu: Cpu, caller: Caller, address: number, length: number): number {
    return this.write(cpu, caller, address, length);
  }

  override seek(): number {
    return 0;
  }

  /** Bytes for a reader. */
  protected abstract give(cpu: Cpu, caller: Caller, address: number, length: number): number;

  /** What a writer gets. */
  protected take(length: number): number {
    return length;
  }

  override flush(owner: object | null): void {
    flushed(this, owner);
  }

  override release(cpu: Cpu): void {
    closed(cpu, this);
  }
}

/** /dev/null. */
export class NullFile extends DeviceFile {
  protected override give(): number {
    return 0;
  }
}

/** /dev/zero. */
export class ZeroFile extends DeviceFile {
  protected override give(cpu: Cpu, caller: Caller, address: number, length: number): number {
    const zero = caller.memory.manager.zeroFrame * PAGE_SIZE;
    cpu.chargeBytes(VfsStep.copyToUser, length);
    return inPages(address, length, (at, _done, part) => copyOut(cpu, caller, at, zero, part));
  }

  override mmap(cpu: Cpu, caller: Caller, hint: number, length: number, prot: number, flags: number): number {
    const mode = this.flags & OpenFlag.ACCMODE;
    if (mode === OpenFlag.WRONLY) return -Errno.EACCES;
    return mmap(cpu, caller.memory, hint, length, prot, flags | MapFlag.ANONYMOUS);
  }
}

/** /dev/full. */
export class FullFile extends ZeroFile {
  protected override take(): number {
    return -Errno.ENOSPC;
  }
}

/** /dev/random and /dev/urandom: bytes of the machine's own generator, the same in every run. */
export class RandomFile extends DeviceFile {
  /** The entropy pool's own calls are missing. */
  override ioctl(): number {
    return -Errno.EINVAL;
  }

  protected override give(cpu: Cpu, caller: Caller, address: number, length: number): number {
    cpu.chargeBytes(TmpfsStep.randomByte, length);
    return inPages(address, length, (at, _done, part) => putBytes(cpu, caller, at, this.tree.randomBytes(part)));
  }
}

/** Page by page, up to one that cannot be written. @returns bytes, or -EFAULT */
function inPages(address: number, length: number, copy: (at: number, done: number, part: number) => number): number {
  for (let done = 0; done < length; ) {
    const part = Math.min(length - done, PAGE_SIZE - ((address + done) % PAGE_SIZE));
    if (copy(address + done, done, part) < 0) return done > 0 ? done : -Errno.EFAULT;
    done += part;
  }
  return length;
}
