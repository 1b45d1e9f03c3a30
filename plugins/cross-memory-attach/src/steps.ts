import { defineSteps } from '@rpal/hw-x86';

/** What a call takes beyond the pages and their bytes, which are charged as those of process_vm_readv. @public for meters that ask what a step costs */
export const CopyStep = defineSteps('@rpal/cross-memory-attach', {
  /** One call: the process is looked up, its memory held, the permission checked, the area found under the lock. */
  call: {
    cause: 'process',
    mode: 'kernel',
    instructions: [1100, 1400, 1675],
    events: { lockedOp: 11, repString: 2 },
    source: 'process_vm_readv itself (997) and its one piece there (678), both counted, less the import of two arrays of pieces',
    status: 'estimated',
  },
});
