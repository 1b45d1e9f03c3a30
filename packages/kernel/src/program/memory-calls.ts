import { MapFlag, Prot } from '@rpal/uapi';
import { SyscallNumber } from '../process/syscall-numbers.js';
import type { Call } from './call.js';
import { ProgramBase } from './program-base.js';

/** Memory: mappings, protection keys, the heap, the memory of another process. */
export class MemoryCalls extends ProgramBase {
  mmap(address: number, length: number, prot: number, flags: number, fd = -1, offset = 0): Call {
    return this.syscall(SyscallNumber.mmap, address, length, prot, flags, fd, offset);
  }

  munmap(address: number, length: number): Call {
    return this.syscall(SyscallNumber.munmap, address, length);
  }

  mprotect(address: number, length: number, prot: number): Call {
    return this.syscall(SyscallNumber.mprotect, address, length, prot);
  }

  madvise(address: number, length: number, advice: number): Call {
    return this.syscall(SyscallNumber.madvise, address, length, advice);
  }

  mlock(address: number, length: number): Call {
    return this.syscall(SyscallNumber.mlock, address, length);
  }

  munlock(address: number, length: number): Call {
    return this.syscall(SyscallNumber.munlock, address, length);
  }

  pkeyMprotect(address: number, length: number, prot: number, key: number): Call {
    return this.syscall(SyscallNumber.pkey_mprotect, address, length, prot, key);
  }

  pkeyAlloc(flags: number, rights: number): Call {
    return this.syscall(SyscallNumber.pkey_alloc, flags, rights);
  }

  pkeyFree(key: number): Call {
    return this.syscall(SyscallNumber.pkey_free, key);
  }

  /** The end of the heap; `address` 0 only asks. */
  brk(address: number): Call {
    return this.syscall(SyscallNumber.brk, address);
  }

  /** A fresh private mapping to read and write, of at least `bytes`. */
  allocate(bytes: number): Call {
    return this.mmap(0, bytes, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
  }
}
