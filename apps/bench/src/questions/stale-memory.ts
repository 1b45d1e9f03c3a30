import { walk } from '@rpal/hw-x86';
import { done, exactly } from '@rpal/kernel';
import { librpal, rpalExecutable } from '@rpal/librpal';
import { type RpalOptions, rpalOf } from '@rpal/rpal-core';
import { MapFlag, Prot } from '@rpal/uapi';
import { type Answer, hex, type Question } from './question.js';
import { meet, smallMachine } from './services.js';
import { ofSharedPages, ofStaleFlush } from './verdicts.js';

const SECRET = 42;

/** The server unmaps a page, or makes it read-only, while the client, which has used it, goes on on another CPU. */
function afterFlush(options: RpalOptions, change: 'unmap' | 'protect', leave: boolean): { line: string; stale: boolean } {
  let asked = false;
  let changed = false;
  let at = 0;
  let seen = -1;
  let present = false;
  const { client } = meet(
    options,
    function* (p, { told, server, fd }) {
      at = told.get('page') as number;
      p.wrpkru(0);
      yield* p.load64(at);
      yield* p.store64(at, SECRET);
      asked = true;
      const note = done('mmap', yield* p.allocate(4096));
      done('write', yield* p.write(fd, note, 1));
      // In user mode throughout: a switch of address spaces would flush.
      while (!changed) yield* p.compute(500);
      if (leave) exactly('nanosleep', yield* p.sleep(1e6), 0);
      present = walk(p.context.cpu.memory, server.mm.tables.root, at).present;
      if (change === 'unmap') seen = yield* p.load64(at);
      else {
        yield* p.store64(at, SECRET + 1);
        seen = yield* p.load64(at);
      }
    },
    {
      deaths: 'report',
      *prepare(p, told) {
        told.set('page', done('mmap', yield* p.allocate(4096)));
      },
      *bytes(p) {
        if (!asked) return;
        if (change === 'unmap') exactly('munmap', yield* p.munmap(at, 4096), 0);
        else exactly('mprotect', yield* p.mprotect(at, 4096, Prot.READ), 0);
        changed = true;
      },
    },
  );
  const stale = seen >= 0;
  const act = change === 'unmap' ? `munmap, then a read of ${hex(at)}` : `mprotect to read-only, then a write to ${hex(at)}`;
  const got = stale ? `${change === 'unmap' ? 'gives' : 'is done, and leaves'} ${seen}` : `signal ${client.exit?.signal}`;
  return {
    stale,
    line: `${act}${leave ? ' after having slept' : ''}: ${got}${change === 'unmap' && stale && !present ? " (the owner's tables have no page there)" : ''}`,
  };
}

function staleTranslation(options: RpalOptions): Answer {
  const runs = [afterFlush(options, 'unmap', false), afterFlush(options, 'protect', false), afterFlush(options, 'unmap', true)];
  const stale = runs.some((run) => run.stale);
  return {
    done: "The client, in user mode on CPU 1 with all keys open, has used a page of the server's. The server, on CPU 0, unmaps it or makes it read-only. Then the client uses it again.",
    happened: runs.map(({ line }) => line),
    verdict: ofStaleFlush({ stale, afterSleep: runs[2]?.stale === true }),
  };
}

/** A child of the service maps the shared pages that the service then unmaps. */
function afterFork(options: RpalOptions): string {
  const machine = smallMachine(options);
  const { frames } = machine.kernel.memory;
  let childHas = false;
  let count = -1;
  let written = false;
  let freed = false;
  machine.spawn(
    rpalExecutable('service', function* (p) {
      const lib = librpal(p);
      done('rpal_init', yield* lib.init(1));
      const at = done('mmap', yield* p.mmap(0, 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED, lib.process.rpalFd));
      yield* p.store64(at, SECRET);
      const shared = rpalOf(machine)
        .byKey.get(lib.process.key)
        ?.sharedPages.find(({ userStart }) => userStart === at);
      const frame = shared?.frame(0) as number;
      done(
        'fork',
        yield* p.fork(function* (child) {
          childHas = walk(child.context.cpu.memory, child.context.thread.memory.tables.root, at).present;
          while (!freed) exactly('nanosleep', yield* child.sleep(1e5), 0);
          count = frames.count(frame);
          child.wrpkru(0);
          yield* child.store64(at, SECRET + 1);
          written = true;
        }),
      );
      exactly('nanosleep', yield* p.sleep(1e6), 0);
      exactly('munmap', yield* p.munmap(at, 4096), 0);
      freed = true;
      done('wait4', yield* p.wait());
    }),
  );
  machine.run();
  return `fork, then munmap in the parent: the child ${childHas ? 'has' : 'does not have'} the page; ${count} reference${count === 1 ? '' : 's'} left, none of them counted by the service; the child's write to it ${written ? 'is done' : 'fails'}`;
}

/** The owner takes its mapping down in parts. */
function inParts(options: RpalOptions): { line: string; lost: number; broken: boolean } {
  const PAGES = 4;
  const machine = smallMachine(options);
  const { frames } = machine.kernel.memory;
  let first: readonly number[] = [];
  let second: readonly number[] = [];
  let left = '';
  machine.spawn(
    rpalExecutable('service', function* (p) {
      const lib = librpal(p);
      done('rpal_init', yield* lib.init(1));
      const at = done('mmap', yield* p.mmap(0, PAGES * 4096, Prot.READ | Prot.WRITE, MapFlag.SHARED, lib.process.rpalFd));
      const service = rpalOf(machine).byKey.get(lib.process.key);
      const shared = service?.sharedPages.find(({ userStart }) => userStart === at);
      const own = Array.from({ length: PAGES }, (_, i) => shared?.frame(i) as number);
      exactly('munmap', yield* p.munmap(at, 4096), 0);
      first = own.map((frame) => frames.count(frame));
      left = shared !== undefined && service?.sharedPages.includes(shared) ? 'still knows' : 'has forgotten';
      exactly('munmap', yield* p.munmap(at + 4096, (PAGES - 1) * 4096), 0);
      second = own.map((frame) => frames.count(frame));
    }),
  );
  machine.run();
  const warned = rpalOf(machine).instruments.log.filter((line) => /freed a second time|all are freed/.test(line)).length;
  const lost = second.filter((count) => count > 0).length;
  return {
    lost,
    broken: warned > 0,
    line: `${PAGES} pages, the first unmapped: references ${first.join(', ')}, the service ${left} the mapping; then the rest: ${second.join(', ')}; errors logged: ${warned}`,
  };
}

function sharedPages(options: RpalOptions): Answer {
  const forked = afterFork(options);
  const parts = inParts(options);
  const childHas = /the child has/.test(forked);
  return {
    done: 'A service maps pages through /proc/rpal; it forks and unmaps them; or it unmaps them in two parts.',
    happened: [forked, parts.line],
    verdict: ofSharedPages({ ...parts, childHas }),
  };
}

export const staleFlush: Question = {
  who: 'derived',
  question: 'A ranged TLB flush while a peer runs on another CPU?',
  ask: staleTranslation,
};

export const sharedPageMappings: Question = {
  who: 'derived',
  question: 'fork or partial munmap of a shared page mapping?',
  ask: sharedPages,
};
