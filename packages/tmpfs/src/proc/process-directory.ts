import { PipeEnd, UnixSocket } from '@rpal/ipc';
import type { Process, Thread } from '@rpal/kernel';
import { Errno, FileMode } from '@rpal/uapi';
import type { File } from '@rpal/vfs';
import type { Cgroup, CgroupHierarchy } from '../cgroup/cgroup.js';
import { namelessInode } from '../tree/anonymous.js';
import { type Dentry, shownPath } from '../tree/dentry.js';
import type { FileTree } from '../tree/file-tree.js';
import type { Inode, InodeFields } from '../tree/inode.js';
import type { SuperBlock } from '../tree/super-block.js';
import { dentryOf } from '../walk/path-walk.js';
import { memoryInode } from './memory-file.js';
import { fdInfo, PROC_FILES } from './proc-files.js';
import { type Contents, contentsOf, ProcDirectory, ProcLink, procFile } from './proc-inodes.js';
import { type ShownThread, THREAD_FILES } from './process-status.js';

/** Bytes of a name in /proc/PID/comm, without the zero (TASK_COMM_LEN). */
const COMM = 15;

/** Makes the inodes of a process in /proc. */
export class ProcessDirectory {
  readonly #tree: FileTree;
  readonly #fs: SuperBlock;
  readonly #cgroups: CgroupHierarchy;

  constructor(tree: FileTree, fs: SuperBlock, cgroups: CgroupHierarchy) {
    this.#tree = tree;
    this.#fs = fs;
    this.#cgroups = cgroups;
  }

  /** /proc/PID. */
  of(process: Process): Inode {
    const tree = this.#tree;
    const file = (text: () => string | number) => () => procFile(this.#fields(process, FileMode.REGULAR | 0o444), text);
    const link = (to: () => Dentry | null) => () => new ProcLink(this.#fields(process, FileMode.SYMLINK), () => this.#shown(to()), to);
    const texts = Object.entries(PROC_FILES).map(([name, text]) => [name, file(() => text(process))] as const);
    const ofThread = (thread: () => Thread | undefined, scope: ShownThread['scope']) =>
      Object.fromEntries(
        Object.entries(THREAD_FILES).map(([name, text]) => [
          name,
          file(() => text({ process, thread: thread(), scope, umask: tree.contexts.of(process).umask })),
        ]),
      );
    /** The name of a thread, which may be written. */
    const comm = (of: () => Thread | undefined) => () =>
      procFile(
        this.#fields(process, FileMode.REGULAR | 0o644),
        () => `${(of()?.name ?? process.name).slice(0, COMM)}\n`,
        (text) => {
          const thread = of();
          if (thread !== undefined) thread.name = text.replace(/\n$/, '').slice(0, COMM);
        },
      );
    return this.#directory(
      process,
      0o555,
      contentsOf({
        ...Object.fromEntries(texts),
        ...ofThread(() => process.threads[0], 'process'),
        comm: comm(() => process.threads[0]),
        cmdline: file(() => (process.exit === null ? `${process.name}\0` : '')),
        mounts: file(() => mountsOf(tree)),
        mountinfo: file(() => mountInfo(tree)),
        cgroup: file(() => `0::${placeOf(this.#cgroups.of(process))}\n`),
        mem: () => memoryInode(this.#fields(process, FileMode.REGULAR | 0o600), process),
        oom_score_adj: file(() => '0\n'),
        exe: link(() => tree.executables.get(process) ?? null),
        cwd: link(() => tree.contexts.of(process).directory),
        root: link(() => tree.contexts.of(process).root),
        fd: () =>
          this.#directory(
            process,
            0o500,
            this.#descriptors(process, (fd) => this.#descriptor(process, fd)),
          ),
        fdinfo: () =>
          this.#directory(
            process,
            0o555,
            this.#descriptors(process, (fd) =>
              procFile(this.#fields(process, FileMode.REGULAR | 0o444), () => fdInfo(process, fd) ?? -Errno.ENOENT),
            ),
          ),
        task: () =>
          this.#directory(process, 0o555, {
            names: () => process.threads.map(({ pid }) => String(pid)),
            has: (name) => process.threads.some(({ pid }) => String(pid) === name),
            make: (name) => {
              const thread = () => process.threads.find(({ pid }) => String(pid) === name);
              return this.#directory(process, 0o555, contentsOf({ ...ofThread(thread, 'thread'), comm: comm(thread) }));
            },
          }),
      }),
    );
  }

  #descriptors({ files }: Process, make: (fd: number) => Inode): Contents {
    const numbers = () => Array.from({ length: files.limit }, (_, fd) => fd).filter((fd) => files.peek(fd) !== null);
    return {
      names: () => numbers().map(String),
      has: (name) => /^(0|[1-9]\d*)$/.test(name) && files.peek(Number(name)) !== null,
      make: (name) => make(Number(name)),
    };
  }

  #descriptor(process: Process, fd: number): Inode {
    const file = () => process.files.peek(fd);
    const place = () => {
      const open = file();
      return open === null ? null : dentryOf(open);
    };
    return new ProcLink(
      this.#fields(process, FileMode.SYMLINK),
      () => {
        const open = file();
        if (open === null) return -Errno.ENOENT;
        const at = dentryOf(open);
        return at === null ? nameOf(this.#tree, open) : this.#shown(at);
      },
      place,
    );
  }

  #shown(dentry: Dentry | null): string | number {
    return dentry === null ? -Errno.ENOENT : shownPath(dentry, this.#tree.root);
  }

  #directory(process: Process, mode: number, contents: Contents): ProcDirectory {
    return new ProcDirectory(this.#fields(process, FileMode.DIRECTORY | mode), contents);
  }

  #fields({ credentials: { euid, egid } }: Process, mode: number): InodeFields {
    return { fs: this.#fs, mode, uid: euid, gid: egid, time: this.#tree.bootTime };
  }
}

function placeOf({ path, dead }: Cgroup): string {
  return dead ? `${path} (deleted)` : path;
}

/** What stands for a file without a name. */
function nameOf(tree: FileTree, file: File): string {
  if (file instanceof PipeEnd) return `pipe:[${namelessInode(tree, file).number}]`;
  if (file instanceof UnixSocket) return `socket:[${namelessInode(tree, file).number}]`;
  return `anon_inode:[${file.constructor.name.toLowerCase()}]`;
}

/** /proc/PID/mountinfo: its number, that of the mount above it, device, what of it is mounted where, and how. */
function mountInfo(tree: FileTree): string {
  const line = (id: number, above: number, device: number, path: string, type: string) =>
    `${id} ${above} 0:${device} / ${path} rw,relatime - ${type} ${type} rw\n`;
  const first = tree.fs.device;
  return (
    line(first, first, first, '/', tree.fs.type) +
    tree.mounts.map(({ path, type, device }) => line(device, first, device, path, type)).join('')
  );
}

/** /proc/PID/mounts. */
export function mountsOf(tree: FileTree): string {
  return `tmpfs / tmpfs rw,relatime 0 0\n${tree.mounts.map(({ path, type }) => `${type} ${path} ${type} rw,relatime 0 0\n`).join('')}`;
}
