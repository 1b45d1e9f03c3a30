import { Capability, type Thread, type UserBuffer } from '@rpal/kernel';
import { Errno, Ipc } from '@rpal/uapi';
import { Cap } from '../identity/capabilities.js';

/** An object of System V IPC: found by a key or an id, owned by its maker. */
export interface IpcObject {
  readonly id: number;
  /** 0: none. */
  readonly key: number;
  /** Rights, as of a file. */
  mode: number;
  uid: number;
  gid: number;
  readonly creatorUid: number;
  readonly creatorGid: number;
}

/** In a command: structures are of their newer form, as they always are on x86-64. */
export const IPC_64 = 0x100;

/** The access that a caller wants to an object. */
export const Right = { READ: 4, WRITE: 2, EXECUTE: 1 } as const;

/** The objects of one kind (ipc/util.c). */
export class IpcTable<T extends IpcObject> {
  readonly #byId = new Map<number, T>();
  readonly #most: number;
  #next = 0;

  /** @param most how many there may be */
  constructor(most: number) {
    this.#most = most;
  }

  get(id: number): T | undefined {
    return this.#byId.get(id);
  }

  get all(): readonly T[] {
    return [...this.#byId.values()];
  }

  /** The last place that is used. Places, which the commands of tools count (IPC_INFO, *_STAT), are ids: none is used again. */
  get last(): number {
    return Math.max(0, ...this.#byId.keys());
  }

  /**
   * semget, msgget and shmget.
   * @param fits 0, or why an object that is there will not do
   * @param make a new one with an id, or why there can be none
   * @returns an id
   */
  open(thread: Thread, key: number, flags: number, fits: (object: T) => number, make: (common: IpcObject) => T | number): number {
    const found = key === Ipc.PRIVATE ? undefined : [...this.#byId.values()].find((object) => object.key === key);
    if (found !== undefined) {
      if ((flags & Ipc.CREAT) !== 0 && (flags & Ipc.EXCL) !== 0) return -Errno.EEXIST;
      const wrong = fits(found);
      if (wrong < 0) return wrong;
      return mayUse(thread, found, rightsOfFlags(flags)) ? found.id : -Errno.EACCES;
    }
    if (key !== Ipc.PRIVATE && (flags & Ipc.CREAT) === 0) return -Errno.ENOENT;
    const { euid, egid } = thread.process.credentials;
    const common = { id: this.#next, key, mode: flags & 0o777, uid: euid, gid: egid, creatorUid: euid, creatorGid: egid };
    const made = make(common);
    if (typeof made === 'number') return made;
    // Whether there is a place for it comes last (Linux: `ipc_addid`).
    if (this.#byId.size >= this.#most) return -Errno.ENOSPC;
    this.#byId.set(made.id, made);
    this.#next++;
    return made.id;
  }

  /** @returns false if it was removed before */
  remove(object: T): boolean {
    return this.#byId.delete(object.id);
  }
}

/** The rights to a known object that the flags of semget, msgget and shmget ask for. */
function rightsOfFlags(flags: number): number {
  return ((flags >> 6) | (flags >> 3) | flags) & 7;
}

/** Linux: `ipcperms`. @param rights of `Right` */
export function mayUse({ process }: Thread, { mode, uid, gid, creatorUid, creatorGid }: IpcObject, rights: number): boolean {
  const { euid, egid, groups } = process.credentials;
  const inGroup = [egid, ...groups].some((group) => group === gid || group === creatorGid);
  const granted = euid === uid || euid === creatorUid ? mode >> 6 : inGroup ? mode >> 3 : mode;
  return (rights & ~granted & 7) === 0 || process.capable(Cap.IPC_OWNER);
}

/** May the caller remove or change it? */
export function mayControl({ process }: Thread, { uid, creatorUid }: IpcObject): boolean {
  const { euid } = process.credentials;
  return euid === uid || euid === creatorUid || process.capable(Capability.SYS_ADMIN);
}

/** Commands of tools such as ipcs: about all objects, and about the one at a place. */
export const IpcInfo = {
  INFO: 3,
  MSG_STAT: 11,
  MSG_INFO: 12,
  MSG_STAT_ANY: 13,
  SHM_STAT: 13,
  SHM_INFO: 14,
  SHM_STAT_ANY: 15,
  SEM_STAT: 18,
  SEM_INFO: 19,
  SEM_STAT_ANY: 20,
} as const;

/** Offsets in `struct ipc64_perm`, with which each status begins. */
export const Perm = { key: 0, uid: 4, gid: 8, creatorUid: 12, creatorGid: 16, mode: 20, bytes: 48 } as const;

/** Begins a status of so many bytes: who owns the object, and zeroes behind it. */
export function layPerm(buffer: UserBuffer, bytes: number, object: IpcObject): UserBuffer {
  return buffer
    .clear(bytes)
    .set32(Perm.key, object.key)
    .set32(Perm.uid, object.uid)
    .set32(Perm.gid, object.gid)
    .set32(Perm.creatorUid, object.creatorUid)
    .set32(Perm.creatorGid, object.creatorGid)
    .set32(Perm.mode, object.mode);
}

/** Of the bits of a mode: what IPC_SET changes. */
const PERMISSIONS = 0o777;

/** What IPC_SET says of who owns it. */
export function takePerm(buffer: UserBuffer, object: IpcObject): void {
  object.uid = buffer.u32(Perm.uid);
  object.gid = buffer.u32(Perm.gid);
  object.mode = (object.mode & ~PERMISSIONS) | (buffer.u32(Perm.mode) & PERMISSIONS);
}
