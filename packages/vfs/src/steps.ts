import { defineSteps, type StepSources } from '@rpal/hw-x86';

const COUNTED = 'instructions counted on Linux 6.12.95, mitigations off (a core with eIBRS takes the same path)';

/** Steps of files, descriptors, user copies and poll. Each is one step of the counted operation named in its source. */
export const VfsStep = defineSteps('@rpal/vfs', {
  fdLookup: { cause: 'entry', instructions: 32, status: 'counted' },
  fileLayer: {
    cause: 'socket',
    instructions: 213,
    events: { indirectCall: 1, repString: 1 },
    status: 'counted',
  },
  security: { cause: 'socket', instructions: 68, also: { security: { instructions: 200 } }, status: 'counted' },
  copyFromUser: {
    cause: 'copy',
    instructions: 303,
    perByte: 'copy',
    status: 'counted',
  },
  copyToUser: {
    cause: 'copy',
    instructions: 355,
    perByte: 'copy',
    status: 'counted',
  },
  copyWord: { cause: 'copy', instructions: 8, status: 'counted' },
  copyByte: { cause: 'copy', instructions: 6, status: 'counted' },
  fdClose: { cause: 'entry', instructions: 170, events: { lockedOp: 3 }, status: 'counted' },
  fdDrop: { cause: 'entry', instructions: 99, events: { lockedOp: 2 }, status: 'counted' },
  fileRelease: { cause: 'socket', instructions: 629, events: { lockedOp: 6 }, status: 'counted' },
  anonRelease: { cause: 'socket', instructions: [590, 690, 780], events: { lockedOp: 4 }, status: 'counted' },
  fdInstall: { cause: 'entry', instructions: 240, events: { lockedOp: 2 }, status: 'counted' },
  messageHeader: {
    cause: 'socket',
    instructions: [150, 250, 400],
    status: 'estimated',
  },
  callSecurity: {
    cause: 'socket',
    instructions: 29,
    also: { security: { instructions: 102 } },
    status: 'counted',
  },
  pollBody: {
    cause: 'epoll',
    instructions: 333,
    status: 'counted',
  },
  filePoll: {
    cause: 'epoll',
    instructions: [60, 90, 132],
    events: { indirectCall: 1, lockedOp: 1 },
    status: 'estimated',
  },
  itemPoll: {
    cause: 'epoll',
    instructions: 132,
    events: { indirectCall: 2, lockedOp: 1 },
    status: 'counted',
  },
});

/** Where the numbers come from. */
export const VfsStepSources: StepSources<typeof VfsStep> = {
  fdLookup: `${COUNTED}: fd lookup, per call`,
  fileLayer: `${COUNTED}: vfs_read / vfs_write, per call`,
  security: `${COUNTED}: security hooks (AppArmor), per read or write`,
  copyFromUser: `${COUNTED}: copy from user, per message, without its loops`,
  copyToUser: `${COUNTED}: copy to user, per message, without its loops`,
  copyWord: `${COUNTED}: rep_movs_alternative of less than 64 bytes, per 8 bytes`,
  copyByte: `${COUNTED}: rep_movs_alternative of less than 64 bytes, per byte beyond them`,
  fdClose: `${COUNTED}: close of a duplicate`,
  fdDrop: `${COUNTED}: fork, exit and wait with 50 further descriptors, per descriptor`,
  fileRelease: `${COUNTED}: close of a file in memory less that of a duplicate: __fput`,
  anonRelease: `${COUNTED}: close of an epoll file (590) and of an eventfd (780) less that of a file in memory`,
  fdInstall: `${COUNTED}: dup, alloc_fd and fd_install`,
  messageHeader: 'copy_msghdr_from_user, import_iovec, scm_send or scm_recv',
  callSecurity: `${COUNTED}: pipe and eventfd round trips, security hooks (AppArmor), per call`,
  pollBody: `${COUNTED}: poll of one descriptor without waiting, less the descriptor`,
  filePoll: 'ep_item_poll and the poll method of a pipe, eventfd or timerfd; upper end: that of a socket',
  itemPoll: `${COUNTED}: ep_item_poll, sock_poll, unix_poll, per item`,
};
