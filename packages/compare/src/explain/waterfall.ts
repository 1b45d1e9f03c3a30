import { allSteps, type Cause } from '@rpal/hw-x86';
import type { Mechanism } from '../mechanism/mechanism.js';
import { pingPong, type WorkloadOptions } from '../workload/workload.js';
import { RecordingLedger } from './recording-ledger.js';

/** A stretch of a message's way in which one step was executed, or waited for, on one CPU. */
export interface Stretch {
  /** When it began, TSC cycles after the client began to send. */
  readonly at: number;
  /** TSC cycles. */
  readonly cycles: number;
  /** Package and name. */
  readonly step: string;
  readonly cause: Cause;
  /** The CPU that the message was on; null: on its way from one to another. */
  readonly cpu: number | null;
}

/** One message, there and back. The stretches follow each other without a gap and add up to the round trip. */
export interface Waterfall {
  readonly there: readonly Stretch[];
  readonly back: readonly Stretch[];
  /** TSC cycles. */
  readonly oneWay: number;
  readonly roundTrip: number;
  readonly tscGHz: number;
}

/** Follows one message step by step, once `warmUp` others have gone. @throws CompareError USAGE, CHANGED; MachineError CALL_FAILED */
export function waterfall(mechanism: Mechanism, options: Omit<WorkloadOptions, 'messages' | 'book'>): Waterfall {
  const ledgers: RecordingLedger[] = [];
  const { there, roundTrip, tscGHz } = pingPong(mechanism, {
    ...options,
    messages: 1,
    book({ platform: { costs, cpus } }) {
      const path = cpus[0]?.path;
      const ledger = new RecordingLedger(costs, () => path?.holder?.id ?? null);
      ledgers.push(ledger);
      return ledger;
    },
  });
  const [first, second] = ledgers as [RecordingLedger, RecordingLedger];
  const oneWay = there.cycles;
  return { there: stretchesOf(first, 0), back: stretchesOf(second, oneWay), oneWay, roundTrip: roundTrip.cycles, tscGHz };
}

function stretchesOf({ bookings }: RecordingLedger, begin: number): readonly Stretch[] {
  const steps = allSteps();
  let at = begin;
  return bookings.map(({ step, cycles, cpu }) => {
    const { name, cause } = steps[step] as (typeof steps)[number];
    const stretch: Stretch = { at, cycles, step: name, cause, cpu };
    at += cycles;
    return stretch;
  });
}
