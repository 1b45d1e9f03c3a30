import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '../process/thread.js';
import type { Kernel } from './kernel.js';
import type { UserContext } from './user-context.js';

/** A system call: arguments are in the context's registers. @returns its result, or what `Pending` says if it goes on later */
export type Handler = (kernel: Kernel, cpu: Cpu, thread: Thread, regs: UserContext) => number;

/** System calls by number. */
export type SyscallTable = (Handler | undefined)[];
