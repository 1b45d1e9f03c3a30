import type { FileRecord } from '@rpal/tmpfs';
import { FileMode, OpenFlag } from '@rpal/uapi';
import type { TracedCall, TraceEvent } from './trace-line.js';
import type { Value } from './trace-value.js';

/** What a trace shows of a file that was there before it began. */
interface Found {
  type: number;
  mode: number | null;
  uid: number;
  gid: number;
  size: number;
  target: string | null;
  /** Bytes that were read, by offset. */
  readonly pieces: { readonly at: number; readonly bytes: Uint8Array }[];
}

/** An open descriptor of a traced process. */
interface Open {
  readonly path: string;
  offset: number;
}

const AT_FDCWD = -100;
/** What is read behind this of a file is not put into the tree. */
const MAX_SIZE = 1 << 25;
/** What every tree has by itself. */
const PROC = /^\/proc\//;
const RANDOM = /^\/(dev\/u?random|proc\/sys\/kernel\/random\/\w+)$/;
/** What the computer says of itself. */
const COMPUTERS = /^\/(sys|proc)\//;
const GIVEN = /^\/(proc|dev)(\/|$)/;

/** Goes through a trace and finds out which files it began with: all that it opens, reads, asks about or lists before it makes or changes them. */
export class TraceFiles {
  readonly #found = new Map<string, Found>();
  /** Paths that the trace has made or changed, or found not to be there. */
  readonly #own = new Set<string>();
  readonly #slashed = new Set<string>();
  readonly #directories = new Map<number, string>();
  readonly #descriptors = new Map<number, Map<number, Open>>();
  /** Calls that have read random numbers. */
  readonly random: Set<TracedCall> = new Set();
  /** Calls that have read what the computer says of itself and of its processes. */
  readonly computers: Set<TracedCall> = new Set();
  readonly directory: string;

  /** @param directory where the traced program began */
  constructor(events: readonly TraceEvent[], directory: string) {
    this.directory = directory;
    this.#seen(directory, FileMode.DIRECTORY);
    for (const event of events) {
      if (event.kind === 'begin') this.#begin(event.call);
      else if (event.kind === 'end') this.#end(event.call);
    }
  }

