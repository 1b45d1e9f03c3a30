import { defineSteps, type StepSources } from '@rpal/hw-x86';

const COUNTED = 'instructions counted on Linux 6.12.95, mitigations off (a core with eIBRS takes the same path)';

/** Steps of files, descriptors, user copies and poll. Each is one step of the counted operation named in its source. */
export const VfsStep = defineSteps('@rpal/vfs', {
  fdLookup: { cause: 'entry', instructions: 32, status: 'counted' },
  fileLayer: {
    cause: 'socket',
    instructions: 213,
    events: { repString: 1 },
    status: 'counted',
  },
  security: { cause: 'socket', instructions: 268, status: 'counted' },
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
  fileClose: {
    cause: 'socket',
    instructions: [600, 1200, 2500],
    events: { lockedOp: 8 },
    status: 'estimated',
  },
  fdInstall: {
    cause: 'entry',
    instructions: [80, 120, 200],
    events: { lockedOp: 2 },
    status: 'estimated',
  },
  messageHeader: {
    cause: 'socket',
    instructions: [150, 250, 400],
    status: 'estimated',
  },
  callSecurity: {
    cause: 'socket',
    instructions: 131,
    status: 'counted',
  },
  pollBody: {
    cause: 'epoll',
    instructions: [120, 200, 350],
    status: 'estimated',
  },
  filePoll: {
    cause: 'epoll',
    instructions: [60, 90, 132],
    events: { lockedOp: 1 },
    status: 'estimated',
  },
  itemPoll: {
    cause: 'epoll',
    instructions: 132,
    events: { lockedOp: 1 },
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
  fileClose: 'filp_close, fput, release of a socket or epoll file',
  fdInstall: 'alloc_fd and fd_install',
  messageHeader: 'copy_msghdr_from_user, import_iovec, scm_send or scm_recv',
  callSecurity: `${COUNTED}: pipe and eventfd round trips, security hooks (AppArmor), per call`,
  pollBody: 'do_sys_poll: copies and loop around the poll methods',
  filePoll: 'ep_item_poll and the poll method of a pipe, eventfd or timerfd; upper end: that of a socket',
  itemPoll: `${COUNTED}: ep_item_poll, sock_poll, unix_poll, per item`,
};
