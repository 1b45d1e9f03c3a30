import type { Cpu } from '@rpal/hw-x86';
import { KernelStep, type SyscallHandler, type Thread } from '@rpal/kernel';
import type { File } from '@rpal/vfs';
import type { Calls } from '../calls.js';

/** A command of ioctl(2) that the kernel answers itself, for any file that takes it. */
export interface IoctlCommand {
  /** Is it for this file? The file itself, or nobody, knows it otherwise. */
  takes(file: File): boolean;
  /** @param address the argument @returns 0 or a negative errno */
  run(cpu: Cpu, thread: Thread, file: File, address: number): number;
}

/** Adds commands to ioctl(2), by number. What was opened with O_PATH takes none. */
export function extendIoctl(calls: Calls, commands: ReadonlyMap<number, IoctlCommand>): void {
  calls.extend(
    'ioctl',
    (inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, registers) => {
        const command = commands.get(registers.a1 >>> 0);
        const { files } = thread.process;
        const file = command === undefined ? null : files.peek(registers.a0);
        if (command === undefined || file === null || file.isPath || !command.takes(file)) return inner(cpu, thread, registers);
        cpu.charge(KernelStep.ioctl);
        files.lookUp(cpu, registers.a0);
        return command.run(cpu, thread, file, registers.a2);
      },
  );
}
