import { type Cpu, PAGE_SIZE } from '@rpal/hw-x86';
import { MemFd } from '@rpal/ipc';
import { bytesOf, GuestArguments, KernelStep, type SyscallHandler, UserBuffer } from '@rpal/kernel';
import { MappedFile, MemoryFile, type MmStruct, mmap, type Vma, VmFlag } from '@rpal/mm';
import { Errno, Fcntl, MapFlag, OpenFlag, Prot } from '@rpal/uapi';
import type { Caller } from '@rpal/vfs';
import type { Calls } from '../calls.js';

/** What may not be done any more (include/uapi/linux/fcntl.h). */
const Seal = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 0x10, EXEC: 0x20 } as const;
const ALL = 0x3f;
const WRITES = Seal.WRITE | Seal.FUTURE_WRITE;
const GET_SEALS = 1034;
/** Flags of memfd_create. */
const Flag = { CLOEXEC: 1, ALLOW_SEALING: 2, NOEXEC_SEAL: 8, EXEC: 0x10 } as const;
const KNOWN = 0x1b;
/** Longest name: with `memfd:` before it, that of a file. */
const NAME_MAX = 249;
const EXECUTABLE = 0o111;

/** A file in memory as mappings know it: those that may write to it are counted. */
class CountedFile extends MappedFile {
  writers = 0;

  override mapped(change: 1 | -1, area: Vma, mm: MmStruct): void {
    super.mapped(change, area, mm);
    const writes = VmFlag.SHARED | VmFlag.MAYWRITE;
    if ((area.flags & writes) === writes) this.writers += change;
  }
}

/** A file of memfd_create, which may be sealed (mm/memfd.c). */
export class SealedMemFd extends MemFd {
  readonly #counted: CountedFile;
  readonly #executable: boolean;
  #seals: number;

  constructor(file: MemoryFile, seals: number, executable: 'executable' | 'data') {
    const counted = new CountedFile(file);
    super(file, OpenFlag.RDWR, counted);
    this.#counted = counted;
    this.#seals = seals;
    this.#executable = executable === 'executable';
  }

  override get mode(): number {
    return this.#executable ? super.mode : super.mode & ~EXECUTABLE;
  }

  override fcntl(cpu: Cpu, caller: Caller, command: number, argument: number): number {
    if (command === GET_SEALS) return this.#seals;
    return command === Fcntl.ADD_SEALS ? this.#add(argument) : super.fcntl(cpu, caller, command, argument);
  }

  /** memfd_add_seals. */
  #add(argument: number): number {
    let seals = argument >>> 0;
    if ((seals & ~ALL) !== 0) return -Errno.EINVAL;
    if ((this.#seals & Seal.SEAL) !== 0) return -Errno.EPERM;
    // What cannot be made executable any more, and is, can neither be changed.
    if ((seals & Seal.EXEC) !== 0 && this.#executable) seals |= Seal.SHRINK | Seal.GROW | WRITES;
    if ((seals & Seal.WRITE) !== 0 && (this.#seals & Seal.WRITE) === 0 && this.#counted.writers > 0) return -Errno.EBUSY;
    this.#seals |= seals;
    return 0;
  }

  override writeAt(cpu: Cpu, caller: Caller, address: number, length: number, offset: number): number {
    if (this.#seals === 0 || length === 0 || offset < 0) return super.writeAt(cpu, caller, address, length, offset);
    if ((this.#seals & WRITES) !== 0) return -Errno.EPERM;
    const at = this.appends ? this.size : offset;
    if ((this.#seals & Seal.GROW) === 0 || at + length <= this.size) return super.writeAt(cpu, caller, address, length, offset);
    // It is written page by page, as far as none of them reaches beyond the end.
    const whole = Math.floor(this.size / PAGE_SIZE) * PAGE_SIZE - at;
    return whole > 0 ? super.writeAt(cpu, caller, address, whole, offset) : -Errno.EPERM;
  }

  override storeBytes(cpu: Cpu, caller: Caller, bytes: Uint8Array, offset: number): number {
    const grows = offset + bytes.length > this.size;
    if ((this.#seals & WRITES) !== 0 || (grows && (this.#seals & Seal.GROW) !== 0)) return -Errno.EPERM;
    return super.storeBytes(cpu, caller, bytes, offset);
  }

  override refusesRange(what: 'hole' | 'room', end: number): number {
    const sealed = what === 'hole' ? WRITES : end > this.size ? Seal.GROW : 0;
    return (this.#seals & sealed) !== 0 ? -Errno.EPERM : 0;
  }

  override truncate(cpu: Cpu, caller: Caller, size: number): number {
    const sealed = size < this.size ? Seal.SHRINK : size > this.size ? Seal.GROW : 0;
    return (this.#seals & sealed) !== 0 ? -Errno.EPERM : super.truncate(cpu, caller, size);
  }

  override mmap(cpu: Cpu, caller: Caller, hint: number, length: number, prot: number, flags: number, offset: number): number {
    const shared = (flags & MapFlag.TYPE) !== MapFlag.PRIVATE;
    if (!shared || (this.#seals & WRITES) === 0) return super.mmap(cpu, caller, hint, length, prot, flags, offset);
    if ((prot & Prot.WRITE) !== 0) return -Errno.EPERM;
    // What can be read only now can never be written.
    return mmap(cpu, caller.memory, hint, length, prot, flags, {
      object: new MappedFile(this.file, OpenFlag.RDONLY),
      offset: offset / PAGE_SIZE,
    });
  }
}

/** memfd_create(2), with seals. */
export function defineSealedMemory(calls: Calls): void {
  const { memory } = calls.kernel;
  const character = new UserBuffer(1);

  calls.extend(
    'memfd_create',
    (_inner: SyscallHandler): SyscallHandler =>
      (cpu, thread, { args, a0: address, a1 }) => {
        const flags = a1 >>> 0;
        if ((flags & ~KNOWN) !== 0) return -Errno.EINVAL;
        if ((flags & Flag.EXEC) !== 0 && (flags & Flag.NOEXEC_SEAL) !== 0) return -Errno.EINVAL;
        let name = '';
        if (args instanceof GuestArguments) {
          // No more of the name is looked at than it may have.
          for (;;) {
            if (character.load(cpu, thread, address + name.length, 1) < 0) return -Errno.EFAULT;
            const byte = character.bytes(0, 1);
            if (byte === '\0') break;
            name += byte;
            if (name.length > NAME_MAX) return -Errno.EINVAL;
          }
        } else {
          const given = args.string(cpu, thread, address);
          if (typeof given === 'number') return given;
          name = bytesOf(given);
          if (name.length > NAME_MAX) return -Errno.EINVAL;
        }
        cpu.charge(KernelStep.openFile);
        const noExec = (flags & Flag.NOEXEC_SEAL) !== 0;
        const seals = noExec ? Seal.EXEC : (flags & Flag.ALLOW_SEALING) !== 0 ? 0 : Seal.SEAL;
        const file = new SealedMemFd(new MemoryFile(memory, `/memfd:${name} (deleted)`), seals, noExec ? 'data' : 'executable');
        return thread.process.files.install(cpu, file, (flags & Flag.CLOEXEC) !== 0 ? OpenFlag.CLOEXEC : 0);
      },
    { missing: 'MFD_HUGETLB is EINVAL' },
  );
}
