import { executable, type Program, withUserIds } from '@rpal/kernel';
import { Fcntl, FileMode, LinuxCall, OpenFlag } from '@rpal/uapi';
import { smallMachine } from '../../../../scripts/testing/run.ts';
import { readEntries, readEvents, readStat, tmpfs } from '../../src/index.js';
import type { Line } from './file-program.js';

const BUFFER = 1 << 17;

/** FNV-1a. */
function hash(bytes: Uint8Array): string {
  let h = 2166136261;
  for (const byte of bytes) h = Math.imul(h ^ byte, 16777619);
  return (h >>> 0).toString(16);
}

/** A path as lines have it: see the driver. */
function pathOf(word: string): string {
  if (word === '%') return '';
  if (word.startsWith('*')) return 'n'.repeat(Number.parseInt(word.slice(1), 10) || 0);
  if (word.startsWith('+')) return `${'./'.repeat(Number(word.slice(1)))}a`;
  return word;
}

/** Numbers as strtol reads them: octal with a leading zero. */
function numberOf(word: string): number {
  const [, sign, digits] = /^(-?)(.*)$/.exec(word) as unknown as [string, string, string];
  const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return sign === '-' ? -value : value;
}

/** Executes lines as the driver does, and answers in the same words. */
export function answersOfModel(lines: readonly Line[]): string[] {
  const answers: string[] = [];
  const machine = smallMachine({ cpus: 1, plugins: [tmpfs()] });
  machine.spawn(
    executable('files', function* (p) {
      // Descriptors 0 to 2 are not for the program; its tree is its own.
      for (let fd = 0; fd < 3; fd++) yield* p.open('/dev/null', OpenFlag.RDWR);
      yield* p.mkdir('/own', 0o755);
      yield* p.chroot('/own');
      yield* p.chdir('/');
      yield* p.umask(0o022);
      const session = new Session(p, yield* p.allocate(BUFFER));
      for (const line of lines) answers.push(yield* session.execute(line));
    }),
  );
  machine.run();
  return answers;
}

class Session {
  readonly #p: Program;
  readonly #buffer: number;
  readonly #seen: { inode: number; modified: string; changed: string }[] = [];

  constructor(p: Program, buffer: number) {
    this.#p = p;
    this.#buffer = buffer;
  }

