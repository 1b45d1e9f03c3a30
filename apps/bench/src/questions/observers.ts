import { definePlugin } from '@rpal/bus';
import { Vector } from '@rpal/hw-x86';
import { currentThread, done, exactly } from '@rpal/kernel';
import { posix } from '@rpal/posix';
import type { RpalOptions } from '@rpal/rpal-core';
import { whole } from '../report/numbers.js';
import { type Answer, errno, type Question } from './question.js';
import { meet } from './services.js';
import { ofObservers } from './verdicts.js';

/** A sender, watched while its thread executes the receiver's code: by the profiler, a debugger, a core dump. */
function observed(options: RpalOptions): Answer {
  const samples: string[] = [];
  let server = -1;
  let secret = 0;
  let viaClient = 0;
  let viaServer = 0;
  let inCall = false;
  let senderAt = '';
  let dumped = { own: 0, peer: 0, balloon: 0 };
  const profiler = definePlugin({
    name: 'profiler',
    version: '1.0.0',
    setup({ plugin, hooks, machine }) {
      hooks.kernelNmi.tap(plugin, (cpu) => {
        const thread = currentThread(machine.kernel.scheduler, cpu);
        samples.push(`${thread.process.name} (pid ${thread.process.pid})`);
        return 1;
      });
    },
  });
  meet(
    options,
    function* (p, { lib, serviceId, far, told }) {
      secret = told.get('secret') as number;
      const words = done('mmap', yield* p.allocate(4096));
      yield* p.store64(words, 1);
      done('rpal_write_ptrs', yield* lib.writePtrs(serviceId, far, words, 1));
      inCall = false;
    },
    {
      plugins: [profiler(), posix()],
      *prepare(p, told) {
        const page = done('mmap', yield* p.allocate(4096));
        yield* p.store64(page, 42);
        told.set('secret', page);
      },
      *handle(p) {
        server = p.context.thread.process.pid;
        inCall = true;
        yield* p.compute(3e6);
        // A sample arrives in the middle of the callee's work.
        p.context.cpu.raise(Vector.nmi, p.context.cpu.clock);
        yield* p.compute(3e6);
      },
      *bystander(p, theServer, theClient) {
        const page = done('mmap', yield* p.allocate(4096));
        while (!inCall) exactly('nanosleep', yield* p.sleep(20_000), 0);
        const remote = [{ address: secret, length: 8 }];
        const local = [{ address: page, length: 8 }];
        while (samples.length === 0) yield* p.compute(2000);
        viaClient = yield* p.processVmReadv(theClient.pid, local, remote);
        viaServer = yield* p.processVmReadv(theServer.pid, local, remote);
        const { frame } = theClient.leader;
        const { user } = frame;
        senderAt =
          user === null ? 'nowhere' : ((user as { thread?: { process: { name: string } } }).thread?.process.name ?? 'its own code');
        for (const { start, end, object } of theClient.mm.areas) {
          const bytes = end - start;
          if (bytes > 2 ** 38) dumped.balloon += bytes;
          else if (object === null || object.name !== 'rpal') dumped.own += bytes;
        }
        dumped = { ...dumped };
      },
    },
  );
  const inDump = secret !== 0 && viaClient > 0;
  return {
    done: 'While the server’s code runs on the client’s thread, a profiling interrupt (NMI) arrives; then a third process reads the server’s memory through the client’s address space, as a debugger of the client would, and through the server’s.',
    happened: [
      `the sample is booked to: ${samples.join(', ') || 'nobody'} (server is pid ${server})`,
      `the saved registers of the client lead into the code of: ${senderAt}`,
      `process_vm_readv of the server's address through the client: ${errno(viaClient)}; through the server: ${errno(viaServer)}`,
      `a core dump of the client: ${whole(dumped.own / 1024)} KiB of its own areas; ${whole(dumped.balloon / 2 ** 30)} GiB of balloon marked as not to be dumped; nothing of the peer, of which it has no area`,
    ],
    verdict: ofObservers(samples, 'server', inDump),
  };
}

export const observers: Question = {
  who: 'derived',
  question: 'ptrace, core dump, perf sample of a sender within a call: what do they see?',
  ask: observed,
};
