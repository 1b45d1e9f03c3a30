import { done, exactly } from '@rpal/kernel';
import { Errno, LinuxCall, MapFlag, Prot } from '@rpal/uapi';
import { type Operation, touched } from './operation.js';

const PAGE = 4096;
/** Of the counted program: pages that it has touched, and areas. */
const PAGES = 532;
const AREAS = 10;

/** A child that ends at once, and is waited for. @param pages that the parent has touched @param areas that it has, untouched */
function life(name: string, pages: number, areas: number, descriptors: number): Operation {
  return {
    name: `fork, exit, wait: ${name}`,
    *prepare(p) {
      const address = yield* touched(p, (PAGES + pages) * PAGE);
      const own = [...p.context.thread.process.mm.areas].length;
      for (let i = own; i < AREAS; i++)
        done('mmap', yield* p.mmap(0, PAGE, i % 2 === 0 ? Prot.READ : Prot.NONE, MapFlag.PRIVATE | MapFlag.ANONYMOUS));
      for (let i = 0; i < areas; i++) {
        const address = done('mmap', yield* p.allocate(3 * PAGE));
        exactly('mprotect', yield* p.mprotect(address, PAGE, i % 2 === 1 ? Prot.NONE : Prot.READ), 0);
      }
      for (let i = 0; i < descriptors; i++) done('eventfd', yield* p.dup(yield* p.eventfd()));
      return {
        *body() {
          const child = yield* p.fork(function* (other) {
            // It runs on a stack of its own from its first return address on.
            yield* other.store8(address, 2);
            yield* other.syscall(LinuxCall.exit_group, 0);
          });
          yield* p.store8(address, 3);
          yield* p.store8(address + PAGE, 3);
          exactly('wait4', yield* p.wait(child), child);
        },
      };
    },
  };
}

/** Processes and threads from beginning to end. */
export const processOperations: readonly Operation[] = [
  life('0 further touched pages', 0, 0, 0),
  life('100 further touched pages', 100, 0, 0),
  life('1000 further touched pages', 1000, 0, 0),
  life('about 80 further untouched mappings', 0, 40, 0),
  life('50 further descriptors', 0, 0, 25),
  {
    name: 'wait4: no child, ECHILD',
    prepare(p) {
      return {
        *body() {
          exactly('wait4', yield* p.wait(-1, 1), -Errno.ECHILD);
        },
      };
    },
  },
  {
    name: 'kill: signal 0',
    *prepare(p) {
      const child = yield* p.fork(function* (other) {
        yield* other.sleep(1e12);
      });
      return {
        *body() {
          exactly('kill', yield* p.kill(child, 0), 0);
        },
      };
    },
  },
  {
    name: 'wait4: WNOHANG, nothing',
    *prepare(p) {
      const child = yield* p.fork(function* (other) {
        yield* other.sleep(1e12);
      });
      return {
        *body() {
          exactly('wait4', yield* p.wait(child, 1), 0);
        },
      };
    },
  },
];
