import { BareMetal, type CostLevel, type CpuProfile, PAGE_SIZE, Pte, queuedLines, type Topology } from '@rpal/hw-x86';
import { MultikernelError } from '../errors.js';
import { AddressSpace } from '../kernel/address-space.js';
import { CpuDriver } from '../kernel/cpu-driver.js';
import { Dispatcher, type DomainProgram } from '../kernel/dispatcher.js';
import { type Link, Monitor, type MonitorWorld } from '../monitor/monitor.js';
import type { Route } from '../monitor/routes.js';
import { channelBytes, UrpcReceiver, UrpcSender } from '../urpc/channel.js';
import { WatchedLine } from '../urpc/watched-line.js';
import type { Routine } from '../urpc/words.js';

/** How to build a multikernel. */
export interface MultikernelOptions {
  readonly profile: CpuProfile;
  readonly costs?: CostLevel;
  readonly seed?: number;
  /** How many cores have a kernel and a monitor; all by default, 53 at most. */
  readonly cores?: number;
  /** How operations of the monitors go to all cores; `numa` by default. */
  readonly route?: Route;
  /** After how many microseconds another dispatcher of the core has its turn; 100 by default. */
  readonly slice?: number;
}

/** Where monitors have what they share with each other. */
const CHANNELS = 0x2_0000_0000;
/** Messages in flight between two monitors, one way. */
const SLOTS = 4;

/** A machine with a kernel and a monitor on each core. */
export class Multikernel implements MonitorWorld {
  readonly machine: BareMetal;
  readonly topology: Topology;
  readonly cores: readonly number[];
  readonly route: Route;
  readonly drivers: readonly CpuDriver[];
  readonly monitors: readonly Monitor[];
  readonly spaces: AddressSpace[] = [];
  readonly #domains: Dispatcher[] = [];
  readonly #broadcasts: Map<number, WatchedLine> = new Map();
  readonly #first: Map<number, (monitor: Monitor) => Routine> = new Map();
  #ids = 0;
  #nextChannel = CHANNELS;

