import { utf8Text } from '@rpal/uapi';
/** What `struct stat` says, as a program takes it apart. */
export interface Stat {
  readonly device: number;
  readonly inode: number;
  readonly links: number;
  /** Type (`FileMode`) and permissions. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly specialDevice: number;
  readonly size: number;
  readonly blockSize: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  /** Times of last access, of last change of contents, and of anything: seconds and nanoseconds. */
  readonly accessed: readonly [seconds: number, nanoseconds: number];
  readonly modified: readonly [seconds: number, nanoseconds: number];
  readonly changed: readonly [seconds: number, nanoseconds: number];
}

/** Bytes of `struct stat` on x86-64. */
export { STAT_BYTES } from '../calls/attributes.js';

/** Takes the 144 bytes of a `struct stat` apart. */
export function readStat(bytes: Uint8Array): Stat {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const long = (at: number) => Number(view.getBigInt64(at, true));
  const word = (at: number) => view.getUint32(at, true);
  return {
    device: long(0),
    inode: long(8),
    links: long(16),
    mode: word(24),
    uid: word(28),
    gid: word(32),
    specialDevice: long(40),
    size: long(48),
    blockSize: long(56),
    blocks: long(64),
    accessed: [long(72), long(80)],
    modified: [long(88), long(96)],
    changed: [long(104), long(112)],
  };
}

/** A name that getdents64 has found. @public for programs */
export interface Entry {
  readonly inode: number;
  /** Position behind it, for lseek. */
  readonly next: number;
  /** Type of the file: that of `FileMode`, twelve bits down. */
  readonly type: number;
  readonly name: string;
}

/** Takes the records of getdents64 apart. @public for programs */
export function readEntries(bytes: Uint8Array): Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries: Entry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint16(at + 16, true);
    const field = bytes.subarray(at + 19, at + length);
    const name = utf8Text(field.subarray(0, field.indexOf(0)));
    entries.push({
      inode: Number(view.getBigInt64(at, true)),
      next: Number(view.getBigInt64(at + 8, true)),
      type: view.getUint8(at + 18),
      name,
    });
    at += length;
  }
  return entries;
}

/** An event that a program has read from an inotify file. @public for programs */
export interface InotifyEvent {
  readonly watch: number;
  /** `Inotify` bits. */
  readonly mask: number;
  /** That of a move: both halves have the same. */
  readonly cookie: number;
  readonly name: string;
}

/** Takes what was read from an inotify file apart. @public for programs */
export function readEvents(bytes: Uint8Array): InotifyEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const events: InotifyEvent[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at + 12, true);
    const field = bytes.subarray(at + 16, at + 16 + length);
    const end = field.indexOf(0);
    events.push({
      watch: view.getInt32(at, true),
      mask: view.getUint32(at + 4, true),
      cookie: view.getUint32(at + 8, true),
      name: utf8Text(end < 0 ? field : field.subarray(0, end)),
    });
    at += 16 + length;
  }
  return events;
}
