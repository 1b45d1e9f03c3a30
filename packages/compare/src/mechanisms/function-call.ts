import { executable, type Program } from '@rpal/kernel';
import { CompareError } from '../errors.js';
import type { Endpoint, Mechanism, Routine } from '../mechanism/mechanism.js';
import { CompareStep } from '../steps.js';

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
        /** What lies on the way: addresses of the sender's buffer, not copies of it. */
        const there: number[] = [];
        const back: number[] = [];
        let waits = false;
        const callee = server(p, {
          *send(address) {
            pass(p, back, address);
            yield* nothing();
          },
          *receive() {
            for (;;) {
              const address = there.shift();
              if (address !== undefined) return address;
              waits = true;
              yield;
            }
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
            const address = back.shift();
            if (address === undefined) throw new CompareError('USAGE', 'a function that has returned cannot send any more');
            yield* nothing();
            return address;
          },
        };
        yield* client(p, end);
      }),
      cpus[0],
    );
  },
};

function pass(p: Program, way: number[], address: number): void {
  p.context.cpu.charge(CompareStep.call);
  way.push(address);
}

function* nothing(): Routine {}
