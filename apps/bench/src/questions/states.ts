import { done, exactly, type Program } from '@rpal/kernel';
import { LibProcess } from '@rpal/librpal';
import { Rcc, ReceiverState, type RpalOptions, rpalOf, Scc } from '@rpal/rpal-core';
import { Signal } from '@rpal/uapi';
import { whole } from '../report/numbers.js';
import { type Answer, hex, type Question } from './question.js';
import { type Connection, meet } from './services.js';
import { ofClaim, ofEndlessCall, ofStateWord } from './verdicts.js';

/** Index of the client's only sender is 0; its record begins with four words (patch 35). */
const SENDER_HEADER = 16;

/** The state word of a waiting receiver is set to CALL by a peer; then the receiver is killed. */
function overwrite(options: RpalOptions): Answer {
  let address = 0;
  let before = -1;
  let alive = false;
  let aliveLater = false;
  const forge = function* (p: Program, { server }: Connection): Generator<void, void> {
    address = LibProcess.of(server).receiverContexts + Rcc.receiverState;
    const own = p.rdpkru();
    p.wrpkru(0);
    before = yield* p.load32(address);
    yield* p.store32(address, ReceiverState.CALL);
    p.wrpkru(own);
    exactly('kill', yield* p.kill(server.pid, Signal.KILL), 0);
    exactly('nanosleep', yield* p.sleep(50e6), 0);
    alive = server.exit === null;
    p.wrpkru(0);
    yield* p.store32(address, before);
    p.wrpkru(own);
    exactly('kill', yield* p.kill(server.pid, Signal.KILL), 0);
    exactly('nanosleep', yield* p.sleep(50e6), 0);
    aliveLater = server.exit === null;
  };
  const { bug } = meet(options, forge, { deaths: 'report' });
  const there = (is: boolean): string => (is ? 'alive' : 'gone');
  return {
    done: 'A peer opens all keys, sets the state word of a waiting receiver to CALL, and sends it SIGKILL. After 50 ms it puts the word back and sends SIGKILL again.',
    happened: [
      `state word at ${hex(address)}: ${before}, overwritten with ${ReceiverState.CALL}`,
      `50 ms after SIGKILL: ${there(alive)}`,
      `50 ms after the word is ${before} again, and another SIGKILL: ${there(aliveLater)}`,
      ...(bug === null ? [] : [`the kernel stopped: ${bug}`]),
    ],
    verdict: ofStateWord({ alive }),
  };
}

/** A sender claims that its receivers used all its time. */
function claim(options: RpalOptions): Answer {
  const PARTS = 100;
  const WORK = 2e6;
  let honest = 0;
  let lying = 0;
  meet(options, function* (p, { lib }) {
    const { entity } = p.context.thread;
    const total = lib.process.senders + SENDER_HEADER + Scc.totalTime;
    const charged = function* (claimed: number): Generator<void, number> {
      exactly('nanosleep', yield* p.sleep(1e6), 0);
      const start = entity.sumExec;
      for (let i = 0; i < PARTS; i++) {
        yield* p.compute(WORK);
        yield* p.store64(total, claimed);
        exactly('nanosleep', yield* p.sleep(1000), 0);
      }
      return entity.sumExec - start;
    };
    honest = yield* charged(0);
    lying = yield* charged(2 ** 40);
  });
  const believed = lying < honest / 2;
  return {
    done: `A sender works for ${PARTS} times ${whole(WORK)} cycles and sleeps for a moment after each; then it does so again, and writes a huge total_time into its own record before each sleep.`,
    happened: [`run time charged, honest: ${whole(honest / 1e3)} us`, `run time charged, with the claim: ${whole(lying / 1e3)} us`],
    verdict: ofClaim({ believed }),
  };
}

/** The callee works for several ticks without a system call. */
function longCallee(options: RpalOptions): Answer {
  const WORK = 60e6;
  let duration = 0;
  let written = 0;
  let during = 0;
  let where = -1;
  let returned = -1;
  const { machine } = meet(
    options,
    function* (p, { lib, serviceId, far, server }) {
      const words = done('mmap', yield* p.allocate(4096));
      yield* p.store64(words, 1);
      const before = rpalOf(server.kernel).instruments.lazySwitches;
      const start = p.rdtsc();
      written = yield* lib.writePtrs(serviceId, far, words, 1);
      duration = p.rdtsc() - start;
      during = rpalOf(server.kernel).instruments.lazySwitches - before;
      returned = p.context.cpu.id;
    },
    {
      *handle(p) {
        where = p.context.cpu.id;
        yield* p.compute(WORK);
      },
    },
  );
  const tick = machine.kernel.scheduler.tickCycles;
  return {
    done: `The callee works for ${whole(WORK / 1e6)} million cycles without a system call; a tick comes every ${whole(tick)}.`,
    happened: [
      `the callee began on CPU ${where}, the caller's`,
      `rpal_write_ptrs returned ${written} on CPU ${returned} after ${whole(duration)} cycles`,
      `lazy switches until then: ${during}`,
    ],
    verdict: ofEndlessCall(duration, WORK),
  };
}

export const overwrittenState: Question = {
  who: 'derived',
  question: "A receiver's state word overwritten with CALL: can it still be woken?",
  ask: overwrite,
};

export const claimedTime: Question = {
  who: 'derived',
  question: 'A sender that claims a huge total time: is it charged for what it runs?',
  ask: claim,
};

export const endlessCallee: Question = {
  who: 'derived',
  question: 'A callee that works on and on without a system call: does the caller get its thread back?',
  ask: longCallee,
};
