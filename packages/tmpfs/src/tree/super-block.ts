/** A mounted file system (Linux: `struct super_block`). */
export class SuperBlock {
  /** As in /proc/filesystems. */
  readonly type: string;
  /** `f_type` of statfs(2). */
  readonly magic: number;
  /** `st_dev` of its files. */
  readonly device: number;
  #inodes = 0;

  constructor(type: string, magic: number, device: number) {
    this.type = type;
    this.magic = magic;
    this.device = device;
  }

  /** Number for a new inode: 1 is the root. */
  nextInode(): number {
    return ++this.#inodes;
  }

  /** Inodes ever made. */
  get inodes(): number {
    return this.#inodes;
  }
}

/** Magic numbers of statfs(2). */
export const FsMagic = { tmpfs: 0x0102_1994, proc: 0x9fa0, cgroup2: 0x6367_7270 } as const;
