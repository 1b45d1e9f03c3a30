import {
  executable,
  type Image,
  type Machine,
  type MachineOptions,
  type Main,
  type Process,
  type Program,
  type ProgramImage,
} from '@rpal/kernel';
import { OpenFlag } from '@rpal/uapi';
import { finish, smallMachine, until } from '../../../scripts/testing/run.ts';
import {
  RequestArg,
  RPAL_MAGIC_OFFSET,
  RPAL_PROC_FILE,
  type Rpal,
  RpalIoctl,
  type RpalOptions,
  rpal,
  rpalOf,
  ServiceMetadata,
} from '../src/index.js';

export { ends, finish, mustEnd, runOn, smallMachine, smallProfile, until } from '../../../scripts/testing/run.ts';

export interface World {
  /** Nanoseconds that its programs may take, if they are more than those of other tests. */
  readonly within?: number;
  readonly machine: Machine;
  readonly rpal: Rpal;
}

export function world(options: RpalOptions = {}, machineOptions: MachineOptions = {}): World {
  const machine = smallMachine({ ...machineOptions, plugins: [rpal(options), ...(machineOptions.plugins ?? [])] });
  return { machine, rpal: rpalOf(machine) };
}

/** An RPAL binary around `main`. */
export function rpalImage(name: string, main: Main, parts: Partial<Omit<Image, 'start'>> = {}): ProgramImage {
  const image = executable(name, main, parts);
  image.ident.set(new TextEncoder().encode('RPAL'), RPAL_MAGIC_OFFSET);
  return image;
}

/** Runs programs, each an RPAL binary on a core of its own, to their end. @returns their processes */
export function run({ machine }: World, ...mains: Main[]): Process[] {
  const processes = mains.map((main, i) => machine.spawn(rpalImage(`service-${i}`, main), i % 4));
  finish(machine);
  return processes;
}

/** What REQUEST stored. */
export interface Requested {
  readonly result: number;
  readonly userMeta: number;
  readonly id: number;
  readonly pkey: number;
}

/** /proc/rpal as a program sees it that does without the library. */
export class Control {
  readonly p: Program;
  fd = -1;
  /** A page for arguments and results. */
  note = 0;

  constructor(p: Program) {
    this.p = p;
  }

  static *open(p: Program): Generator<void, Control> {
    const control = new Control(p);
    control.fd = yield* p.open(RPAL_PROC_FILE, OpenFlag.RDWR);
    control.note = yield* p.allocate(4096);
    return control;
  }

  *ioctl(command: number, argument = 0): Generator<void, number> {
    return yield* this.p.ioctl(this.fd, command, argument);
  }

  *key(): Generator<void, number> {
    yield* this.ioctl(RpalIoctl.GET_SERVICE_KEY, this.note);
    return yield* this.p.load64(this.note);
  }

  *id(): Generator<void, number> {
    yield* this.ioctl(RpalIoctl.GET_SERVICE_ID, this.note);
    return yield* this.p.load32(this.note);
  }

  *pkey(): Generator<void, number> {
    yield* this.ioctl(RpalIoctl.GET_SERVICE_PKEY, this.note);
    return (yield* this.p.load32(this.note)) | 0;
  }

  *enable(wanted: { pkey?: number; userMeta?: number; retBegin?: number; retEnd?: number } = {}): Generator<void, number> {
    const { p, note } = this;
    yield* p.store64(note + ServiceMetadata.userMeta, wanted.userMeta ?? note);
    yield* p.store64(note + ServiceMetadata.retBegin, wanted.retBegin ?? 0);
    yield* p.store64(note + ServiceMetadata.retEnd, wanted.retEnd ?? 0);
    yield* p.store32(note + ServiceMetadata.pkey, wanted.pkey ?? -1);
    return yield* this.ioctl(RpalIoctl.ENABLE_SERVICE, note);
  }

  *disable(): Generator<void, number> {
    return yield* this.ioctl(RpalIoctl.DISABLE_SERVICE);
  }

  *request(key: number): Generator<void, Requested> {
    const { p, note } = this;
    yield* p.store64(note + RequestArg.key, key);
    yield* p.store64(note + RequestArg.userMetap, note + 256);
    yield* p.store64(note + RequestArg.id, note + 264);
    yield* p.store64(note + RequestArg.pkey, note + 272);
    const result = yield* this.ioctl(RpalIoctl.REQUEST_SERVICE, note);
    return {
      result,
      userMeta: yield* p.load64(note + 256),
      id: (yield* p.load32(note + 264)) | 0,
      pkey: (yield* p.load32(note + 272)) | 0,
    };
  }

  *release(key: number): Generator<void, number> {
    return yield* this.ioctl(RpalIoctl.RELEASE_SERVICE, key);
  }

  /** A shared mapping of `pages` pages. */
  *share(pages = 1): Generator<void, number> {
    return yield* this.p.mmap(0, pages * 4096, 3, 1, this.fd);
  }
}

/** What one of two linked services does. `peer` is the other process. */
export type Body = (p: Program, control: Control, peer: Process) => Generator<void, void>;

/** Two services that have requested each other, in one machine: the bodies run once that is so. */
export function pairOfServices({ machine, within }: World, ...bodies: readonly [Body, Body]): Process[] {
  const keys = [0, 0];
  const linked = [false, false];
  const processes: Process[] = bodies.map((body, me) =>
    machine.spawn(
      rpalImage(`service-${me}`, function* (p) {
        const control = yield* Control.open(p);
        yield* control.enable();
        keys[me] = yield* control.key();
        yield* until(p, () => keys[1 - me] !== 0);
        do linked[me] = (yield* control.request(keys[1 - me] as number)).result === 0;
        while (!linked[me]);
        yield* until(p, () => linked[0] === true && linked[1] === true);
        yield* body(p, control, processes[1 - me] as Process);
      }),
      me,
    ),
  );
  finish(machine, within);
  return processes;
}
