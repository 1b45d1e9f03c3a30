import { exactly, type Program } from '@rpal/kernel';
import { CompareError } from '../errors.js';
import type { Mechanism, Routine } from '../mechanism/mechanism.js';
import { checkWaiting, checkWhole } from './checks.js';
import { Counters } from './counters.js';
import { machineWith } from './machine.js';
import { buffers, check, fill } from './message.js';
import { type Usage, usageOf, type WorkloadOptions } from './workload.js';

/** Several clients of one server. */
export interface FanInOptions extends Pick<WorkloadOptions, 'machine' | 'size' | 'waiting' | 'messages' | 'warmUp'> {
  /** Each has a core of its own, behind that of the server. */
  readonly clients: number;
}

/** What clients and server took together. */
export interface FanIn extends Usage {
  /** TSC cycles from a client's request to its answer, on average. */
  readonly latency: number;
}

/** TSC cycles between two looks of a client that waits for the others. */
const PAUSE = 200;

/**
 * Each client sends a request and waits for its answer, again and again; one server answers them all with the bytes that it got.
 * `messages` are the requests of each client.
 * @throws CompareError USAGE if the mechanism is for two sides only, or there are too few cores; CHANGED. MachineError CALL_FAILED
 */
export function fanIn(mechanism: Mechanism, { machine: options, size, waiting, messages, warmUp, clients }: FanInOptions): FanIn {
  const { name, gather, mostClients = clients, sizes, plugins } = mechanism;
  if (gather === undefined) throw new CompareError('USAGE', `${name} is for two sides only: it has no server of several clients`);
  checkWaiting(mechanism, waiting);
  if (clients > mostClients) throw new CompareError('USAGE', `a server of ${name} has ${mostClients} clients at most, not ${clients}`);
  checkWhole('size', size, sizes[0], sizes[1]);
  checkWhole('messages', messages, 1);
  checkWhole('warmUp', warmUp, 1);
  const machine = machineWith(plugins?.() ?? [], options);
  const { topology } = machine.platform.profile;
  checkWhole('clients', clients, 1, topology.sockets * topology.coresPerSocket - 1);
  const counters = new Counters(machine);
  const clientCpus = Array.from({ length: clients }, (_, number) => number + 1);
  let warm = 0;
  let finished = 0;
  let ended = 0;
  let waited = 0;

  gather(machine, {
    size,
    waiting,
    serverCpu: 0,
    clientCpus,
    *client(p, end, number) {
      const [out, into] = yield* buffers(p, size);
      for (let i = 0; i < warmUp; i++) {
        yield* fill(p, out, size, number * warmUp + i);
        yield* end.send(out, size);
        yield* check(p, yield* end.receive(into, size), size, number * warmUp + i);
      }
      if (++warm === clients) counters.begin(p.rdtsc());
      yield* until(p, () => warm === clients);
      let last = into;
      for (let i = 0; i < messages; i++) {
        const began = p.rdtsc();
        yield* end.send(out, size);
        last = yield* end.receive(into, size);
        waited += p.rdtsc() - began;
      }
      if (++finished === clients) counters.end(p.rdtsc());
      yield* check(p, last, size, number * warmUp + warmUp - 1);
      yield* end.close?.() ?? [];
      ended++;
    },
    *server(p, hub) {
      const [, into] = yield* buffers(p, size);
      for (let left = clients * (warmUp + messages); left > 0; left--) {
        yield* hub.send(yield* hub.receive(into, size), into, size);
      }
      yield* hub.close?.() ?? [];
      ended++;
    },
  });
  machine.run();
  exactly(`${name}: sides that ended as they should`, ended, clients + 1);
  return {
    ...usageOf(machine, counters, [0, ...clientCpus], 2 * clients * messages),
    latency: waited / (clients * messages),
  };
}

function* until(p: Program, holds: () => boolean): Routine {
  while (!holds()) yield* p.compute(PAUSE);
}
