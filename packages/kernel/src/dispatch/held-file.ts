import type { Cpu } from '@rpal/hw-x86';
import type { File } from '@rpal/vfs';
import type { Thread } from '../process/thread.js';
import type { UserContext } from '../process/user-context.js';
import type { SyscallTable } from './syscall-table.js';

/**
 * A call sleeps: its files stay open even if another thread closes their descriptors meanwhile. Without other threads nobody can (Linux:
 * `fdget` takes a reference only if the table is shared).
 */
export function holdFiles(table: SyscallTable, thread: Thread, registers: UserContext): void {
  const { held, process } = thread;
  if (process.threads.length === 1 || held.length > 0) return;
  const call = table.get(registers.nr);
  if (call === undefined) return;
  for (const index of call.holds) {
    const file = process.files.peek(registers.argument(index));
    if (file !== null) held.push(file.get());
  }
}

/** The call is over. */
export function releaseFiles(cpu: Cpu, { held }: Thread): void {
  while (held.length > 0) (held.pop() as File).put(cpu);
}
