import { type Call, ProgramBase, requireVector } from '@rpal/kernel';
import { LinuxCall } from '@rpal/uapi';
import type { IoVec } from '@rpal/vfs';

/** Memory of another process. @public for who registers the family without the plugin */
export class ProcessVmCalls extends ProgramBase {
  /** process_vm_readv: memory of another process into this one's. */
  processVmReadv(pid: number, local: readonly IoVec[], remote: readonly IoVec[]): Call {
    this.context.args.header = {
      segments: requireVector(this.context, 'processVmReadv', local),
      remote: requireVector(this.context, 'processVmReadv', remote),
    };
    return this.syscall(LinuxCall.process_vm_readv, pid);
  }

  processVmWritev(pid: number, local: readonly IoVec[], remote: readonly IoVec[]): Call {
    this.context.args.header = {
      segments: requireVector(this.context, 'processVmWritev', local),
      remote: requireVector(this.context, 'processVmWritev', remote),
    };
    return this.syscall(LinuxCall.process_vm_writev, pid);
  }
}
