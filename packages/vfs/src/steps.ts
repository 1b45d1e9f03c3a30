import { defineSteps, type StepSources } from '@rpal/hw-x86';

const COUNTED = 'instructions counted on Linux 6.12.95, mitigations off (a core with eIBRS takes the same path)';

/** Steps of files, descriptors, user copies and poll. Each is one step of the counted operation named in its source. */
export const VfsStep = defineSteps('@rpal/vfs', {
  fdLookup: { cause: 'entry', status: 'counted', instructions: 32 },
  fileLayer: {
    cause: 'socket',
    status: 'counted',
    instructions: 213,
    events: { indirectCall: 1, repString: 1 },
  },
  security: { cause: 'socket', status: 'counted', instructions: 68, also: { security: { instructions: 200 } } },
  copyFromUser: {
    cause: 'copy',
    status: 'counted',
    instructions: 303,
    perByte: 'copy',
  },
  copyToUser: {
    cause: 'copy',
    status: 'counted',
    instructions: 355,
    perByte: 'copy',
  },
  copyWord: { cause: 'copy', status: 'counted', instructions: 8 },
  copyByte: { cause: 'copy', status: 'counted', instructions: 6 },
  fdClose: { cause: 'entry', status: 'counted', instructions: 170, events: { lockedOp: 3 } },
  fdDrop: { cause: 'entry', status: 'counted', instructions: 99, events: { lockedOp: 2 } },
  fileRelease: { cause: 'socket', status: 'counted', instructions: 629, events: { lockedOp: 6 } },
  anonRelease: { cause: 'socket', status: 'counted', instructions: [590, 690, 780], events: { lockedOp: 4 } },
  fdInstall: { cause: 'entry', status: 'counted', instructions: 240, events: { lockedOp: 2 } },
  messageHeader: {
    cause: 'socket',
    status: 'estimated',
    instructions: [150, 250, 400],
  },
  callSecurity: {
    cause: 'socket',
    status: 'counted',
    instructions: 29,
    also: { security: { instructions: 102 } },
  },
  pollBody: {
    cause: 'epoll',
    status: 'counted',
    instructions: 333,
  },
  filePoll: {
    cause: 'epoll',
    status: 'estimated',
    instructions: [60, 90, 132],
    events: { indirectCall: 1, lockedOp: 1 },
  },
  itemPoll: {
    cause: 'epoll',
    status: 'counted',
    instructions: 132,
    events: { indirectCall: 2, lockedOp: 1 },
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
