import type { Plugin } from '@rpal/bus';
import { exactly, type Program } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import type { Routine } from './mechanism.js';

/** A call by which a process copies from another one's memory into its own (cross-memory attach). */
export interface Attach {
  /** What the machine needs besides Linux. */
  readonly plugins: () => readonly Plugin[];
  /** Copies all of a message. @param pid the process whose memory it is in @throws MachineError CALL_FAILED */
  copy(p: Program, pid: number, from: number, to: number, length: number): Routine;
}

/** process_vm_readv(2), as it has been in Linux since 3.2. */
export const processVmReadv: Attach = {
  plugins: () => [posix()],
  *copy(p, pid, from, to, length) {
    const read = yield* p.processVmReadv(pid, [{ address: to, length }], [{ address: from, length }]);
    exactly('process_vm_readv', read, length);
  },
};
