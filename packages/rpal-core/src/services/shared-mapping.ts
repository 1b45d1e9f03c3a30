/** Pages that a service and the kernel both reach (patch 07), as the service and its registered threads know them. */
export interface SharedMapping {
  readonly pages: number;
  /** Address of the mapping in the service's address space. */
  readonly userStart: number;
  /** Threads registered with a record in here, and the mapping itself. */
  references: number;
  /** True if `address` lies within. */
  holds(address: number): boolean;
  /** True if `bytes` bytes from `address` lie within. */
  contains(address: number, bytes: number): boolean;
  /** Physical address behind a user address of the mapping. */
  physical(address: number): number;
  /** Frame number of the page at `offset` pages from the start, -1 beyond the end. */
  frame(offset: number): number;
  /** A thread with a record in here has unregistered. */
  unregister(): void;
}
