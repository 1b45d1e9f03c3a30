import { FileMode, utf8Text } from '@rpal/uapi';
import { ArchiveError } from './archive-error.js';
import type { FileRecord } from './records.js';

const MAGIC = '070701';
/** The same with a checksum, which is ignored. */
const MAGIC_WITH_SUM = '070702';
const HEADER = 110;
const TRAILER = 'TRAILER!!!';

/** Does an archive look like one of cpio's `newc` format, that of an initramfs? */
export function isCpio(bytes: Uint8Array): boolean {
  const magic = text(bytes, 0, 6);
  return magic === MAGIC || magic === MAGIC_WITH_SUM;
}

/** The files of a cpio archive in `newc` format. @throws ArchiveError with the offset of what is wrong @public for tools that make or read trees */
export function filesOfCpio(bytes: Uint8Array): FileRecord[] {
  const records: FileRecord[] = [];
  /** First path of an inode with several; its contents come with the last one. */
  const linked = new Map<string, { path: string; at: number }>();
  for (let at = 0; ; ) {
    if (at + HEADER > bytes.length) throw new ArchiveError(`the cpio archive is cut at byte ${at}: its trailer is missing`);
    if (!isCpio(bytes.subarray(at, at + 6))) throw new ArchiveError(`at byte ${at} of the cpio archive there is no header`);
    const [number, mode, uid, gid, links, time, size, major, minor, specialMajor, specialMinor, nameBytes] = Array.from(
      { length: 12 },
      (_, i) => {
        const digits = text(bytes, at + 6 + 8 * i, 8);
        if (!/^[0-9a-fA-F]{8}$/.test(digits))
          throw new ArchiveError(`at byte ${at + 6 + 8 * i} of the cpio archive "${digits}" is not a number`);
        return Number.parseInt(digits, 16);
      },
    ) as [number, number, number, number, number, number, number, number, number, number, number, number];
    const path = text(bytes, at + HEADER, nameBytes - 1);
    const data = aligned(at + HEADER + nameBytes);
    if (path === TRAILER) return records;
    if (data + size > bytes.length) throw new ArchiveError(`the cpio archive is cut within "${path}"`);
    const content = bytes.slice(data, data + size);
    const common = { path, mode: mode & FileMode.PERMISSIONS, uid, gid, time };
    const key = `${major}:${minor}:${number}`;
    const first = links > 1 && (mode & FileMode.TYPE) === FileMode.REGULAR ? linked.get(key) : undefined;
    if (first !== undefined) {
      records.push({ path, type: 'link', target: first.path });
      if (size > 0) records[first.at] = { ...(records[first.at] as FileRecord), content };
    } else {
      if (links > 1) linked.set(key, { path, at: records.length });
      records.push(recordOf(mode, common, content, specialMajor, specialMinor));
    }
    at = aligned(data + size);
  }
}

function recordOf(mode: number, common: Omit<FileRecord, 'type'>, content: Uint8Array, major: number, minor: number): FileRecord {
  switch (mode & FileMode.TYPE) {
    case FileMode.DIRECTORY:
      return { ...common, type: 'directory' };
    case FileMode.SYMLINK:
      return { ...common, type: 'symlink', target: utf8Text(content) };
    case FileMode.CHARACTER:
      return { ...common, type: 'character', major, minor };
    case FileMode.BLOCK:
      return { ...common, type: 'block', major, minor };
    case FileMode.FIFO:
      return { ...common, type: 'fifo' };
    case FileMode.REGULAR:
      return { ...common, type: 'file', content };
    default:
      throw new ArchiveError(
        `"${common.path}" in the cpio archive has mode 0${mode.toString(8)}, which is not a type of file that it could be`,
      );
  }
}

function aligned(at: number): number {
  return Math.ceil(at / 4) * 4;
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return utf8Text(bytes.subarray(at, at + length));
}
