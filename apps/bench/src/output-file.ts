import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from './usage.js';

/**
 * A file that a command will write when it is done: it appears whole or not at all. Whether it can be written is found out
 * at the beginning, without leaving anything behind.
 */
export class OutputFile {
  readonly path: string;
  /** False for a device or a pipe, which is written to in place. */
  readonly #replaceable: boolean;

  /** @throws UsageError if a file of that name cannot be written */
  constructor(flag: string, path: string) {
    try {
      this.path = existsSync(path) ? realpathSync(path) : resolve(path);
      const target = statSync(this.path, { throwIfNoEntry: false });
      if (target?.isDirectory() === true) throw new UsageError('it is a directory');
      this.#replaceable = target?.isFile() ?? true;
      if (target !== undefined) accessSync(this.path, constants.W_OK);
      if (this.#replaceable) {
        const probe = this.#temporary();
        writeFileSync(probe, '', { flag: 'wx' });
        rmSync(probe);
      }
    } catch (error) {
      throw new UsageError(`${flag} takes the name of a file that can be written; "${path}" cannot: ${reasonOf(error)}`);
    }
  }

  write(text: string | Uint8Array): void {
    if (!this.#replaceable) {
      writeFileSync(this.path, text);
      return;
    }
    const temporary = this.#temporary();
    try {
      writeFileSync(temporary, text, { flag: 'wx' });
      renameSync(temporary, this.path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  /** A name beside the file: renaming within a directory is atomic. */
  #temporary(): string {
    return join(dirname(this.path), `.${basename(this.path)}.${process.pid}.${randomBytes(4).toString('hex')}`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its directory does not exist',
  ENOTDIR: 'a part of its path is not a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENAMETOOLONG: 'the name is too long',
};

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ''] ?? message;
}