  *execute(line: Line): Generator<void, string> {
    const p = this.#p;
    const buffer = this.#buffer;
    const [call, ...words] = line.split(' ') as [string, ...string[]];
    const a = words.map(numberOf) as [number, number, number, number, number, number];
    const path = (at: number): string => pathOf(words[at] as string);
    const says = (result: number): string => String(result);
    if (call === 'lock' || call === 'flock' || call === 'fchmod') {
      const file = p.context.thread.process.files.peek(a[0]);
      if (file !== null && (file.mode & FileMode.TYPE) === 0) return 'function';
    }
    if (call === 'events') {
      const file = p.context.thread.process.files.peek(a[0]);
      if (file === null || (file.mode & FileMode.TYPE) !== 0) return 'no events';
    }
    switch (call) {
      case 'user': {
        const { process } = p.context.thread;
        const { credentials } = process;
        process.credentials = { ...withUserIds(credentials, { euid: a[0], fsuid: a[0] }), egid: a[1], fsgid: a[1] };
        return '0';
      }
      case 'open':
        return says(yield* p.open(path(0), a[1], a[2]));
      case 'openat':
        return says(yield* p.openat(a[0], path(1), a[2], a[3]));
      case 'close':
        return says(yield* p.close(a[0]));
      case 'write':
        yield* this.#fill(a[1], a[2]);
        return says(yield* p.write(a[0], buffer, a[1]));
      case 'pwrite':
        yield* this.#fill(a[1], a[2]);
        return says(yield* p.pwrite(a[0], buffer, a[1], a[3]));
      case 'read':
        return yield* this.#data(yield* p.read(a[0], buffer, a[1]));
      case 'pread':
        return yield* this.#data(yield* p.pread(a[0], buffer, a[1], a[2]));
      case 'readv':
        return yield* this.#data(yield* p.readv(a[0], this.#pieces(a[1], a[2])));
      case 'preadv':
        return yield* this.#data(yield* p.preadv(a[0], this.#pieces(a[1], a[2]), a[3]));
      case 'writev':
        yield* this.#fill(a[1] + a[2], a[3]);
        return says(yield* p.writev(a[0], this.#pieces(a[1], a[2])));
      case 'pwritev':
        yield* this.#fill(a[1] + a[2], a[3]);
        return says(yield* p.pwritev(a[0], this.#pieces(a[1], a[2]), a[4]));
      case 'lseek':
        return says(yield* p.lseek(a[0], a[1], a[2]));
      case 'ftruncate':
        return says(yield* p.ftruncate(a[0], a[1]));
      case 'truncate':
        return says(yield* p.truncate(path(0), a[1]));
      case 'fallocate':
        return says(yield* p.fallocate(a[0], a[1], a[2], a[3]));
      case 'mkdir':
        return says(yield* p.mkdir(path(1), a[2], a[0]));
      case 'mknod':
        return says(yield* p.mknod(path(1), a[2], a[3], a[0]));
      case 'unlink':
        return says(yield* p.unlinkat(a[0], path(1), a[2]));
      case 'link':
        return says(yield* p.link(path(1), path(3), a[4], a[0], a[2]));
      case 'symlink':
        return says(yield* p.symlink(path(0), path(2), a[1]));
      case 'rename':
        return says(yield* p.rename(path(1), path(3), a[4], a[0], a[2]));
      case 'readlink': {
        const n = yield* p.readlink(path(1), buffer, a[2], a[0]);
        return `${n} ${yield* this.#text(n)}`;
      }
      case 'stat':
        return yield* this.#stat(yield* p.fstatat(a[0], path(1), buffer, a[2]));
      case 'fstat': {
        const result = yield* p.fstat(a[0], buffer);
        return a[0] > 2 ? yield* this.#stat(result) : says(result);
      }
      case 'access':
        return says(yield* p.access(path(1), a[2], a[3], a[0]));
      case 'chmod':
        return says(yield* p.chmod(path(0), a[1]));
      case 'fchmod':
        return says(yield* p.fchmod(a[0], a[1]));
      case 'chown':
        return says(yield* p.chown(path(0), a[1], a[2], a[3]));
      case 'utimens': {
        for (let i = 0; i < 4; i++) yield* p.store64(buffer + 8 * i, a[(i + 1) as 1]);
        // With an empty path and a directory, not a descriptor, the path is an empty one.
        return says(yield* p.utimensat(-100, path(0), a[1] < 0 ? 0 : buffer));
      }
      case 'chdir':
        return says(yield* p.chdir(path(0)));
      case 'fchdir':
        return says(yield* p.fchdir(a[0]));
      case 'getcwd': {
        const n = yield* p.getcwd(buffer, a[0]);
        return `${n} ${yield* this.#text(n - 1)}`;
      }
      case 'umask':
        return says(yield* p.umask(a[0]));
      case 'list':
        return yield* this.#list(a[0]);
      case 'dup':
        return says(yield* p.dup(a[0]));
      case 'dup2':
        return says(yield* p.dup2(a[0], a[1]));
      case 'fcntl':
        return says(yield* p.fcntl(a[0], a[1], a[2]));
      case 'lock':
        return yield* this.#lock(a);
      case 'flock':
        return says(yield* p.flock(a[0], a[1]));
      case 'inotify':
        return says(yield* p.inotifyInit(OpenFlag.NONBLOCK));
      case 'watch':
        return says(yield* p.inotifyAddWatch(a[0], path(1), a[2]));
      case 'unwatch':
        return says(yield* p.inotifyRmWatch(a[0], a[1]));
      case 'events': {
        const n = yield* p.read(a[0], buffer, 100_000);
        const events = n <= 0 ? [] : readEvents(yield* this.#bytes(n));
        return `${n}${events.map(({ watch, mask, cookie, name }) => ` ${watch}:${mask.toString(16)}:${cookie === 0 ? 0 : 1}:${name}`).join('')}`;
      }
      case 'fsync':
        return says(yield* p.fsync(a[0]));
      default:
        return '?';
    }
  }

  *#fill(length: number, seed: number): Generator<void, void> {
    const bytes = Uint8Array.from({ length }, (_, i) => seed + i);
    if (length > 0) yield* this.#p.storeBytes(this.#buffer, bytes);
  }

  #pieces(first: number, second: number) {
    return [
      { address: this.#buffer, length: first },
      { address: this.#buffer + first, length: second },
    ];
  }

  *#bytes(length: number): Generator<void, Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, length));
    if (length > 0) yield* this.#p.loadBytes(this.#buffer, bytes);
    return bytes;
  }

  *#data(n: number): Generator<void, string> {
    return `${n} ${n > 0 ? hash(yield* this.#bytes(n)) : 0}`;
  }

  *#text(n: number): Generator<void, string> {
    return new TextDecoder().decode(yield* this.#bytes(n));
  }

  *#stat(result: number): Generator<void, string> {
    if (result < 0) return String(result);
    const s = readStat(yield* this.#bytes(144));
    const [modified, changed] = [s.modified.join('.'), s.changed.join('.')];
    let index = this.#seen.findIndex(({ inode }) => inode === s.inode);
    const before = this.#seen[index];
    if (index < 0) index = this.#seen.length;
    this.#seen[index] = { inode: s.inode, modified, changed };
    const flags = `${before?.modified === modified ? '' : ' m'}${before?.changed === changed ? '' : ' c'}`;
    const { mode, links, uid, gid, size, blocks, specialDevice } = s;
    return `0 #${index} 0${mode.toString(8)} ${links} ${uid}:${gid} ${size} ${blocks} ${specialDevice.toString(16)}${flags}`;
  }

  *#list(fd: number): Generator<void, string> {
    let text = '[';
    for (;;) {
      const n = yield* this.#p.syscall(LinuxCall.getdents64, fd, this.#buffer, 512);
      if (n <= 0) return `${text} ] ${n}`;
      for (const { name, type } of readEntries(yield* this.#bytes(n))) text += ` ${name}:${type}`;
    }
  }

  *#lock([fd, command, type, whence, start, length]: readonly number[]): Generator<void, string> {
    const p = this.#p;
    const at = this.#buffer;
    yield* p.store64(at, (type as number) + (whence as number) * 0x1_0000);
    yield* p.store64(at + 8, start as number);
    yield* p.store64(at + 16, length as number);
    yield* p.store64(at + 24, 0);
    const result = yield* p.fcntl(fd as number, command as number, at);
    if (result !== 0 || (command !== Fcntl.GETLK && command !== Fcntl.OFD_GETLK)) return String(result);
    const found = yield* p.load16(at);
    return `0 ${found} ${yield* p.load16(at + 2)} ${yield* p.load64(at + 8)} ${yield* p.load64(at + 16)}`;
  }
}
