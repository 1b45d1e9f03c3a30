import { randomBytes } from 'node:crypto';
import { accessSync, constants, lstatSync, readlinkSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Io } from './io.js';
import { UsageError } from './usage.js';

/**
 * A file that a command will write when it is done: it appears whole or not at all. Whether it can be written is found out
 * at the beginning, without leaving anything behind.
 */
export class OutputFile {
  /** How the user gave it. */
  readonly flag: string;
  readonly path: string;
  /** False for a device or a pipe, which is written to in place. */
  readonly replaceable: boolean;

  /** @throws UsageError if a file of that name cannot be written */
  constructor(flag: string, path: string) {
    this.flag = flag;
    try {
      this.path = followed(resolve(path));
      const target = statSync(this.path, { throwIfNoEntry: false });
      if (target?.isDirectory() === true) throw new UsageError('it is a directory');
      this.replaceable = target?.isFile() ?? true;
      if (target !== undefined) accessSync(this.path, constants.W_OK);
      if (this.replaceable) {
        const probe = this.#temporary();
        writeFileSync(probe, '', { flag: 'wx' });
        rmSync(probe);
      }
    } catch (error) {
      throw new UsageError(`${flag} takes the name of a file that can be written; "${path}" cannot: ${reasonOf(error)}`);
    }
  }

  /** @throws Error that names the file, if the disk is full or the like */
  write(text: string | Uint8Array): void {
    try {
      if (this.replaceable) this.#replace(text);
      else writeFileSync(this.path, text);
    } catch (error) {
      throw new Error(`${this.flag}: "${this.path}" could not be written: ${reasonOf(error)}`, { cause: error });
    }
  }

  #replace(text: string | Uint8Array): void {
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

/** Where links lead, also where nothing is yet: a link whose file is missing has it made, as a shell's > does. */
function followed(path: string): string {
  const target = statSync(path, { throwIfNoEntry: false });
  // What a link such as /dev/stdout leads to may have no path of its own.
  if (target !== undefined) return target.isFile() ? realpathSync(path) : path;
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  return isLink ? followed(resolve(dirname(path), readlinkSync(path))) : path;
}

/** A file, what may be one, or nothing. */
type Written = { readonly file: OutputFile | null } | OutputFile | null | undefined;

function filesOf(outputs: readonly Written[]): readonly OutputFile[] {
  return outputs.map((output) => (output instanceof OutputFile ? output : output?.file)).filter((file) => file instanceof OutputFile);
}

/** The last line of a command that writes files. @param found what it has come to, a few words */
export function tellWritten({ stderr }: Pick<Io, 'stderr'>, found: string, ...outputs: readonly Written[]): void {
  const paths = filesOf(outputs).map(({ path }) => path);
  if (paths.length > 0) stderr.write(`${found}; wrote ${paths.join(' and ')}\n`);
}

/** @throws UsageError if two outputs of a command are one file, of which only the last would be left */
export function checkApart(...outputs: readonly Written[]): void {
  const flags = new Map<string, string>();
  for (const file of filesOf(outputs)) {
    if (!file.replaceable) continue;
    const other = flags.get(file.path);
    if (other !== undefined) throw new UsageError(`${other} and ${file.flag} are both to be written to ${file.path}; name two files`);
    flags.set(file.path, file.flag);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its directory does not exist',
  ENOTDIR: 'a part of its path is not a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'the name is too long',
};

/** Why something could not be written, for people. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ''] ?? message;
}
