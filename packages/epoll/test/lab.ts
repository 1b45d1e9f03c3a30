import { SkbPool, UnixNamespace, UnixStreamSocket } from '@rpal/ipc';
import { Lab } from '../../vfs/test/lab.js';
import { type EpollRules, EpollSeams, EventPoll, EventPolls } from '../src/index.js';

/** Epoll instances and stream sockets without a kernel. */
export class EpollLab extends Lab {
  readonly sockets: UnixNamespace = new UnixNamespace(this.scheduler, new SkbPool(this.manager.heap, this.manager.frames));
  readonly seams: EpollSeams = new EpollSeams();
  readonly polls: EventPolls;

  constructor(rules: EpollRules = {}, cores = 2) {
    super(cores);
    this.polls = new EventPolls(this.scheduler, this.seams.hooks.epollWait, rules);
  }

  epoll(): EventPoll {
    return new EventPoll(this.polls).get();
  }

  pair(flags = 0): [UnixStreamSocket, UnixStreamSocket] {
    const [a, b] = UnixStreamSocket.pair(this.sockets, flags);
    return [a.get(), b.get()];
  }

  /** The events that are ready, as [data, bits]. */
  events(epoll: EventPoll, maximum = 16): [number, number][] {
    return this.stored(this.call((cpu, caller) => epoll.waitForEvents(cpu, caller, this.buffer, maximum, 0)));
  }

  /** The first events in memory at `address`. */
  stored(count: number, address: number = this.buffer): [number, number][] {
    return Array.from({ length: count }, (_, i) => [this.word(address + 12 * i + 4), this.word(address + 12 * i)]);
  }
}
