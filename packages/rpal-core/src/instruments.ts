import type { Cpu } from '@rpal/hw-x86';
import type { RpalEvents } from './seams.js';
import type { RpalTask } from './services/thread.js';

/** Lines that the log keeps, as the kernel's ring buffer keeps the last ones. */
const LOG_LINES = 1000;

/** What tools see of RPAL's kernel half on one machine: its counters, its log, and the events that it and the library send. */
export class Instruments {
  readonly events: RpalEvents;
  /** The last warnings, in order, each with the TSC cycles at which it was printed. */
  readonly log: string[] = [];
  /** Since boot. */
  lazySwitches = 0;
  kernelReturns = 0;
  refusedWakeUps = 0;
  /** Service objects that can never be freed. */
  leakedServices = 0;

  constructor(events: RpalEvents) {
    this.events = events;
    events.rpalWarning.on('@rpal/rpal-core', (_cpu, time, text) => {
      if (this.log.push(`[${time}] ${text}`) > LOG_LINES) this.log.shift();
    });
  }

  lazySwitch(cpu: Cpu, from: RpalTask, to: RpalTask, direction: number): void {
    this.lazySwitches++;
    const { rpalLazySwitch } = this.events;
    if (rpalLazySwitch.observed) rpalLazySwitch.emit(cpu.id, cpu.clock, from, to, direction);
  }

  kernelReturn(cpu: Cpu, thread: RpalTask): void {
    this.kernelReturns++;
    const { rpalKernelReturn } = this.events;
    if (rpalKernelReturn.observed) rpalKernelReturn.emit(cpu.id, cpu.clock, thread);
  }

  wakeUpRefused(cpu: Cpu, receiver: RpalTask): void {
    this.refusedWakeUps++;
    const { rpalWakeUpRefused } = this.events;
    if (rpalWakeUpRefused.observed) rpalWakeUpRefused.emit(cpu.id, cpu.clock, receiver);
  }

  /** Row `row` of the receiver's table has been taken, for the receiver whose call context is at `rcc` (physical). */
  receiverState(cpu: Cpu, rcc: number, row: number, from: number, to: number): void {
    const { rpalReceiverState } = this.events;
    if (rpalReceiverState.observed) rpalReceiverState.emit(cpu.id, cpu.clock, rcc, row, from, to);
  }

  /** As `receiverState`, of the sender's table. */
  senderState(cpu: Cpu, rcc: number, row: number, from: number, to: number): void {
    const { rpalSenderState } = this.events;
    if (rpalSenderState.observed) rpalSenderState.emit(cpu.id, cpu.clock, rcc, row, from, to);
  }

  rights(cpu: Cpu, rights: number): void {
    const { rpalRights } = this.events;
    if (rpalRights.observed) rpalRights.emit(cpu.id, cpu.clock, rights);
  }
}
