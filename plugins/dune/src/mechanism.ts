import { CompareError, type Endpoint, type Mechanism, type Routine } from '@rpal/compare';
import { PAGE_SIZE, pageCeil } from '@rpal/hw-x86';
import { executable, type Program, SyscallNumber } from '@rpal/kernel';
import { dune } from './module/module.js';
import { Dune, OPEN, SUPERVISOR } from './runtime/dune.js';

/** Shared pages for messages of one direction. */
interface Box {
  readonly at: number;
  /** A message lies there that has not been taken. */
  full: boolean;
}

function* put(p: Program, box: Box, address: number, length: number): Routine {
  yield* p.memcpy(box.at, address, length);
  box.full = true;
}

function* take(p: Program, box: Box, address: number, length: number): Routine<number> {
  box.full = false;
  yield* p.memcpy(address, box.at, length);
  return address;
}

/**
 * Two compartments of one process in ring 3, each on page tables of its own, with pages that both have for messages. Who sends crosses into
 * the other one, which goes on until it waits again: SYSCALL into ring 0, CR3, SYSRET. Linux is not asked.
 * @public for comparisons of your own
 */
export const compartments: Mechanism = {
  name: 'dune',
  title: 'two compartments of one process in Dune mode, page tables changed by ring 0',
  copies: 2,
  sizes: [1, 1024 * 1024],
  waits: ['sleep'],
  streams: true,
  oneCpu: true,
  plugins: () => [dune()],
  start(machine, { client, server, cpus, size }) {
    machine.spawn(
      executable('client', function* (p) {
        yield* p.setAffinity([cpus[0]]);
        const room = pageCeil(size);
        const shared = yield* p.allocate(2 * room);
        const d = yield* Dune.enter(p);
        const [near, far] = [yield* d.newTables(SUPERVISOR), yield* d.newTables(SUPERVISOR)];
        for (const tables of [near, far]) yield* d.protect(shared, 2 * room, OPEN, tables);
        const there: Box = { at: shared, full: false };
        const back: Box = { at: shared + room, full: false };
        const { onCall } = d.handlers;
        d.handlers = {
          ...d.handlers,
          // What a compartment maps is its own.
          *onCall(inner, nr, args) {
            const result = yield* onCall(inner, nr, args);
            if (nr === SyscallNumber.mmap && result >= PAGE_SIZE) yield* inner.protect(result, pageCeil(args[1] as number), OPEN);
            return result;
          },
        };
        let waits = false;
        const callee = server(p, {
          send: (address, length) => put(p, back, address, length),
          *receive(address, length) {
            while (!there.full) {
              waits = true;
              yield;
            }
            return yield* take(p, there, address, length);
          },
        });
        /** Runs the callee until it waits for the next message, or has ended. */
        const goOn = function* (): Routine {
          const before = d.cross(far);
          waits = false;
          while (callee.next().done !== true && !waits) yield;
          d.cross(before);
        };
        const end: Endpoint = {
          *send(address, length) {
            yield* put(p, there, address, length);
            yield* goOn();
          },
          *receive(address, length) {
            if (!back.full) throw new CompareError('USAGE', 'a compartment that waits for the next message cannot answer any more');
            return yield* take(p, back, address, length);
          },
        };
        yield* d.ring3(function* (q) {
          yield* goOn();
          yield* client(q, end);
        }, near);
      }),
      cpus[0],
    );
  },
};
