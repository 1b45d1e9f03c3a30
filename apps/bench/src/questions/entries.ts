import type { CpuProfile } from '@rpal/hw-x86';
import { EventFd } from '@rpal/ipc';
import { type Call, done, type Program, SyscallNumber } from '@rpal/kernel';
import { type RpalOptions, rpalOf } from '@rpal/rpal-core';
import { type Answer, errno, type Question } from './question.js';
import { meet, smallProfile } from './services.js';
import { ofEntries } from './verdicts.js';

const withFred: CpuProfile = { ...smallProfile, features: { ...smallProfile.features, fred: true } };

type Routine = Call | Generator<void, number>;

interface Seen {
  readonly pid: number;
  readonly server: number;
  readonly client: number;
  readonly result: number;
  readonly inClient: boolean;
  readonly switches: number;
  readonly long: number;
}

/** What a callee's system calls do on a CPU, entered in a way. */
function calls(options: RpalOptions, profile: CpuProfile, getpid: (p: Program) => Routine, open: (p: Program) => Routine): Seen {
  let pid = -1;
  let result = -1;
  let fd = -1;
  let inClient = false;
  let switches = 0;
  let long = 0;
  const WORK = 30e6;
  const { server, client } = meet(
    options,
    function* (p, { lib, serviceId, far, server: theServer }) {
      const words = done('mmap', yield* p.allocate(4096));
      // Page faults would switch, too: they come in calls that are not looked at.
      for (const word of [0, 0, 1]) {
        yield* p.store64(words, word);
        if (word === 0) done('rpal_write_ptrs', yield* lib.writePtrs(serviceId, far, words, 1));
      }
      const before = rpalOf(theServer.kernel).instruments.lazySwitches;
      result = yield* lib.writePtrs(serviceId, far, words, 1);
      switches = rpalOf(theServer.kernel).instruments.lazySwitches - before;
      inClient = p.context.thread.process.files.lookUp(p.context.cpu, fd) instanceof EventFd;
      yield* p.store64(words, 2);
      const start = p.rdtsc();
      done('rpal_write_ptrs', yield* lib.writePtrs(serviceId, far, words, 1));
      long = (p.rdtsc() - start) / WORK;
    },
    {
      profile,
      *handle(p, word) {
        if (word === 2) {
          yield* p.compute(WORK);
          return;
        }
        if (word === 0) return;
        pid = yield* getpid(p);
        fd = yield* open(p);
      },
    },
  );
  return { pid, server: server.pid, client: client.pid, result, inClient, switches, long };
}

function unhooked(options: RpalOptions): Answer {
  const eventfd = SyscallNumber.eventfd2;
  const rows: readonly (readonly [string, Seen])[] = [
    [
      'SYSCALL',
      calls(
        options,
        smallProfile,
        (p) => p.syscall(SyscallNumber.getpid),
        (p) => p.eventfd(),
      ),
    ],
    [
      'INT 0x80',
      calls(
        options,
        smallProfile,
        (p) => p.int80(SyscallNumber.getpid),
        (p) => p.int80(eventfd),
      ),
    ],
    [
      'SYSENTER and 32-bit SYSCALL',
      calls(
        options,
        smallProfile,
        (p) => p.compatSyscall(SyscallNumber.getpid),
        (p) => p.compatSyscall(eventfd),
      ),
    ],
    [
      'FRED',
      calls(
        options,
        withFred,
        (p) => p.syscall(SyscallNumber.getpid),
        (p) => p.eventfd(),
      ),
    ],
  ];
  const wrong = rows.filter(([, { pid, client }]) => pid === client).map(([name]) => name);
  return {
    done: 'The callee calls getpid() and makes an eventfd, on a CPU with SYSCALL and IDT, through INT 0x80 and the other 32-bit entries there, and on a CPU with FRED; then it works for 30 million cycles.',
    happened: rows.map(
      ([name, { pid, server, client, result, inClient, switches, long }]) =>
        `${name}: getpid() gives ${pid} (server ${server}, client ${client}); the descriptor is in ${inClient ? "the client's" : "the server's"} table; lazy switches in the call: ${switches}; rpal_write_ptrs gives ${errno(result)}; a long callee holds the caller for ${(100 * long).toFixed(0)} % of its work`,
    ),
    verdict: ofEntries(wrong, rows.at(-1)?.[1].long ?? 0),
  };
}

export const unhookedEntries: Question = {
  who: 'derived',
  question: 'A CPU with FRED, or 32-bit system calls?',
  ask: unhooked,
};
