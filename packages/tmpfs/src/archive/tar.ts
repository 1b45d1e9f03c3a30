import { utf8Text } from '@rpal/uapi';
import { ArchiveError } from './archive-error.js';
import type { FileRecord } from './records.js';

const BLOCK = 512;

/** Does an archive look like one of tar? */
export function isTar(bytes: Uint8Array): boolean {
  return bytes.length >= BLOCK && text(bytes, 257, 5) === 'ustar';
}

/** The files of a tar archive: ustar, with GNU's long names and the names and sizes of pax. @throws ArchiveError with where it is wrong @public for tools that make or read trees */
export function filesOfTar(bytes: Uint8Array): FileRecord[] {
  const records: FileRecord[] = [];
  /** What the headers before a file say about it. */
  let extra: { path?: string; target?: string; size?: number } = {};
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return records;
    if (text(header, 257, 5) !== 'ustar' || !sumIsRight(header))
      throw new ArchiveError(`at byte ${at} of the tar archive there is no header`);
    const size = extra.size ?? octal(header, 124, 12, at);
    const kind = String.fromCharCode(header[156] as number);
    const data = at + BLOCK;
    if (data + size > bytes.length)
      throw new ArchiveError(`the tar archive is cut within "${text(header, 0, 100)}", at byte ${bytes.length}`);
    const content = bytes.slice(data, data + size);
    at = data + Math.ceil(size / BLOCK) * BLOCK;
    if (kind === 'L') extra.path = text(content, 0, size);
    else if (kind === 'K') extra.target = text(content, 0, size);
    else if (kind === 'x') extra = { ...extra, ...pax(content) };
    else if (kind !== 'g') {
      const prefix = text(header, 345, 155);
      const path = extra.path ?? (prefix === '' ? text(header, 0, 100) : `${prefix}/${text(header, 0, 100)}`);
      const target = extra.target ?? text(header, 157, 100);
      records.push(recordOf(header, at, kind, path, target, content));
      extra = {};
    }
  }
  throw new ArchiveError(`the tar archive is cut at byte ${bytes.length}: it has no end`);
}

function recordOf(header: Uint8Array, at: number, kind: string, path: string, target: string, content: Uint8Array): FileRecord {
  const number = (offset: number, length: number) => octal(header, offset, length, at);
  const common = { path, mode: number(100, 8) & 0o7777, uid: number(108, 8), gid: number(116, 8), time: number(136, 12) };
  const device = () => ({ major: number(329, 8), minor: number(337, 8) });
  switch (kind) {
    case '0':
    case '\0':
    case '7':
      return { ...common, type: 'file', content };
    case '1':
      return { path, type: 'link', target };
    case '2':
      return { ...common, type: 'symlink', target };
    case '3':
      return { ...common, type: 'character', ...device() };
    case '4':
      return { ...common, type: 'block', ...device() };
    case '5':
      return { ...common, type: 'directory' };
    case '6':
      return { ...common, type: 'fifo' };
    default:
      throw new ArchiveError(`"${path}" in the tar archive is of kind "${kind}", which a tree cannot have`);
  }
}

/** Records "length key=value" of a pax header: those that are used here. */
function pax(content: Uint8Array): { path?: string; target?: string; size?: number } {
  const found: { path?: string; target?: string; size?: number } = {};
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at);
    const length = Number(text(content, at, space - at));
    if (space < 0 || !(length > 0)) throw new ArchiveError('a pax header of the tar archive has a record without a length');
    const record = utf8Text(content.subarray(space + 1, at + length - 1));
    const equals = record.indexOf('=');
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === 'path') found.path = value;
    else if (key === 'linkpath') found.target = value;
    else if (key === 'size') found.size = Number(value);
    at += length;
  }
  return found;
}

function sumIsRight(header: Uint8Array): boolean {
  let sum = 0;
  header.forEach((byte, i) => {
    sum += i >= 148 && i < 156 ? 0x20 : byte;
  });
  return sum === Number.parseInt(text(header, 148, 8).trim(), 8);
}

/** A number in octal digits, or, as GNU writes large ones, in 256s behind a first byte of 0x80. */
function octal(header: Uint8Array, offset: number, length: number, at: number): number {
  if (((header[offset] as number) & 0x80) !== 0) {
    let value = (header[offset] as number) & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + (header[offset + i] as number);
    return value;
  }
  const digits = text(header, offset, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw new ArchiveError(`before byte ${at} of the tar archive "${digits}" is not a number`);
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

/** Up to a zero. */
function text(bytes: Uint8Array, at: number, length: number): string {
  const field = bytes.subarray(at, at + length);
  const end = field.indexOf(0);
  return utf8Text(end < 0 ? field : field.subarray(0, end));
}
