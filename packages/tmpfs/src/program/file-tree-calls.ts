import { type Call, ProgramBase, requireText, SECOND_TEXT } from '@rpal/kernel';
import { At, LinuxCall } from '@rpal/uapi';
import type { IoVec } from '@rpal/vfs';

/**
 * The calls on paths that a program has on a machine with a file system. Structures, where a call fills one or reads one, lie in the
 * program's memory, laid out as on x86-64; `readStat` and its like take them apart.
 * @public for programs
 */
export class FileTreeCalls extends ProgramBase {
  /** @param fd a directory, or `At.FDCWD` @param mode of a file that is made */
  openat(fd: number, path: string, flags: number, mode = 0): Call {
    return onPath(this, 'openat', LinuxCall.openat, path, fd, 0, flags, mode);
  }

  creat(path: string, mode: number): Call {
    return onPath(this, 'creat', LinuxCall.creat, path, 0, mode);
  }

  mkdir(path: string, mode: number, fd: number = At.FDCWD): Call {
    return onPath(this, 'mkdir', LinuxCall.mkdirat, path, fd, 0, mode);
  }

  rmdir(path: string, fd: number = At.FDCWD): Call {
    return onPath(this, 'rmdir', LinuxCall.unlinkat, path, fd, 0, At.REMOVEDIR);
  }

  /** @param flags `At.REMOVEDIR`, or 0 */
  unlinkat(fd: number, path: string, flags = 0): Call {
    return onPath(this, 'unlinkat', LinuxCall.unlinkat, path, fd, 0, flags);
  }

  /** @param mode type (`FileMode`) and permissions @param device of a device, its number */
  mknod(path: string, mode: number, device = 0, fd: number = At.FDCWD): Call {
    return onPath(this, 'mknod', LinuxCall.mknodat, path, fd, 0, mode, device);
  }

  /** @param flags `At.SYMLINK_FOLLOW` */
  link(path: string, newPath: string, flags = 0, fd: number = At.FDCWD, newFd: number = At.FDCWD): Call {
    second(this, 'link', newPath);
    return onPath(this, 'link', LinuxCall.linkat, path, fd, 0, newFd, SECOND_TEXT, flags);
  }

  symlink(target: string, path: string, fd: number = At.FDCWD): Call {
    second(this, 'symlink', path);
    return onPath(this, 'symlink', LinuxCall.symlinkat, target, 0, fd, SECOND_TEXT);
  }

  /** @param flags `RenameFlag` bits */
  rename(path: string, newPath: string, flags = 0, fd: number = At.FDCWD, newFd: number = At.FDCWD): Call {
    second(this, 'rename', newPath);
    return onPath(this, 'rename', LinuxCall.renameat2, path, fd, 0, newFd, SECOND_TEXT, flags);
  }

  /** @returns bytes of the link's text, which has no zero at its end */
  readlink(path: string, buffer: number, bytes: number, fd: number = At.FDCWD): Call {
    return onPath(this, 'readlink', LinuxCall.readlinkat, path, fd, 0, buffer, bytes);
  }

  /** @param stat room for a struct stat, 144 bytes */
  stat(path: string, stat: number): Call {
    return onPath(this, 'stat', LinuxCall.stat, path, 0, stat);
  }

  lstat(path: string, stat: number): Call {
    return onPath(this, 'lstat', LinuxCall.lstat, path, 0, stat);
  }

  fstat(fd: number, stat: number): Call {
    return this.syscall(LinuxCall.fstat, fd, stat);
  }

  /** newfstatat. @param flags `At` bits */
  fstatat(fd: number, path: string, stat: number, flags = 0): Call {
    return onPath(this, 'fstatat', LinuxCall.newfstatat, path, fd, 0, stat, flags);
  }

  /** @param statx room for a struct statx, 256 bytes */
  statx(fd: number, path: string, flags: number, mask: number, statx: number): Call {
    return onPath(this, 'statx', LinuxCall.statx, path, fd, 0, flags, mask, statx);
  }

  /** @param mode `AccessMode` bits @param flags `At.EACCESS`, `At.SYMLINK_NOFOLLOW` */
  access(path: string, mode: number, flags = 0, fd: number = At.FDCWD): Call {
    return onPath(this, 'access', LinuxCall.faccessat2, path, fd, 0, mode, flags);
  }

  /** @param flags `At.SYMLINK_NOFOLLOW` */
  chmod(path: string, mode: number, flags = 0, fd: number = At.FDCWD): Call {
    return onPath(this, 'chmod', LinuxCall.fchmodat2, path, fd, 0, mode, flags);
  }

