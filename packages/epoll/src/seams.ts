import { FirstAnswerHook, withMethods } from '@rpal/bus';
import type { Cpu } from '@rpal/hw-x86';
import type { Caller, Operation } from '@rpal/vfs';
import type { EventPoll } from './eventpoll/eventpoll.js';

/** The seams of epoll. */
export class EpollSeams {
  readonly hooks = {
    /**
     * epoll_wait begins. A tap may take the call over with an operation of its own. `timeout` in ms, negative: none.
     * @param timeout milliseconds; negative: for ever
     * @cost once per epoll_wait: 1 to 2 per message of an epoll server.
     */
    epollWait: new FirstAnswerHook<[cpu: Cpu, caller: Caller, epoll: EventPoll, timeout: number], Operation>('epollWait', {
      refuse: withMethods('step'),
    }),
  };
}

declare module '@rpal/bus' {
  interface Hooks extends EpollHooks {}
}

type EpollHooks = EpollSeams['hooks'];