  /** The files, directories before what is in them. */
  get records(): FileRecord[] {
    const paths = [...this.#found.keys()].filter((path) => path !== '/' && !GIVEN.test(path)).sort();
    return paths.map((path) => recordOf(path, this.#found.get(path) as Found));
  }

  #begin({ pid, name, args, result }: TracedCall): void {
    if (!/^(clone|clone3|fork|vfork)$/.test(name) || result === null || result <= 0) return;
    this.#directories.set(result, this.#directories.get(pid) ?? this.directory);
    const flags = args.reduce((sum, arg) => sum + (arg.kind === 'struct' ? numberOf(arg.fields.get('flags')) : 0), 0);
    const own = this.#descriptors.get(pid) ?? new Map<number, Open>();
    // With CLONE_FILES the table is one.
    this.#descriptors.set(pid, own);
    this.#descriptors.set(result, (flags & 0x400) !== 0 ? own : new Map([...own].map(([fd, open]) => [fd, open])));
  }

  #end(call: TracedCall): void {
    const { pid, name, args, result } = call;
    const open = this.#descriptors.get(pid) ?? new Map<number, Open>();
    this.#descriptors.set(pid, open);
    if (result === null) return;
    const at = (i: number) => args[i];
    const path = (fd: number | null, i: number) => this.#path(pid, fd, at(i));
    switch (name) {
      case 'open':
      case 'openat': {
        const first = name === 'open' ? 0 : 1;
        this.#opened(path(first === 0 ? null : numberOf(at(0)), first), numberOf(at(first + 1)), result, open);
        return;
      }
      case 'creat':
        this.#opened(path(null, 0), OpenFlag.CREAT | OpenFlag.TRUNC, result, open);
        return;
      case 'close':
        open.delete(numberOf(at(0)));
        return;
      case 'dup':
      case 'dup2':
      case 'dup3':
        this.#duplicated(open, numberOf(at(0)), result);
        return;
      case 'fcntl':
        if (numberOf(at(1)) === 0 || numberOf(at(1)) === 1030) this.#duplicated(open, numberOf(at(0)), result);
        return;
      case 'chdir':
        if (result === 0) this.#directories.set(pid, path(null, 0) ?? this.directory);
        return;
      case 'stat':
      case 'lstat':
        this.#attributes(path(null, 0), at(1), result);
        return;
      case 'newfstatat': {
        const named = path(numberOf(at(0)), 1);
        if (COMPUTERS.test(open.get(numberOf(at(0)))?.path ?? '')) this.computers.add(call);
        const isEmpty = at(1)?.kind !== 'bytes' || textOf(at(1)) === '';
        this.#attributes(isEmpty ? (open.get(numberOf(at(0)))?.path ?? null) : named, at(2), result);
        return;
      }
      case 'statx':
        this.#attributes(textOf(at(1)) === '' ? (open.get(numberOf(at(0)))?.path ?? null) : path(numberOf(at(0)), 1), at(4), result);
        return;
      case 'fstat':
        if (COMPUTERS.test(open.get(numberOf(at(0)))?.path ?? '')) this.computers.add(call);
        this.#attributes(open.get(numberOf(at(0)))?.path ?? null, at(1), result);
        return;
      case 'access':
        this.#accessed(path(null, 0), numberOf(at(1)), result);
        return;
      case 'faccessat':
      case 'faccessat2':
        this.#accessed(path(numberOf(at(0)), 1), numberOf(at(2)), result);
        return;
      case 'readlink':
        this.#linked(path(null, 0), at(1), result);
        return;
      case 'readlinkat':
        this.#linked(path(numberOf(at(0)), 1), at(2), result);
        return;
      case 'execve':
        if (result === 0) this.#seen(path(null, 0), FileMode.REGULAR, 0o755);
        return;
      case 'read':
      case 'pread64':
        if (RANDOM.test(open.get(numberOf(at(0)))?.path ?? '')) this.random.add(call);
        if (PROC.test(open.get(numberOf(at(0)))?.path ?? '')) this.computers.add(call);
        this.#read(open.get(numberOf(at(0))), at(1), name === 'pread64' ? numberOf(at(3)) : null);
        return;
      case 'lseek': {
        const file = open.get(numberOf(at(0)));
        if (file !== undefined && result >= 0) file.offset = result;
        return;
      }
      case 'getdents64':
        this.#listed(open.get(numberOf(at(0)))?.path, at(1));
        return;
      case 'write':
      case 'pwrite64':
      case 'ftruncate':
      case 'writev':
      case 'pwritev':
      case 'fallocate': {
        const file = open.get(numberOf(at(0)));
        if (file !== undefined && result >= 0) this.#own.add(file.path);
        return;
      }
      case 'mkdir':
      case 'unlink':
      case 'rmdir':
      case 'truncate':
        if (result === 0) this.#changed(path(null, 0));
        return;
      case 'mkdirat':
      case 'unlinkat':
        if (result === 0) this.#changed(path(numberOf(at(0)), 1));
        return;
      case 'rename':
      case 'link':
        if (result === 0) for (const i of [0, 1]) this.#changed(path(null, i));
        return;
      case 'renameat':
      case 'renameat2':
      case 'linkat':
        if (result === 0) for (const i of [0, 2]) this.#changed(path(numberOf(at(i)), i + 1));
        return;
      case 'symlink':
        if (result === 0) this.#own.add(path(null, 1) ?? '');
        return;
      case 'bind': {
        const address = at(1);
        const name = address?.kind === 'struct' ? address.fields.get('sun_path') : undefined;
        if (result === 0 && name?.kind === 'bytes') this.#own.add(this.#path(pid, null, name) ?? '');
        return;
      }
      default:
    }
  }

  #duplicated(open: Map<number, Open>, from: number, to: number): void {
    const file = open.get(from);
    if (file !== undefined && to >= 0) open.set(to, file);
    else open.delete(to);
  }

  #opened(path: string | null, flags: number, fd: number, open: Map<number, Open>): void {
    if (path === null) return;
    if (fd < 0) {
      if (fd === -2) this.#own.add(path);
      return;
    }
    open.set(fd, { path, offset: 0 });
    if ((flags & OpenFlag.CREAT) !== 0 && !this.#found.has(path)) this.#own.add(path);
    else if (!this.#own.has(path)) this.#seen(path, (flags & OpenFlag.DIRECTORY) !== 0 ? FileMode.DIRECTORY : 0);
    if ((flags & OpenFlag.TRUNC) !== 0) this.#own.add(path);
  }

  #attributes(path: string | null, value: Value | undefined, result: number): void {
    if (path === null) return;
    if (result < 0) {
      if (result === -2) this.#own.add(path);
      return;
    }
    if (value?.kind !== 'struct' || this.#own.has(path)) return;
    const field = (name: string) => numberOf(value.fields.get(`st_${name}`) ?? value.fields.get(`stx_${name}`));
    const found = this.#seen(path, field('mode') & FileMode.TYPE, field('mode') & FileMode.PERMISSIONS);
    if (found === null) return;
    found.uid = field('uid');
    found.gid = field('gid');
    // Of files of sysfs and its like the size says nothing.
    if (!COMPUTERS.test(path)) found.size = Math.max(found.size, field('size'));
  }

  #accessed(path: string | null, mode: number, result: number): void {
    if (path === null) return;
    if (result === 0) this.#seen(path, 0, (mode & 1) !== 0 ? 0o755 : undefined);
    else if (result === -2) this.#own.add(path);
  }

