import { type Cpu, PAGE_SIZE, Platform, profiles } from '@rpal/hw-x86';
import { MemoryManager, type MmStruct, mmap } from '@rpal/mm';
import { Scheduler, Task } from '@rpal/sched';
import { MapFlag, Prot } from '@rpal/uapi';
import { type Caller, FdTable, OperationSet } from '../src/index.js';

const [server] = profiles as [(typeof profiles)[number], ...(typeof profiles)[number][]];
const oneCore = { ...server, topology: { ...server.topology, sockets: 1, coresPerSocket: 1, threadsPerCore: 1, coresPerCache: 1 } };

/** Files without a kernel: one CPU, one address space with a page of buffer, and a caller that never sleeps. */
export class Lab {
  readonly platform: Platform = new Platform({ profile: oneCore });
  readonly cpu: Cpu = this.platform.cpus[0] as Cpu;
  readonly manager: MemoryManager = new MemoryManager(this.platform);
  readonly scheduler: Scheduler = new Scheduler(this.platform);
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
}