  fchmod(fd: number, mode: number): Call {
    return this.syscall(LinuxCall.fchmod, fd, mode);
  }

  /** @param uid -1: as it is @param gid likewise */
  chown(path: string, uid: number, gid: number, flags = 0, fd: number = At.FDCWD): Call {
    return onPath(this, 'chown', LinuxCall.fchownat, path, fd, 0, uid, gid, flags);
  }

  fchown(fd: number, uid: number, gid: number): Call {
    return this.syscall(LinuxCall.fchown, fd, uid, gid);
  }

  /** @param times address of two struct timespec, 32 bytes; 0: now */
  utimensat(fd: number, path: string, times: number, flags = 0): Call {
    return onPath(this, 'utimensat', LinuxCall.utimensat, path, fd, 0, times, flags);
  }

  truncate(path: string, size: number): Call {
    return onPath(this, 'truncate', LinuxCall.truncate, path, 0, size);
  }

  /** @param mode `FallocateMode` bits */
  fallocate(fd: number, mode: number, offset: number, length: number): Call {
    return this.syscall(LinuxCall.fallocate, fd, mode, offset, length);
  }

  /** getdents64. @returns bytes of struct linux_dirent64; 0 at the end: see `readEntries` */
  getdents(fd: number, buffer: number, bytes: number): Call {
    return this.syscall(LinuxCall.getdents64, fd, buffer, bytes);
  }

  chdir(path: string): Call {
    return onPath(this, 'chdir', LinuxCall.chdir, path);
  }

  fchdir(fd: number): Call {
    return this.syscall(LinuxCall.fchdir, fd);
  }

  chroot(path: string): Call {
    return onPath(this, 'chroot', LinuxCall.chroot, path);
  }

  /** @returns bytes of the path, with the zero at its end */
  getcwd(buffer: number, bytes: number): Call {
    return this.syscall(LinuxCall.getcwd, buffer, bytes);
  }

  /** @returns the mask until now */
  umask(mask: number): Call {
    return this.syscall(LinuxCall.umask, mask);
  }

  fsync(fd: number): Call {
    return this.syscall(LinuxCall.fsync, fd);
  }

  fdatasync(fd: number): Call {
    return this.syscall(LinuxCall.fdatasync, fd);
  }

  /** @param operation `Flock` bits */
  flock(fd: number, operation: number): Call {
    return this.syscall(LinuxCall.flock, fd, operation);
  }

  /** inotify_init1. @param flags O_NONBLOCK, O_CLOEXEC */
  inotifyInit(flags = 0): Call {
    return this.syscall(LinuxCall.inotify_init1, flags);
  }

  /** @param mask `Inotify` bits @returns the number of the watch */
  inotifyAddWatch(fd: number, path: string, mask: number): Call {
    return onPath(this, 'inotifyAddWatch', LinuxCall.inotify_add_watch, path, fd, 0, mask);
  }

  inotifyRmWatch(fd: number, watch: number): Call {
    return this.syscall(LinuxCall.inotify_rm_watch, fd, watch);
  }

  /** @param offset address of the offset to begin at, which is moved; 0: that of the file */
  sendfile(to: number, from: number, offset: number, count: number): Call {
    return this.syscall(LinuxCall.sendfile, to, from, offset, count);
  }

  /** @param fromOffset address of an offset, or 0 @param toOffset likewise */
  copyFileRange(from: number, fromOffset: number, to: number, toOffset: number, count: number): Call {
    return this.syscall(LinuxCall.copy_file_range, from, fromOffset, to, toOffset, count);
  }

  preadv(fd: number, segments: readonly IoVec[], offset: number): Call {
    this.context.args.header = { segments };
    return this.syscall(LinuxCall.preadv, fd, 0, segments.length, offset);
  }

  pwritev(fd: number, segments: readonly IoVec[], offset: number): Call {
    this.context.args.header = { segments };
    return this.syscall(LinuxCall.pwritev, fd, 0, segments.length, offset);
  }

  /** @param statfs room for a struct statfs, 120 bytes */
  statfs(path: string, statfs: number): Call {
    return onPath(this, 'statfs', LinuxCall.statfs, path, 0, statfs);
  }
}

/** A call whose path stands in the register that has address 0. */
function onPath(program: ProgramBase, call: string, nr: number, path: string, a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0): Call {
  program.context.text = requireText(program.context, call, path);
  return program.syscall(nr, a0, a1, a2, a3, a4);
}

/** The path that `SECOND_TEXT` stands for. */
function second(program: ProgramBase, call: string, path: string): void {
  program.context.args.secondText = requireText(program.context, call, path);
}

declare module '@rpal/kernel' {
  interface Program extends FileTreeCalls {}
}
