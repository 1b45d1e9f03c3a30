import type { Cpu } from '@rpal/hw-x86';
import type { Thread } from '../process/thread.js';
import { SyscallNumber as Nr } from './syscall-numbers.js';
import type { UserContext } from './user-context.js';

/** Calls that may sleep on the file behind their first argument, by number. */
const ON_A_FILE: ReadonlySet<number> = new Set<number>([
  Nr.read,
  Nr.write,
  Nr.readv,
  Nr.writev,
  Nr.splice,
  Nr.tee,
  Nr.vmsplice,
  Nr.connect,
  Nr.accept,
  Nr.accept4,
  Nr.sendto,
  Nr.recvfrom,
  Nr.sendmsg,
  Nr.recvmsg,
  Nr.epoll_wait,
  Nr.epoll_pwait2,
  Nr.mq_timedsend,
  Nr.mq_timedreceive,
]);

/**
 * A call sleeps: the file it is about stays open though another thread may close the descriptor meanwhile. Without other
 * threads nobody could (Linux: `fdget` takes a reference only if the table is shared).
 */
export function holdFile(thread: Thread, { nr, a0, a1, a2 }: UserContext): void {
  if (thread.process.threads.length === 1 || thread.held !== null || !ON_A_FILE.has(nr)) return;
  const { files } = thread.process;
  thread.held = files.peek(a0)?.get() ?? null;
  if (nr === Nr.splice || nr === Nr.tee) thread.heldTarget = files.peek(nr === Nr.splice ? a2 : a1)?.get() ?? null;
}

export function releaseFile(cpu: Cpu, thread: Thread): void {
  const { held, heldTarget } = thread;
  thread.held = null;
  thread.heldTarget = null;
  heldTarget?.put(cpu);
  held?.put(cpu);
}
