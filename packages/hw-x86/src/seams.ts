import { EventSeam } from '@rpal/bus';
import type { KernelLock } from './memory/kernel-lock.js';

/** The seams of the hardware. */
export class HardwareSeams {
  readonly events = {
    /**
     * A CPU has taken an interrupt or an NMI; its handler is about to run.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param vector 0 .. 255; 2 is the NMI
     * @cost every interrupt.
     */
    interruptTaken: new EventSeam<[cpu: number, time: number, vector: number]>('interruptTaken'),
    /**
     * A CPU has sent an interrupt to another one, or to itself.
     * @param cpu number of the sending CPU
     * @param time TSC cycles since boot
     * @param target number of the CPU that it is for
     * @param vector 0 .. 255; 2 is the NMI
     * @param arrival when it gets there, TSC cycles since boot
     * @cost every inter-processor interrupt.
     */
    ipiSent: new EventSeam<[cpu: number, time: number, target: number, vector: number, arrival: number]>('ipiSent'),
    /**
     * A CPU stops executing, in HLT or MWAIT.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @cost every halt.
     */
    haltEntered: new EventSeam<[cpu: number, time: number]>('haltEntered'),
    /**
     * A CPU goes on after a halt. The time that it takes to leave the idle state is still to come.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param since when the halt began, TSC cycles since boot
     * @cost every end of a halt.
     */
    haltLeft: new EventSeam<[cpu: number, time: number, since: number]>('haltLeft'),
    /**
     * A lock of the kernel has been taken. A spin lock is held by the CPU, one that sleeps by the task that the CPU runs.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param lock which one; its name is its class
     * @param site where, if the system call does not say it; else empty
     * @cost every lock: hot, dozens per message.
     */
    lockTaken: new EventSeam<[cpu: number, time: number, lock: KernelLock, site: string]>('lockTaken'),
    /**
     * A lock of the kernel is about to be given back.
     * @param cpu number of the CPU
     * @param time TSC cycles since boot
     * @param lock which one
     * @cost as for `lockTaken`.
     */
    lockReleased: new EventSeam<[cpu: number, time: number, lock: KernelLock]>('lockReleased'),
  };
}

type Declared = HardwareSeams;

declare module '@rpal/bus' {
  interface Events extends Readonly<Declared['events']> {}
}
