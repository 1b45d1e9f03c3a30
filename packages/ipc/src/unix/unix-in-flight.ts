import type { Cpu } from '@rpal/hw-x86';
import { DelayedWork, type Scheduler, type Workqueue } from '@rpal/sched';
import { DeferredPuts, type File } from '@rpal/vfs';
import { IpcStep } from '../steps.js';
import type { Skb } from './skb.js';

/** A socket as the collector sees it: a vertex of the graph. */
export interface InFlightSocket extends File {
  /** The sockets in whose queues messages with this one are, one entry per reference. */
  readonly receivers: InFlightSocket[];
  /** What tells the component it is in from others. */
  component: number;
  /** The listener that has it in its backlog; null for any other socket. */
  readonly listener: InFlightSocket | null;
  /** The sockets whose messages are lost with this one: itself, or if it listens the connections it has not accepted. */
  readonly queues: readonly InFlightSocket[];
  /** Messages that wait in it. */
  readonly first: Skb | null;
  /** Takes the first message out. */
  dequeue(): void;
}

/** What the collector needs to know of sockets in general. */
export interface InFlightRules {
  /** The socket that a file is; null for any other file. */
  socketOf(file: File): InFlightSocket | null;
  /** Throws a message away. */
  purge(cpu: Cpu, skb: Skb, puts: DeferredPuts): void;
}

/**
 * Unix sockets that are in messages which nobody has received, and the collector of those that nobody can ever receive
 * (net/unix/garbage.c of Linux 6.10 and later). Sockets in flight are the vertices of a graph; an edge leads from one to the
 * socket in whose queue it is. A strongly connected component that no edge leaves and whose sockets have no descriptor
 * is garbage: its messages are thrown away, and the sockets with them.
 *
 * Linux tells components apart by an index that its variant of Tarjan's algorithm leaves in each vertex. That index is not always
 * the same in all of a component (a vertex that was left before its parent found a way further back keeps the larger one);
 * such a component is taken for alive, and is not collected, until the graph is walked in another order. It is the same here.
 *
 * As long as nothing changes that a circle could depend on, the components of the last walk are looked at again instead of walking
 * the graph. A socket that has come since is a component of its own, with an index above those that the walk left (Linux 6.18, and
 * stable kernels since 2025-11; before, it was whatever the memory held).
 *
 * As in Linux the collector runs as a work item whenever a socket is released while others are in flight, and the files it
 * frees are released a tick later, in another one.
 */
export class UnixInFlight {
  readonly puts: DeferredPuts = new DeferredPuts();
  /** References of messages to Unix sockets. */
  total = 0;
  /** How often something was found that nobody can receive. */
  collections = 0;
  readonly #scheduler: Scheduler;
  readonly #workqueue: Workqueue;
  readonly #collector: DelayedWork;
  readonly #reaper: DelayedWork;
  readonly #collected: DeferredPuts = new DeferredPuts();
  /** Sockets in flight in the order in which they are visited, each with its component as the last walk found it. */
  #vertices = new Map<InFlightSocket, InFlightSocket[]>();
  #maybeCyclic = false;
  /** No edge that could matter has changed since the last walk. */
  #grouped = false;
  /** The largest index of a component that the last walk left in place, or of a socket that has come since. */
  #lastComponent = 0;
  readonly #rules: InFlightRules;

  constructor(scheduler: Scheduler, workqueue: Workqueue, rules: InFlightRules) {
    this.#scheduler = scheduler;
    this.#workqueue = workqueue;
    this.#rules = rules;
    this.#collector = new DelayedWork(workqueue, scheduler, (cpu) => this.#collect(cpu));
    this.#reaper = new DelayedWork(workqueue, scheduler, (cpu) => this.#reap(cpu));
  }

  /** A message with `files` is in the queue of `receiver`. */
  sent(files: readonly File[], receiver: InFlightSocket): void {
    for (const file of files) {
      const socket = this.#rules.socketOf(file);
      if (socket === null) continue;
      if (!this.#vertices.has(socket)) {
        this.#vertices.set(socket, [socket]);
        socket.component = ++this.#lastComponent;
      }
      socket.receivers.push(receiver);
      this.total++;
      this.#changed(receiver);
    }
  }

  /** The message is not in the queue of `receiver` any more. */
  landed(files: readonly File[], receiver: InFlightSocket): void {
    for (const file of files) {
      const socket = this.#rules.socketOf(file);
      if (socket === null) continue;
      this.#changed(receiver);
      this.#unlink(socket, receiver);
    }
  }

  /** `socket` has left the backlog of `listener`. */
  accepted(listener: InFlightSocket): void {
    if (listener.receivers.length > 0) this.#changedGraph();
  }

  /** There are sockets in flight that nobody can receive, and the collector would find them if it ran now. */
  get holdsGarbage(): boolean {
    if (!this.#maybeCyclic) return false;
    const { components, indices } = this.#components();
    return components.some((component) => isDead(component, indices));
  }

  /** A socket has been released: the collector is to run. */
  released(cpu: Cpu): void {
    if (this.total > 0) this.#workqueue.queue(cpu, this.#collector);
  }

  #unlink(socket: InFlightSocket, receiver: InFlightSocket): void {
    socket.receivers.splice(socket.receivers.indexOf(receiver), 1);
    this.total--;
    if (socket.receivers.length === 0) this.#vertices.delete(socket);
  }