  #linked(path: string | null, value: Value | undefined, result: number): void {
    if (path === null || result < 0) return;
    const found = this.#seen(path, FileMode.SYMLINK);
    if (found !== null) found.target = textOf(value).slice(0, result);
  }

  #read(file: Open | undefined, value: Value | undefined, offset: number | null): void {
    if (file === undefined || value?.kind !== 'bytes') return;
    const at = offset ?? file.offset;
    if (offset === null) file.offset += value.bytes.length;
    if (this.#own.has(file.path) || value.bytes.length === 0) return;
    const found = this.#found.get(file.path);
    found?.pieces.push({ at, bytes: value.bytes });
    if (found !== undefined) found.size = Math.max(found.size, at + value.bytes.length);
  }

  #listed(path: string | undefined, value: Value | undefined): void {
    if (path === undefined || value?.kind !== 'list') return;
    for (const item of value.items) {
      if (item.kind !== 'struct') continue;
      const name = textOf(item.fields.get('d_name'));
      if (name !== '.' && name !== '..')
        this.#seen(path === '/' ? `/${name}` : `${path}/${name}`, numberOf(item.fields.get('d_type')) << 12);
    }
  }

  /** A path exists. @returns what is known of it; null if the trace made it */
  #seen(path: string | null, type: number, mode?: number): Found | null {
    if (path === null || this.#own.has(path)) return null;
    let found = this.#found.get(path);
    if (found === undefined) {
      found = { type, mode: mode ?? null, uid: 0, gid: 0, size: 0, target: null, pieces: [] };
      this.#found.set(path, found);
    }
    if (type !== 0) found.type = type;
    else if (this.#slashed.has(path)) found.type = FileMode.DIRECTORY;
    if (mode !== undefined) found.mode = mode;
    return found;
  }

  #changed(path: string | null): void {
    if (path === null) return;
    // What is removed was there, unless the trace made it.
    if (!this.#own.has(path)) this.#seen(path, 0);
    this.#own.add(path);
  }

  /** The path of an argument, from the root on; null: it is none. */
  #path(pid: number, fd: number | null, value: Value | undefined): string | null {
    if (value?.kind !== 'bytes') return null;
    const text = textOf(value);
    const from =
      fd === null || fd === AT_FDCWD ? (this.#directories.get(pid) ?? this.directory) : this.#descriptors.get(pid)?.get(fd)?.path;
    const path = text.startsWith('/') ? normal(text) : from === undefined ? null : normal(`${from}/${text}`);
    // With a slash behind its name it is a directory, if it is there.
    if (path !== null && text.length > 1 && text.endsWith('/')) this.#slashed.add(path);
    return path;
  }
}

function recordOf(path: string, { type, mode, uid, gid, size, target, pieces }: Found): FileRecord {
  const owner = { path, uid, gid, ...(mode === null ? {} : { mode }) };
  if (type === FileMode.DIRECTORY) return { ...owner, type: 'directory' };
  if (type === FileMode.SYMLINK) return { path, uid, gid, type: 'symlink', target: target ?? '.' };
  if (type === FileMode.FIFO) return { ...owner, type: 'fifo' };
  const known = Math.max(0, ...pieces.map(({ at, bytes }) => at + bytes.length));
  const content = new Uint8Array(Math.min(size, known, MAX_SIZE));
  for (const { at, bytes } of pieces) if (at + bytes.length <= content.length) content.set(bytes, at);
  return { ...owner, type: 'file', content, size };
}

function normal(path: string): string {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return `/${names.join('/')}`;
}

export function numberOf(value: Value | undefined): number {
  return value?.kind === 'number' ? value.value : 0;
}

/** Text of bytes, one character each. */
export function textOf(value: Value | undefined): string {
  return value?.kind === 'bytes' ? String.fromCharCode(...value.bytes) : '';
}
