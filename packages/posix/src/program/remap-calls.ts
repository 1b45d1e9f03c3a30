import { type Call, ProgramBase } from '@rpal/kernel';
import { LinuxCall } from '@rpal/uapi';

/** Mappings that grow, shrink and move. @public for who registers the family without the plugin */
export class RemapCalls extends ProgramBase {
  /** @param target where the mapping goes, with MREMAP_FIXED */
  mremap(address: number, oldLength: number, newLength: number, flags: number, target = 0): Call {
    return this.syscall(LinuxCall.mremap, address, oldLength, newLength, flags, target);
  }
}
