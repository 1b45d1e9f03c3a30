import type { Process } from '@rpal/kernel';
import type { Dentry } from './dentry.js';

/** Where a process is in the tree (Linux: `struct fs_struct`). Its threads share it. */
export class FsContext {
  root: Dentry;
  directory: Dentry;
  umask: number;

  constructor(root: Dentry, directory: Dentry, umask: number) {
    this.root = root;
    this.directory = directory;
    this.umask = umask;
  }
}

const DEFAULT_UMASK = 0o022;

/** The contexts of a machine's processes. */
export class FsContexts {
  readonly #root: Dentry;
  readonly #contexts: WeakMap<Process, FsContext> = new WeakMap();

  constructor(root: Dentry) {
    this.#root = root;
  }

  of(process: Process): FsContext {
    let context = this.#contexts.get(process);
    if (context === undefined) {
      context = new FsContext(this.#root, this.#root, DEFAULT_UMASK);
      this.#contexts.set(process, context);
    }
    return context;
  }

  /** A process has been forked. */
  inherit(parent: Process, child: Process): void {
    const { root, directory, umask } = this.of(parent);
    this.#contexts.set(child, new FsContext(root, directory, umask));
  }
}
