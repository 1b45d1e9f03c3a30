import { bytesOf, type Image } from '@rpal/kernel';
import { FileMode, utf8 } from '@rpal/uapi';
import { deviceNumber } from '../open/device-file.js';
import type { Dentry } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import { type DirectoryInode, type Inode, isDirectory } from '../tree/inode.js';
import { ArchiveError } from './archive-error.js';

/** A file of a tree, as one writes it down. Directories that a path needs and that are not there are made. */
export interface FileRecord {
  /** From the root on; a leading slash may be left out. */
  readonly path: string;
  /** By default what its contents say: a target makes a symbolic link, contents or an image a regular file, nothing a directory. */
  readonly type?: 'file' | 'directory' | 'symlink' | 'link' | 'character' | 'block' | 'fifo';
  /** Permissions; 0o755 for directories, 0o777 for symbolic links, 0o644 for others by default. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since 1970; the machine's boot by default. */
  readonly time?: number;
  readonly content?: string | Uint8Array;
  /** Bytes of a regular file, where that is more than its contents have: the rest is a hole. */
  readonly size?: number;
  /** Of a symbolic link: its text. Of a hard link: the path of the file, which is in the tree already. */
  readonly target?: string;
  /** Of a device. */
  readonly major?: number;
  readonly minor?: number;
  /** What execve of the file runs. */
  readonly image?: Image;
}

/** Puts files into a tree before the machine runs. @throws ArchiveError naming the record that cannot be */
export function plant(tree: FileTree, records: readonly FileRecord[]): void {
  for (const record of records) plantOne(tree, record);
}

function plantOne(tree: FileTree, record: FileRecord): void {
  const refusal = (why: string) => new ArchiveError(`"${record.path}" cannot be put into the tree: ${why}`);
  const names = bytesOf(record.path)
    .split('/')
    .filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw refusal('its path has ".."; give it from the root on');
  if (names.some((name) => name.length > 255)) throw refusal('a name in its path is longer than 255 bytes');
  const name = names.pop();
  const directory = names.reduce((at, each) => below(tree, at, each, refusal), tree.root);
  const type = typeOf(record);
  if (name === undefined) {
    if (type !== 'directory') throw refusal('the root is a directory');
    adorn(tree.root.inode, record);
    return;
  }
  const there = find(directory, name);
  if (there !== null) {
    if (type !== 'directory' || !isDirectory(there.inode)) throw refusal('there is such a file already');
    adorn(there.inode, record);
    return;
  }
  if (type === 'link') {
    const target = resolve(tree, bytesOf(record.target ?? ''));
    if (target === null || isDirectory(target.inode)) throw refusal(`there is no file "${record.target}" to link to before it`);
    target.inode.links++;
    tree.enter(directory, name, target.inode);
    return;
  }
  const time = { seconds: record.time ?? tree.clock.boot, nanoseconds: 0 };
  const fields = { uid: record.uid ?? 0, gid: record.gid ?? 0, time };
  tree.enter(directory, name, inodeOf(tree, record, type, name, fields, refusal));
}

/** A directory of the tree. @param path from the root on @throws ArchiveError if there is something else */
export function directoryAt(tree: FileTree, path: string): Dentry {
  const refusal = (why: string) => new ArchiveError(`/${path} cannot be a directory: ${why}`);
  return path.split('/').reduce((at, name) => below(tree, at, name, refusal), tree.root);
}

const DEFAULT_MODES = { directory: 0o755, symlink: 0o777, file: 0o644, character: 0o644, block: 0o644, fifo: 0o644 } as const;
const TYPES = {
  directory: FileMode.DIRECTORY,
  symlink: FileMode.SYMLINK,
  file: FileMode.REGULAR,
  character: FileMode.CHARACTER,
  block: FileMode.BLOCK,
  fifo: FileMode.FIFO,
} as const;

function inodeOf(
  tree: FileTree,
  record: FileRecord,
  type: keyof typeof TYPES,
  name: string,
  owner: Pick<Parameters<FileTree['regular']>[0], 'uid' | 'gid' | 'time'>,
  refusal: (why: string) => ArchiveError,
): Inode {
  const fields = { ...owner, mode: TYPES[type] | ((record.mode ?? DEFAULT_MODES[type]) & FileMode.PERMISSIONS) };
  switch (type) {
    case 'directory':
      return tree.directory(fields);
    case 'symlink':
      if (record.target === undefined || record.target === '') throw refusal('a symbolic link needs a target');
      return tree.symlink(fields, bytesOf(record.target));
    case 'file': {
      const inode = tree.regular(fields, name);
      const { content = '' } = record;
      const bytes = typeof content === 'string' ? utf8(content) : content;
      if (!inode.content.preload(bytes, Math.max(bytes.length, record.size ?? 0)))
        throw refusal(`the machine's memory is full; leave files out, or give it more`);
      inode.image = record.image ?? null;
      return inode;
    }
    default:
      return tree.special(fields, deviceNumber(record.major ?? 0, record.minor ?? 0));
  }
}

function typeOf({ type, target, content, image }: FileRecord): NonNullable<FileRecord['type']> {
  if (type !== undefined) return type;
  if (target !== undefined) return 'symlink';
  return content === undefined && image === undefined ? 'directory' : 'file';
}

function adorn(inode: Inode, { mode, uid = inode.uid, gid = inode.gid, time }: FileRecord): void {
  if (mode !== undefined) inode.mode = inode.type | (mode & FileMode.PERMISSIONS);
  inode.uid = uid;
  inode.gid = gid;
  if (time !== undefined) inode.setTimes({ seconds: time, nanoseconds: 0 });
}

/** A directory on the way, made if need be. */
function below(tree: FileTree, at: Dentry, name: string, refusal: (why: string) => ArchiveError): Dentry {
  const found = find(at, name);
  if (found !== null) {
    if (!isDirectory(found.inode)) throw refusal(`"${name}" on its way is not a directory`);
    return found;
  }
  const time = { seconds: tree.clock.boot, nanoseconds: 0 };
  return tree.enter(at, name, tree.directory({ mode: FileMode.DIRECTORY | 0o755, uid: 0, gid: 0, time }));
}

function find(at: Dentry, name: string): Dentry | null {
  return (at.inode as DirectoryInode).entries.get(name) ?? null;
}

function resolve(tree: FileTree, path: string): Dentry | null {
  let at: Dentry | null = tree.root;
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    at = at !== null && isDirectory(at.inode) ? find(at, name) : null;
  }
  return at;
}
