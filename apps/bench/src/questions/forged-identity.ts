import type { RpalOptions } from '@rpal/rpal-core';
import { type Answer, hex, type Question } from './question.js';
import { meet } from './services.js';

/** The client puts the server's FS base into its own register and makes a system call, without calling. */
function forge(options: RpalOptions): Answer {
  let own = 0;
  let base = 0;
  let pid = -1;
  let after = -1;
  const { server, client, machine, bug } = meet(options, function* (p, { server: victim }) {
    own = p.rdfsbase();
    base = victim.leader.fsBase;
    p.wrfsbase(base);
    pid = yield* p.getpid();
    p.wrfsbase(own);
    after = yield* p.getpid();
  });
  const taken = pid === server.pid;
  return {
    done: 'A registered sender writes the FS base of a waiting receiver into its own FS base and calls getpid(), without rpal_write_ptrs. Then it restores its own and asks again.',
    happened: [
      `process ids: client ${client.pid}, server ${server.pid}`,
      `getpid() with FS base ${hex(base)}: ${pid}`,
      `getpid() with its own FS base ${hex(own)}: ${after}`,
      ...(bug === null ? [] : [`the kernel stopped: ${bug}`]),
      `machine time ${Math.round(machine.platform.now / 1e6)} million cycles`,
    ],
    verdict: taken
      ? 'The forged register is believed: the system call was executed as the other process, with its credentials and descriptors.'
      : 'The forged register changes nothing: the system call was executed as the caller.',
  };
}

export const forgedFsBase: Question = {
  who: 'derived',
  question: "A registered thread writes a receiver's FS base and makes a system call without a call: as whom is it executed?",
  ask: forge,
};
