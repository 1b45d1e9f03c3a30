import { Access, type Cpu, PAGE_SIZE, Platform, profiles } from '@rpal/hw-x86';
import { SkbPool, UnixNamespace, UnixStreamSocket } from '@rpal/ipc';
import { MemoryManager, type MmStruct, mmap } from '@rpal/mm';
import { Scheduler, Task } from '@rpal/sched';
import { MapFlag, Prot } from '@rpal/uapi';
import { type Caller, FdTable, OperationSet } from '@rpal/vfs';
import { EpollSeams, EventPoll, EventPolls } from '../src/index.js';

const [server] = profiles as [(typeof profiles)[number], ...(typeof profiles)[number][]];
const oneCore = { ...server, topology: { ...server.topology, sockets: 1, coresPerSocket: 1, threadsPerCore: 1, coresPerCache: 1 } };

/** Files without a kernel: one CPU, one address space with a page of buffer, and a caller that never sleeps. */
export class Lab {
  readonly platform: Platform = new Platform({ profile: oneCore });
  readonly cpu: Cpu = this.platform.cpus[0] as Cpu;
  readonly manager: MemoryManager = new MemoryManager(this.platform);
  readonly scheduler: Scheduler = new Scheduler(this.platform);
  readonly sockets: UnixNamespace = new UnixNamespace(this.scheduler, new SkbPool(this.manager.heap, this.manager.frames));
  readonly seams: EpollSeams = new EpollSeams();
  readonly polls: EventPolls = new EventPolls(this.scheduler, this.seams.hooks.epollWait);
  readonly memory: MmStruct = this.manager.create(this.cpu);
  readonly buffer: number;
  readonly files: FdTable = new FdTable();
  readonly signals: number[] = [];
  readonly caller: Caller;

  constructor() {
    this.cpu.beginTurn(Number.POSITIVE_INFINITY);
    const task = new Task(1, 'lab', this.cpu, this.memory, this.scheduler.everyCpu, { run: () => 0 });
    this.memory.activate(this.cpu);
    this.buffer = mmap(this.cpu, this.memory, 0, PAGE_SIZE, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS);
    const { memory, signals } = this;
    const credentials = { pid: 1, uid: 0, gid: 0 };
    this.caller = {
      task,
      memory,
      operation: null,
      operations: new OperationSet(),
      iov: null,
      credentials,
      raise: (_cpu, signal) => signals.push(signal),
    };
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
    const count = epoll.waitForEvents(this.cpu, this.caller, this.buffer, maximum, 0);
    return Array.from({ length: count }, (_, i) => {
      const at = this.cpu.data(this.buffer, Access.user) + i * 12;
      return [this.cpu.memory.read32(at + 4), this.cpu.memory.read32(at)];
    });
  }
}
