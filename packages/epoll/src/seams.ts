import { FirstAnswerHook } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import type { Caller, Operation } from '@rpal/vfs';
import type { EventPoll } from './eventpoll/eventpoll.js';

/** The seams of files and epoll. */
export class EpollSeams {
  readonly hooks = {
    /**
     * epoll_wait begins. A tap may take the call over with an operation of its own. `timeout` in ms, negative: none.
     * @param timeout milliseconds; negative: for ever
     * @cost once per epoll_wait: 1 to 2 per message of an epoll server.
     */
    epollWait: new FirstAnswerHook<[cpu: Cpu, caller: Caller, epoll: EventPoll, timeout: number], Operation>('epollWait'),
  };

  /** An event that comes with a synchronous wake-up wakes epoll waiters synchronously too (Linux 6.13 and later). */
  synchronousWakeUps = true;

  /**
   * The limit on nesting counts the instances above the one that is added to as well as those below what is added. Linux
   * does so since 6.17 and in stable kernels since August 2025; 6.15 counts downwards only.
   */
  nestingCountsUpwards = false;

  /** Files that one user may watch in all (fs.epoll.max_user_watches); beyond is ENOSPC. */
  maxUserWatches: number = Number.POSITIVE_INFINITY;
  /** Files that are watched now. */
  watches = 0;
}

declare module '@rpal/bus' {
  interface Hooks extends EpollHooks {}
}

type EpollHooks = EpollSeams['hooks'];
