import { done, exactly } from '@rpal/kernel';
import { librpal, rpalExecutable } from '@rpal/librpal';
import type { RpalOptions } from '@rpal/rpal-core';
import { Signal } from '@rpal/uapi';
import { type Answer, hex, type Question } from './question.js';
import { meet, runToEnd, smallMachine } from './services.js';
import { ofConsent, ofForgery } from './verdicts.js';

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
    verdict: ofForgery({ taken }),
  };
}

/** The victim is a service with a waiting receiver, and has requested no other service. */
function oneSided(options: RpalOptions): Answer {
  const machine = smallMachine(options);
  const GUESSES = 8;
  const tried: string[] = [];
  let pid = -1;
  const victim = machine.spawn(
    rpalExecutable('victim', function* (p) {
      const lib = librpal(p);
      done('rpal_init', yield* lib.init(1));
      done('rpal_receiver_init', yield* lib.receiverInit());
      const epfd = done('epoll_create1', yield* p.epollCreate());
      const events = done('mmap', yield* p.allocate(4096));
      yield* lib.epollWait(epfd, events, 4, -1);
    }),
    0,
  );
  const attacker = machine.spawn(
    rpalExecutable('attacker', function* (p) {
      exactly('nanosleep', yield* p.sleep(5e6), 0);
      const lib = librpal(p);
      done('rpal_init', yield* lib.init(1));
      for (let key = 1; key <= GUESSES; key++) {
        if (key === lib.process.key) continue;
        const granted = (yield* lib.requestService(key)) === 0;
        tried.push(`request of key ${key}: ${granted ? 'granted' : 'refused'}`);
        if (granted) break;
      }
      exactly('rpal_sender_init', yield* lib.senderInit(), 0);
      const own = p.rdfsbase();
      p.wrfsbase(victim.leader.fsBase);
      pid = yield* p.getpid();
      p.wrfsbase(own);
      exactly('kill', yield* p.kill(victim.pid, Signal.KILL), 0);
    }),
    1,
  );
  const bug = runToEnd(machine, 'report');
  const taken = pid === victim.pid;
  return {
    done: `A victim waits as a receiver and has requested nobody. The attacker guesses its key, from 1 upwards, registers as a sender, and makes a system call with the victim's FS base (which the experiment tells it; an attacker would have to find it out).`,
    happened: [
      ...tried,
      `process ids: attacker ${attacker.pid}, victim ${victim.pid}; getpid() with the victim's FS base: ${pid}`,
      ...(bug === null ? [] : [`the kernel stopped: ${bug}`]),
    ],
    verdict: ofConsent({ taken }),
  };
}

export const forgedFsBase: Question = {
  who: 'derived',
  question: "A registered thread writes a receiver's FS base and makes a system call without a call: as whom is it executed?",
  ask: forge,
};

export const forgedOneSided: Question = {
  who: 'derived',
  question: 'The same when the victim has requested nobody, and its key is guessed?',
  ask: oneSided,
};