  /** No circle can form or be cut off if the receiver itself is not in flight. */
  #changed(receiver: InFlightSocket): void {
    if (holder(receiver).receivers.length > 0) this.#changedGraph();
  }

  #changedGraph(): void {
    this.#maybeCyclic = true;
    this.#grouped = false;
  }

  #components(): Walk {
    if (!this.#grouped) return walk(this.#vertices.keys());
    const components = [...new Set(this.#vertices.values())];
    return { components, indices: new Map([...this.#vertices.keys()].map((socket) => [socket, socket.component])) };
  }

  #collect(cpu: Cpu): void {
    if (!this.#maybeCyclic) return;
    cpu.charge(IpcStep.collectInFlight);
    const { components, indices } = this.#components();
    if (!this.#grouped) this.#lastComponent = 0;
    this.#grouped = true;
    this.#maybeCyclic = false;
    this.#vertices = new Map();
    const garbage: Garbage[] = [];
    for (const component of components) {
      for (const socket of component) {
        this.#vertices.set(socket, component);
        socket.component = indices.get(socket) as number;
      }
      if (isDead(component, indices)) {
        collectMessages(component, garbage);
        continue;
      }
      this.#lastComponent = Math.max(this.#lastComponent, (component[0] as InFlightSocket).component);
      if (isCyclic(component)) this.#maybeCyclic = true;
    }
    if (garbage.length > 0) this.collections++;
    for (const { skb, receiver } of garbage) {
      for (const file of skb.files ?? []) {
        const socket = this.#rules.socketOf(file);
        if (socket !== null) this.#unlink(socket, receiver);
      }
      this.#rules.purge(cpu, skb, this.#collected);
    }
    if (this.#collected.any) this.#workqueue.queueDelayed(cpu, this.#reaper, this.#scheduler.tickNs);
  }

  #reap(cpu: Cpu): void {
    this.#collected.settleOnce(cpu);
    if (this.#collected.any) this.#workqueue.queueDelayed(cpu, this.#reaper, this.#scheduler.tickNs);
  }
}

/** Who holds the messages of a socket: one that has not been accepted belongs to its listener. */
function holder(receiver: InFlightSocket): InFlightSocket {
  return receiver.listener ?? receiver;
}

/** Where a socket in flight can be received, as far as that is itself in flight; null where it is not. */
function successors(socket: InFlightSocket): (InFlightSocket | null)[] {
  return socket.receivers.map((receiver) => (holder(receiver).receivers.length > 0 ? holder(receiver) : null));
}

/** Components in the order in which they are looked at, and what tells them apart. */
interface Walk {
  readonly components: InFlightSocket[][];
  readonly indices: ReadonlyMap<InFlightSocket, number>;
}

/** Strongly connected components (Tarjan), each in the order of discovery. */
function walk(vertices: Iterable<InFlightSocket>): Walk {
  const components: InFlightSocket[][] = [];
  const index = new Map<InFlightSocket, number>();
  const low = new Map<InFlightSocket, number>();
  const stack: InFlightSocket[] = [];
  const open = new Set<InFlightSocket>();
  const lower = (socket: InFlightSocket, value: number) => low.set(socket, Math.min(low.get(socket) as number, value));
  for (const start of vertices) {
    if (index.has(start)) continue;
    const path: { socket: InFlightSocket; rest: (InFlightSocket | null)[] }[] = [];
    const enter = (socket: InFlightSocket) => {
      index.set(socket, index.size);
      low.set(socket, index.get(socket) as number);
      stack.push(socket);
      open.add(socket);
      path.push({ socket, rest: successors(socket) });
    };
    enter(start);
    while (path.length > 0) {
      const { socket, rest } = path[path.length - 1] as (typeof path)[number];
      const next = rest.shift();
      if (next !== undefined) {
        if (next === null) continue;
        if (!index.has(next)) enter(next);
        else if (open.has(next)) lower(socket, low.get(next) as number);
        continue;
      }
      path.pop();
      const above = path[path.length - 1];
      if (above !== undefined) lower(above.socket, low.get(socket) as number);
      if (low.get(socket) !== index.get(socket)) continue;
      const component = stack.splice(stack.indexOf(socket));
      for (const member of component) open.delete(member);
      components.push(component);
    }
  }
  return { components, indices: low };
}

/** Nobody outside can receive the sockets of the component, and nobody has a descriptor of them (Linux: `unix_vertex_dead`). */
function isDead(component: readonly InFlightSocket[], indices: ReadonlyMap<InFlightSocket, number>): boolean {
  return component.every(
    (socket) =>
      successors(socket).every((next) => next !== null && indices.get(next) === indices.get(socket)) &&
      socket.count === socket.receivers.length,
  );
}

function isCyclic(component: readonly InFlightSocket[]): boolean {
  return component.length > 1 || successors(component[0] as InFlightSocket).includes(component[0] as InFlightSocket);
}

/** A message that nobody can receive, and in whose queue it was. */
interface Garbage {
  readonly skb: Skb;
  readonly receiver: InFlightSocket;
}

/** Takes the messages out of the queues of a component. */
function collectMessages(component: readonly InFlightSocket[], into: Garbage[]): void {
  for (const { queues } of component) {
    for (const queue of queues) {
      for (let skb = queue.first; skb !== null; skb = queue.first) {
        into.push({ skb, receiver: queue });
        queue.dequeue();
      }
    }
  }
}
