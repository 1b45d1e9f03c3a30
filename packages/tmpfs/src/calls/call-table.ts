import type { SyscallDeclaration, SyscallHandler, SyscallTable } from '@rpal/kernel';
import { LinuxCall } from '@rpal/uapi';

/** Defines a call by its name in Linux. */
export type Define = (
  name: keyof typeof LinuxCall,
  handler: SyscallHandler,
  declaration?: Pick<SyscallDeclaration, 'holds' | 'missing' | 'signature'>,
) => void;

/** Defines calls of this package in a machine's table. */
export function definer(table: SyscallTable, plugin: string): Define {
  return (name, handler, declaration = {}) => table.define(LinuxCall[name], handler, { ...declaration, name, plugin });
}