  /** @throws MultikernelError USAGE for more cores than the profile has, or than a message can name */
  constructor({ profile, costs = 'central', seed = 1, cores, route = 'numa', slice = 100 }: MultikernelOptions) {
    this.machine = new BareMetal({ profile, costs, seed, coherence: queuedLines });
    const { platform } = this.machine;
    this.topology = platform.topology;
    const most = Math.min(53, this.topology.cores);
    const count = cores ?? most;
    if (!Number.isInteger(count) || count < 1 || count > most)
      throw new MultikernelError('USAGE', `cores: ${count} is not a whole number from 1 to ${most}, as ${profile.name} has`);
    this.route = route;
    this.cores = Array.from({ length: count }, (_, core) => core);
    const cycles = Math.round(slice * 1000 * platform.costs.tscPerNs);
    this.drivers = this.cores.map(
      (core) => new CpuDriver(this.machine.core(core), [this.machine.frames(), this.machine.frames()], cycles, () => this.#changed()),
    );
    this.machine.onException = (core, { vector }) => (this.drivers[core.cpu.id] as CpuDriver).exception(vector);
    this.monitors = this.cores.map((core) => this.#boot(core));
  }

  /**
   * A domain on a core. @param space that of another dispatcher, if it is a domain on several cores
   * @throws MultikernelError USAGE for a core that has no kernel
   */
  domain(name: string, core: number, program: DomainProgram, space: AddressSpace = this.#space()): Dispatcher {
    const dispatcher = this.#dispatcher(name, core, space, program);
    this.#domains.push(dispatcher);
    return dispatcher;
  }

  /** Has a core's monitor do something before it serves anybody. */
  first(core: number, work: (monitor: Monitor) => Routine): void {
    this.#first.set(core, work);
  }

  /** Gives fresh RAM to dispatchers: each has a capability to the same memory. @returns their slots */
  memory(frames: number, ...dispatchers: readonly Dispatcher[]): readonly number[] {
    const ram = { type: 'ram', first: this.machine.frames(frames), count: frames, writable: true, receiver: -1 } as const;
    return dispatchers.map(({ id, driver }) => driver.capabilities.insert(id, ram));
  }

  /** Gives a dispatcher an endpoint of another one on its core. @returns its slot @throws MultikernelError USAGE if that is on another core */
  endpoint(from: Dispatcher, to: Dispatcher): number {
    if (from.driver !== to.driver)
      throw new MultikernelError('USAGE', `endpoint: ${from.name} and ${to.name} are on different cores; use URPC`);
    return from.driver.endpoint(from, to);
  }

  /**
   * Runs until nothing can happen any more but that monitors look for messages.
   * @param patience milliseconds of the machine after which it gives up
   * @returns dispatchers whose programs wait for something that will not come
   * @throws MultikernelError RUN_FAILED if some still run then
   */
  run(patience = 2): readonly Dispatcher[] {
    const { platform } = this.machine;
    for (const core of this.cores) this.machine.start(core, () => (this.drivers[core] as CpuDriver).run());
    const end = this.machine.run(platform.now + Math.round(patience * 1e6 * platform.costs.tscPerNs));
    const left = this.#domains.filter(({ dead }) => !dead);
    if (end === 'stopped') return left;
    throw new MultikernelError('RUN_FAILED', `after ${patience} ms programs still run: ${left.map(({ name }) => name).join(', ')}`);
  }

  coresOf(space: AddressSpace): readonly number[] {
    return this.cores.filter((core) => this.drivers[core]?.alive.some((dispatcher) => dispatcher.space === space));
  }

  connect(from: number, to: number): Link {
    const page = this.#sharedPage([from, to]);
    const back = page + channelBytes(SLOTS);
    const end = (core: number, other: number, out: number, into: number): Link => {
      const { words } = (this.drivers[core] as CpuDriver).monitor;
      return { core: other, out: new UrpcSender(words, out, SLOTS), into: new UrpcReceiver(words, into, SLOTS) };
    };
    const own = end(from, to, page, back);
    this.monitors[from]?.listen(own);
    this.monitors[to]?.listen(end(to, from, back, page));
    return own;
  }

  broadcastLine(core: number): WatchedLine {
    const known = this.#broadcasts.get(core);
    if (known !== undefined) return known;
    const line = new WatchedLine(core, this.#sharedPage(this.cores));
    this.#broadcasts.set(core, line);
    for (const monitor of this.monitors) if (monitor.core !== core) monitor.watch(line);
    return line;
  }

  #boot(core: number): Monitor {
    let monitor: Monitor | null = null;
    const first = this.#first;
    const self = this.#dispatcher(`monitor ${core}`, core, this.#space(), function* (): Routine {
      const booted = monitor as unknown as Monitor;
      yield* first.get(core)?.(booted) ?? [];
      yield* booted.program();
    });
    monitor = new Monitor(core, self, this);
    return monitor;
  }

  #space(): AddressSpace {
    const space = new AddressSpace(this.machine);
    this.spaces.push(space);
    return space;
  }

  #dispatcher(name: string, core: number, space: AddressSpace, program: DomainProgram): Dispatcher {
    const driver = this.drivers[core];
    if (driver === undefined) throw new MultikernelError('USAGE', `core: ${core} has no kernel; use 0 to ${this.cores.length - 1}`);
    const dispatcher = new Dispatcher(this.#ids++, name, space, driver);
    driver.add(dispatcher, program, (address, flags, frame) =>
      this.machine.map(space.root, address, frame === undefined ? { flags } : { flags, frame }),
    );
    return dispatcher;
  }

  /** A page that the monitors of some cores share. @returns its address, the same for all */
  #sharedPage(cores: readonly number[]): number {
    const address = this.#nextChannel;
    this.#nextChannel += PAGE_SIZE;
    const frame = this.machine.frames();
    for (const core of cores) {
      const { space } = (this.drivers[core] as CpuDriver).monitor;
      this.machine.map(space.root, address, { frame, flags: Pte.user | Pte.writable });
    }
    return address;
  }

  /** A dispatcher blocks or has ended: ends the run if nothing can happen any more but that monitors look for messages. */
  #changed(): void {
    const waiting = this.#domains.every(({ dead, blocked, inbox }) => dead || (blocked && inbox === null));
    const quiet = this.monitors.every(({ pending }) => pending === 0) && this.drivers.every(({ monitor }) => monitor.inbox === null);
    if (waiting && quiet) this.machine.platform.stop();
  }
}
