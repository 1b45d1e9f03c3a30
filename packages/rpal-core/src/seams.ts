import { EventSeam, Slot } from '@rpal/bus';
import type { CpuProfile } from '@rpal/hw-x86';
import type { Isolation } from './services/isolation.js';
import type { RpalService } from './services/service.js';
import type { Sharing } from './services/sharing.js';
import type { RpalTask } from './services/thread.js';

/** Which way a lazy switch goes. */
export const LazySwitch = {
  /** The kernel takes up the receiver whose code the CPU executes. */
  TO_RECEIVER: 0,
  /** The kernel goes back to the sender, which has returned in user mode. */
  TO_SENDER: 1,
} as const;

/** The changes in the life of a service. @public for taps */
export const ServiceChange = {
  /** A process executes an RPAL binary and has an id and a key. */
  REGISTERED: 0,
  /** Others may request it from now on. */
  ENABLED: 1,
  /** Its own requests are taken back, and those who request it are told. */
  DISABLED: 2,
  /** Its process ends: it is not found by its key any more. */
  UNREGISTERED: 3,
  /** Its last reference is gone and its quarantine over: the id is free. */
  FREED: 4,
} as const;

/** The mechanisms in force where no plugin provides another. */
export interface Fallbacks {
  readonly isolation: Isolation;
  readonly sharing: Sharing;
}

/** The seams of RPAL's kernel half. Plugins that use them require `@rpal/rpal-core`. */
export class RpalSeams {
  readonly slots: { readonly rpalIsolation: Slot<Isolation>; readonly rpalSharing: Slot<Sharing> };

  readonly events = {
    /**
     * The kernel context of one thread has been replaced by that of another, whose code the CPU executes.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param from the thread that loses the kernel context
     * @param to the thread that gets it
     * @param direction one of `LazySwitch`
     * @cost every lazy switch: at most two per call.
     */
    rpalLazySwitch: new EventSeam<[cpu: number, time: number, from: RpalTask, to: RpalTask, direction: number]>('rpalLazySwitch'),
    /**
     * A thread that lost its user context to a lazy switch goes back to user mode on its own (`rpal_kernel_ret`).
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @cost once per lazy switch that the other side does not end.
     */
    rpalKernelReturn: new EventSeam<[cpu: number, time: number, thread: RpalTask]>('rpalKernelReturn'),
    /**
     * The state of a receiver changes, in the kernel or in the library. Words are whole state words.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param rcc physical address of the receiver's call context
     * @param row number of the row in `receiverRows`
     * @param from the word before; only the bits that the row asks for
     * @param to the word afterwards
     * @cost two per call, and up to four per lazy switch: hot.
     */
    rpalReceiverState: new EventSeam<[cpu: number, time: number, rcc: number, row: number, from: number, to: number]>('rpalReceiverState'),
    /**
     * The state of a sender, as its receiver sees it, changes in the kernel or in the library.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param rcc physical address of the receiver's call context
     * @param row number of the row in `senderRows`
     * @param from the word before; only the bits that the row asks for
     * @param to the word afterwards
     * @cost two per call: hot.
     */
    rpalSenderState: new EventSeam<[cpu: number, time: number, rcc: number, row: number, from: number, to: number]>('rpalSenderState'),
    /**
     * The rights of the code that a CPU executes change: the library or the kernel loads PKRU, or what stands for it.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param rights two bits per key, as in PKRU
     * @cost four per call: hot.
     */
    rpalRights: new EventSeam<[cpu: number, time: number, rights: number]>('rpalRights'),
    /**
     * The installation of a service's protection key begins or is complete.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param state one of `PkuOn`
     * @cost twice per service.
     */
    rpalKey: new EventSeam<[cpu: number, time: number, service: RpalService, state: number]>('rpalKey'),
    /**
     * A step in the life of a service.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param change one of `ServiceChange`
     * @cost five times in the life of a service.
     */
    rpalService: new EventSeam<[cpu: number, time: number, service: RpalService, change: number]>('rpalService'),
    /**
     * Two services have each other's memory from now on, or no longer.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param linked true if they have
     * @cost twice per pair of services.
     */
    rpalLink: new EventSeam<[cpu: number, time: number, a: RpalService, b: RpalService, linked: boolean]>('rpalLink'),
    /**
     * A receiver may not be woken, because it is being called or parked; the waker will try again.
     * @param cpu number of the CPU that wakes
     * @param time TSC cycles since boot
     * @cost every refused wake-up.
     */
    rpalWakeUpRefused: new EventSeam<[cpu: number, time: number, receiver: RpalTask]>('rpalWakeUpRefused'),
    /**
     * A sender whose call cannot go on is taken back to its recovery point.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param landing address at which it goes on
     * @cost once per failed call.
     */
    rpalRecovery: new EventSeam<[cpu: number, time: number, sender: RpalTask, landing: number]>('rpalRecovery'),
    /**
     * The patches print a warning.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param text one line
     * @cost only when something is amiss.
     */
    rpalWarning: new EventSeam<[cpu: number, time: number, text: string]>('rpalWarning'),
  };

  constructor(profile: CpuProfile, { isolation, sharing }: Fallbacks) {
    this.slots = {
      /**
       * What keeps services out of each other's memory outside calls. Protection keys if no plugin provides anything else; the
       * machine is refused if its CPUs cannot do it.
       * @cost 4 changes of rights per call; one per return by the kernel.
       */
      rpalIsolation: new Slot<Isolation>('rpalIsolation', {
        fallback: isolation,
        methods: ['refusal', 'userLoad', 'kernelLoad', 'denies', 'relinked'],
        refuse: ({ refusal }) => refusal(profile),
      }),
      /**
       * How two services get each other's memory. Copied top-level page-table entries if no plugin provides anything else.
       * @cost once per pair of services, and once per fault on a peer's address.
       */
      rpalSharing: new Slot<Sharing>('rpalSharing', { fallback: sharing, methods: ['link', 'unlink', 'resolved'] }),
    };
  }
}

declare module '@rpal/bus' {
  interface Slots extends RpalSlots {}
  interface Events extends RpalEvents {}
}

type RpalSlots = RpalSeams['slots'];
export type RpalEvents = RpalSeams['events'];
