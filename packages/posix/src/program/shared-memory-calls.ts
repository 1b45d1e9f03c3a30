import { type Call, ProgramBase } from '@rpal/kernel';
import { LinuxCall } from '@rpal/uapi';

/** System V shared memory. @public for who registers the family without the plugin */
export class SharedMemoryCalls extends ProgramBase {
  /** @param flags `Ipc` bits and rights @returns an identifier */
  shmget(key: number, bytes: number, flags: number): Call {
    return this.syscall(LinuxCall.shmget, key, bytes, flags);
  }

  /** @param flags `Shm` bits @returns the address */
  shmat(id: number, address = 0, flags = 0): Call {
    return this.syscall(LinuxCall.shmat, id, address, flags);
  }

  shmdt(address: number): Call {
    return this.syscall(LinuxCall.shmdt, address);
  }

  /** @param command of `Ipc` or `Shm` @param buffer room for a struct shmid_ds, 112 bytes */
  shmctl(id: number, command: number, buffer = 0): Call {
    return this.syscall(LinuxCall.shmctl, id, command, buffer);
  }
}
