import { defineSteps, type StepSources } from '@rpal/hw-x86';

const COUNTED = 'instructions counted on Linux 6.12.95, mitigations off (a core with eIBRS takes the same path)';

/** Steps of epoll. Each is one step of the counted operation named in its source. */
export const EpollStep = defineSteps('@rpal/epoll', {
  pollCallback: {
    cause: 'epoll',
    status: 'counted',
    instructions: 120,
    events: { lockedOp: 1 },
  },
  pollCallbackFiltered: {
    cause: 'epoll',
    status: 'counted',
    instructions: 57,
    events: { lockedOp: 1 },
  },
  epollWaitBody: { cause: 'epoll', status: 'counted', instructions: 130 },
  epollSendEvents: {
    cause: 'epoll',
    status: 'counted',
    instructions: 250,
    events: { lockedOp: 4 },
  },
  epollBlock: {
    cause: 'epoll',
    status: 'counted',
    instructions: 304,
    events: { lockedOp: 5 },
  },
  epollAdd: {
    cause: 'epoll',
    status: 'counted',
    instructions: 957,
    events: { lockedOp: 8 },
  },
  epollModify: {
    cause: 'epoll',
    status: 'counted',
    instructions: 242,
    events: { lockedOp: 3 },
  },
  epollDelete: {
    cause: 'epoll',
    status: 'counted',
    instructions: 750,
    events: { lockedOp: 11 },
  },
  epollCreate: {
    cause: 'epoll',
    status: 'counted',
    instructions: 1430,
    events: { lockedOp: 10 },
  },
});

/** Where the numbers come from. */
export const EpollStepSources: StepSources<typeof EpollStep> = {
  pollCallback: `${COUNTED}: ep_poll_callback that queues its item`,
  pollCallbackFiltered: `${COUNTED}: ep_poll_callback that finds its item not concerned`,
  epollWaitBody: `${COUNTED}: epoll_wait, nothing ready, body`,
  epollSendEvents: `${COUNTED}: epoll_wait, one ready, what it has beyond nothing ready`,
  epollBlock: `${COUNTED}: epoll_wait that blocks, what it has beyond one ready`,
  epollAdd: `${COUNTED}: epoll_ctl ADD, all but entry, dispatch, lookup, item poll, wait entry and return`,
  epollModify: `${COUNTED}: epoll_ctl MOD, likewise`,
  epollDelete: `${COUNTED}: epoll_ctl DEL, likewise`,
  epollCreate: `${COUNTED}: epoll_create1, all but entry, descriptor and return`,
};
