import { executable, type Program } from '@rpal/kernel';
import { CompareError } from '../errors.js';
import type { Endpoint, Mechanism, Routine } from '../mechanism/mechanism.js';
import { CompareStep } from '../steps.js';

/** What lies on the way between the two sides: the caller's buffer, not a copy of it. */
interface Argument {
  address: number;
  /** Whether it has been passed and not been read yet. */
  passed: boolean;
}

/**
 * Both sides in one thread: the sender calls the other side, which goes on until it waits again. Any mechanism has to compete with this
 * where the two sides need no protection from each other (COST).
 */
export const functionCall: Mechanism = {
  name: 'call',
  title: 'a plain function call within one thread, by reference',
  copies: 0,
  sizes: [1, 1024 * 1024],
  waits: ['sleep', 'poll'],
  streams: true,
  start(machine, { client, server, cpus }) {
    machine.spawn(
      executable('client', function* (p) {
        yield* p.setAffinity([cpus[0]]);
        const there: Argument = { address: 0, passed: false };
        const back: Argument = { address: 0, passed: false };
        let waits = false;
        const callee = server(p, {
          *send(address) {
            pass(p, back, address);
            yield* nothing();
          },
          *receive() {
            while (!there.passed) {
              waits = true;
              yield;
            }
            there.passed = false;
            return there.address;
          },
        });
        /** Runs the callee until it waits for the next message, or has ended. */
        function* goOn(): Routine {
          waits = false;
          while (callee.next().done !== true && !waits) yield;
        }
        yield* goOn();
        const end: Endpoint = {
          *send(address) {
            pass(p, there, address);
            yield* goOn();
          },
          *receive() {
            if (!back.passed) throw new CompareError('USAGE', 'a function that has returned cannot send any more');
            back.passed = false;
            yield* nothing();
            return back.address;
          },
        };
        yield* client(p, end);
      }),
      cpus[0],
    );
  },
};

function pass(p: Program, argument: Argument, address: number): void {
  p.context.cpu.charge(CompareStep.call);
  argument.address = address;
  argument.passed = true;
}

function* nothing(): Routine {}
