import { MemFd } from '@rpal/ipc';
import type { UserBuffer } from '@rpal/kernel';
import type { File } from '@rpal/vfs';
import { namelessInode } from '../tree/anonymous.js';
import type { FileTree } from '../tree/file-tree.js';
import type { Inode } from '../tree/inode.js';
import type { Timestamp } from '../tree/timestamp.js';
import { dentryOf } from '../walk/path-walk.js';

/** What stat says of a file. */
export interface Attributes {
  readonly device: number;
  readonly number: number;
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly specialDevice: number;
  readonly size: number;
  readonly blocks: number;
  readonly blockSize: number;
  readonly accessed: Timestamp;
  readonly modified: Timestamp;
  readonly changed: Timestamp;
  /** Null: not known. */
  readonly born: Timestamp | null;
}

const PAGE_SIZE = 4096;
/** `st_dev` of files without a name: pipes, sockets, memory, anonymous inodes, all in one. */
const ANONYMOUS_DEVICE = 15;

export function attributesOf(inode: Inode): Attributes {
  const { fs, number, mode, links, uid, gid, specialDevice, size, blocks, accessed, modified, changed, born } = inode;
  const blockSize = fs.type === 'proc' ? 1024 : PAGE_SIZE;
  return { device: fs.device, number, mode, links, uid, gid, specialDevice, size, blocks, blockSize, accessed, modified, changed, born };
}

/** Attributes of an open file, with a name or without. */
export function attributesOfFile(tree: FileTree, file: File): Attributes {
  const dentry = dentryOf(file);
  if (dentry !== null) return attributesOf(dentry.inode);
  const size = file instanceof MemFd ? file.file.size : 0;
  const blocks = file instanceof MemFd ? file.file.allocatedPages * 8 : 0;
  const { number, mode, uid, gid, accessed, modified, changed } = namelessInode(tree, file);
  const links = file instanceof MemFd ? 0 : 1;
  return {
    device: ANONYMOUS_DEVICE,
    number,
    mode,
    links,
    uid,
    gid,
    specialDevice: 0,
    size,
    blocks,
    blockSize: PAGE_SIZE,
    accessed,
    modified,
    changed,
    born: null,
  };
}

/** Bytes of `struct stat` on x86-64. */
export const STAT_BYTES = 144;

/** Lays `struct stat` out in a buffer. */
export function layStat(buffer: UserBuffer, a: Attributes): void {
  buffer.clear(STAT_BYTES).set64(0, a.device).set64(8, a.number).set64(16, a.links);
  buffer.set32(24, a.mode).set32(28, a.uid).set32(32, a.gid).set64(40, a.specialDevice);
  buffer.set64(48, a.size).set64(56, a.blockSize).set64(64, a.blocks);
  setTime(buffer, 72, a.accessed);
  setTime(buffer, 88, a.modified);
  setTime(buffer, 104, a.changed);
}

function setTime(buffer: UserBuffer, at: number, { seconds, nanoseconds }: Timestamp): void {
  buffer.set64(at, seconds).set64(at + 8, nanoseconds);
}

/** Bytes of `struct statx`. */
export const STATX_BYTES = 256;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;
const STATX_MNT_ID = 0x1000;
/** Attributes that tmpfs could have: immutable, append-only, no dump. */
const ATTRIBUTES_MASK = 0x70;

/** Lays `struct statx` out: all that is known, whatever was asked for. */
export function layStatx(buffer: UserBuffer, a: Attributes): void {
  buffer.clear(STATX_BYTES).set32(0, STATX_BASIC_STATS | STATX_MNT_ID | (a.born === null ? 0 : STATX_BTIME));
  buffer.set32(4, a.blockSize).set32(16, a.links).set32(20, a.uid).set32(24, a.gid).set16(28, a.mode);
  buffer.set64(32, a.number).set64(40, a.size).set64(48, a.blocks).set64(56, ATTRIBUTES_MASK);
  setStatxTime(buffer, 64, a.accessed);
  if (a.born !== null) setStatxTime(buffer, 80, a.born);
  setStatxTime(buffer, 96, a.changed);
  setStatxTime(buffer, 112, a.modified);
  buffer.set32(128, majorOf(a.specialDevice)).set32(132, minorOf(a.specialDevice));
  buffer.set32(136, majorOf(a.device)).set32(140, minorOf(a.device)).set64(144, a.device);
}

function setStatxTime(buffer: UserBuffer, at: number, { seconds, nanoseconds }: Timestamp): void {
  buffer.set64(at, seconds).set32(at + 8, nanoseconds);
}

function majorOf(device: number): number {
  return (device >>> 8) & 0xfff;
}

function minorOf(device: number): number {
  return (device & 0xff) | ((device >>> 12) & 0xf_ff00);
}
