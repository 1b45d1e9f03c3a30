import { PAGE_SIZE, Pte, walk } from '@rpal/hw-x86';
import { done, type Program } from '@rpal/kernel';
import type { RpalOptions } from '@rpal/rpal-core';
import { Signal, SignalCode } from '@rpal/uapi';
import { type Answer, hex, type Question } from './question.js';
import { type Connection, type Met, meet } from './services.js';
import { ofFreedKey, ofIntent, ofPopulation, ofReach, ofStrayRead } from './verdicts.js';

const SECRET = 0x5ec2e7;

/** A server with a secret, and a client that goes for it. */
function intrude(options: RpalOptions, attack: (p: Program, at: number, connection: Connection) => Generator<void, void>): Met {
  return meet(options, (p, connection) => attack(p, connection.told.get('secret') as number, connection), {
    deaths: 'report',
    *prepare(p, told) {
      const page = done('mmap', yield* p.allocate(4096));
      yield* p.store64(page, SECRET);
      told.set('secret', page);
    },
  });
}

function endOf({ exit }: Met['client']): string {
  if (exit === null) return 'still runs';
  if (exit.signal === 0) return 'ended by itself';
  const why =
    exit.signal === Signal.SEGV && exit.code === SignalCode.SEGV_PKUERR
      ? 'SIGSEGV with SEGV_PKUERR'
      : `signal ${exit.signal}, code ${exit.code}`;
  return `${why} at ${hex(exit.address)}`;
}

function strayRead(options: RpalOptions): Answer & { blocked: boolean } {
  let seen = -1;
  let at = 0;
  const { client, server } = intrude(options, function* (p, secret) {
    at = secret;
    seen = yield* p.load64(secret);
  });
  const blocked = seen !== SECRET;
  return {
    blocked,
    done: 'The client reads an address of the server outside a call.',
    happened: [`read of ${hex(at)}: ${blocked ? 'no value' : hex(seen)}`, `client: ${endOf(client)}`, `server: ${endOf(server)}`],
    verdict: ofStrayRead({ blocked }),
  };
}

function wrpkruZero(options: RpalOptions): Answer {
  let seen = -1;
  let written = -1;
  let at = 0;
  const stray = strayRead(options);
  const { client, server } = intrude(options, function* (p, secret) {
    at = secret;
    p.wrpkru(0);
    seen = yield* p.load64(secret);
    yield* p.store64(secret, SECRET + 1);
    written = yield* p.load64(secret);
  });
  const open = seen === SECRET && written === SECRET + 1;
  return {
    done: `${stray.done} Then, on another machine, it executes WRPKRU(0) first, reads, and writes.`,
    happened: [
      ...stray.happened.map((line) => `without WRPKRU: ${line}`),
      `with WRPKRU(0): read of ${hex(at)} gives ${hex(seen)}; after the write it holds ${hex(written)}`,
      `client: ${endOf(client)}; server: ${endOf(server)}`,
    ],
    verdict: ofIntent({ open, strayBlocked: stray.blocked }),
  };
}

/** Counts the server's resident pages that the client's tables reach, and those of them that its keys open. */
function reach(options: RpalOptions): Answer {
  let resident = 0;
  let mapped = 0;
  let readable = 0;
  let pkru = 0;
  intrude(options, function* (p, _secret, { server }) {
    const { cpu } = p.context;
    pkru = p.rdpkru();
    for (const area of server.mm.areas) {
      if (area.end - area.start > 2 ** 38) continue; // the balloon: reserved, never populated
      for (let page = area.start; page < area.end; page += PAGE_SIZE) {
        if (!walk(cpu.memory, server.mm.tables.root, page).present) continue;
        resident++;
        const { present, low, high } = walk(cpu.memory, cpu.mmu.root, page);
        if (!present || (low & Pte.user) === 0) continue;
        mapped++;
        if (((pkru >>> (2 * ((high >>> 27) & 15))) & 1) === 0) readable++;
      }
    }
    yield* p.getpid();
  });
  return {
    done: "Every resident page of the server is looked up in the client's page tables, and its key in the client's PKRU, outside a call.",
    happened: [
      `resident pages of the server: ${resident}`,
      `in the client's page tables, for user mode: ${mapped}`,
      `readable with PKRU ${hex(pkru)}: ${readable}; with PKRU 0: ${mapped}`,
    ],
    verdict: ofReach(mapped, resident, readable),
  };
}

/** The server, or a child of it, tries to give its key back. */
function freeKey(options: RpalOptions): Answer {
  let service = 0;
  let own = -1;
  let allocated = -1;
  meet(options, function* (p, { lib }) {
    own = lib.process.pkey;
    service = yield* p.pkeyFree(own);
    allocated = yield* p.pkeyAlloc(0, 0);
  });
  const refused = service < 0;
  return {
    done: 'A service calls pkey_free with the key of its own memory, and pkey_alloc afterwards.',
    happened: [`key of the service: ${own}`, `pkey_free(${own}): ${service}`, `pkey_alloc: ${allocated}`],
    verdict: ofFreedKey({ refused, again: allocated === own }),
  };
}

/** A page that the server has mapped and never touched. */
function populate(options: RpalOptions): Answer {
  let before = false;
  let after = false;
  let at = 0;
  const { client } = meet(
    options,
    function* (p, { told, server }) {
      at = told.get('untouched') as number;
      before = walk(p.context.cpu.memory, server.mm.tables.root, at).present;
      yield* p.load64(at);
    },
    {
      deaths: 'report',
      *prepare(p, told) {
        told.set('untouched', done('mmap', yield* p.allocate(4096)));
      },
      clientEnded({ kernel, mm }) {
        after = walk(kernel.scheduler.platform.memory, mm.tables.root, at).present;
      },
    },
  );
  const there = (present: boolean): string => (present ? 'present' : 'not present');
  return {
    done: 'The client reads a page that the server has mapped but never touched, without the key.',
    happened: [
      `address ${hex(at)}`,
      `client: ${endOf(client)}`,
      `in the server's page tables: ${there(before)} before, ${there(after)} after`,
    ],
    verdict: ofPopulation({ before, after }),
  };
}

export const reachableMemory: Question = {
  who: 'Lorenzo Stoakes, on v1',
  question: 'Sharing the address space dismantles process isolation: what of A can B reach, with and without its keys?',
  ask: reach,
};

export const keyGivenBack: Question = {
  who: 'Dave Hansen, on patch 26',
  question: 'pkey_free seems not blocked: could a key in use be given to somebody else?',
  ask: freeKey,
};

export const populatedForOthers: Question = {
  who: 'derived',
  question: "What happens when a peer's page that is not present is touched without the key?",
  ask: populate,
};

export const keysAgainstIntent: Question = {
  who: 'Dave Hansen, on patch 26',
  question: 'WRPKRU and XRSTOR are unprivileged and in common libraries: are keys a barrier against anyone who executes them?',
  ask: wrpkruZero,
};
