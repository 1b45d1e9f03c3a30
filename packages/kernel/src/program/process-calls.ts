import type { Image } from '../process/image.js';
import { SyscallNumber } from '../process/syscall-numbers.js';
import type { Call } from './call.js';
import { type Main, requireMain } from './main.js';
import { ProgramBase } from './program-base.js';
import { requireImage } from './require-image.js';

/** The life of processes and threads: fork, exec, clone, wait; who they are, and their limits. */
export class ProcessCalls extends ProgramBase {
  /** A child process that runs `child` in a copy of this one's memory. @returns its pid, or a negative errno */
  fork(child: Main): Call {
    requireMain(`the child of ${this.context.thread.process.name}`, child);
    this.context.childMain = child;
    return this.syscall(SyscallNumber.fork);
  }

  /**
   * Replaces the program of this process. Returns only with a negative errno.
   * @param image the program; or the path of one, on a machine with a file system
   */
  exec(image: Image | string): Call {
    if (typeof image !== 'string') requireImage('exec', image);
    this.context.args.program = image;
    return this.syscall(SyscallNumber.execve);
  }

  /** A thread of this process that runs `main`. @returns its thread id, or a negative errno */
  clone(main: Main): Call {
    requireMain(`the thread of ${this.context.thread.process.name}`, main);
    this.context.childMain = main;
    return this.syscall(SyscallNumber.clone);
  }

  /** Waits for a child (-1: any). @param options `WaitOption` bits @returns its pid; the status (`sys/wait.h`) is `second` */
  wait(pid = -1, options = 0): Call {
    return this.syscall(SyscallNumber.wait4, pid, 0, options);
  }

  exit(status: number): Call {
    return this.syscall(SyscallNumber.exit_group, status);
  }

  getpid(): Call {
    return this.syscall(SyscallNumber.getpid);
  }

  gettid(): Call {
    return this.syscall(SyscallNumber.gettid);
  }

  getppid(): Call {
    return this.syscall(SyscallNumber.getppid);
  }

  getuid(): Call {
    return this.syscall(SyscallNumber.getuid);
  }

  /** Only root may take a user id other than its own. */
  setuid(uid: number): Call {
    return this.syscall(SyscallNumber.setuid, uid);
  }

  /**
   * prlimit: a limit of a process. @param resource `Rlimit` @param limit the soft limit; negative: only asks @param pid 0 for the caller
   * @param hard negative: as the soft one @returns the soft limit until now; the hard one is `second`
   */
  prlimit(resource: number, limit = -1, pid = 0, hard = -1): Call {
    return this.syscall(SyscallNumber.prlimit64, pid, resource, limit, hard);
  }
}
