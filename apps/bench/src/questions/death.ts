import { done, exactly, type Process } from '@rpal/kernel';
import type { RpalOptions } from '@rpal/rpal-core';
import { Signal } from '@rpal/uapi';
import { whole } from '../report/numbers.js';
import { type Answer, hex, type Question } from './question.js';
import { meet } from './services.js';
import { ofDeath, ofSignal } from './verdicts.js';

/** Shorter than a tick, so that the call is not taken apart for another reason. */
const WORK = 4e6;

interface Killed {
  readonly result: number | null;
  readonly again: number | null;
  readonly finished: boolean;
  readonly delay: number;
  readonly client: Process;
  readonly server: Process;
  readonly bug: string | null;
}

/** One of the two is killed while the server's code runs on the client's thread. */
function kill(options: RpalOptions, whom: 'client' | 'server', signal: number): Killed {
  let inCall = false;
  let finished = false;
  let result: number | null = null;
  let again: number | null = null;
  let killedAt = 0;
  let backAt = 0;
  const { client, server, bug } = meet(
    options,
    function* (p, { lib, serviceId, far }) {
      const words = done('mmap', yield* p.allocate(4096));
      yield* p.store64(words, 1);
      result = yield* lib.writePtrs(serviceId, far, words, 1);
      backAt = p.rdtsc();
      again = yield* lib.writePtrs(serviceId, far, words, 1);
    },
    {
      deaths: 'report',
      *handle(p) {
        inCall = true;
        yield* p.compute(WORK);
        finished = true;
      },
      *bystander(p, theServer, theClient) {
        while (!inCall) exactly('nanosleep', yield* p.sleep(20_000), 0);
        killedAt = p.rdtsc();
        exactly('kill', yield* p.kill((whom === 'server' ? theServer : theClient).pid, signal), 0);
      },
    },
  );
  return { result, again, finished, delay: backAt - killedAt, client, server, bug };
}

function end({ exit }: Process): string {
  if (exit === null) return 'is still there';
  if (exit.signal === 0) return 'ended by itself';
  return `ended by signal ${exit.signal}${exit.address === 0 ? '' : ` at ${hex(exit.address)}`}`;
}

function receiverDies(options: RpalOptions): Answer {
  const { result, again, finished, delay, client, server, bug } = kill(options, 'server', Signal.KILL);
  return {
    done: `A bystander sends SIGKILL to the server while its code runs on the client's thread, ${whole(WORK)} cycles of work. The client then calls again.`,
    happened: [
      `the server, at ${hex(server.textStart)}, ${end(server)}; its work was ${finished ? 'finished' : 'cut off'}`,
      `the call ${result === null ? 'never returned' : `returned ${result}, ${whole(delay)} cycles after the kill`}; the next one ${again === null ? 'never returned' : `returned ${again}`}`,
      `the client ${end(client)}`,
      ...(bug === null ? [] : [`the kernel stopped: ${bug}`]),
    ],
    verdict: ofDeath({ stopped: bug !== null, survives: client.exit?.signal === 0, finished }),
  };
}

function senderSignalled(options: RpalOptions): Answer {
  const { finished, client, server, bug } = kill(options, 'client', Signal.TERM);
  return {
    done: "A bystander sends SIGTERM to the client while the server's code runs on the client's thread.",
    happened: [
      `the client ${end(client)}`,
      `the server's work was ${finished ? 'finished' : 'cut off'}; the server ${end(server)}`,
      ...(bug === null ? [] : [`the kernel stopped: ${bug}`]),
    ],
    verdict: ofSignal({ senderAlone: client.exit?.signal === Signal.TERM && server.exit?.signal === 0, finished }),
  };
}

export const receiverKilled: Question = {
  who: 'derived',
  question: 'A receiver whose process ends while its code runs on a sender: what becomes of the sender?',
  ask: receiverDies,
};

export const signalToSender: Question = {
  who: 'derived',
  question: 'A signal to the sender within a call: who gets it?',
  ask: senderSignalled,
};
