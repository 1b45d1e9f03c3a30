import { createMachine, executable, type Program, Time } from '@rpal/kernel';
import { librpal, rpalExecutable } from '@rpal/librpal';
import { rpal } from '@rpal/rpal-core';
import { tally } from './plugin.js';

declare const console: { log(text: string): void };

const counts = { switches: 0, faults: 0, calls: 0 };
const machine = createMachine({ plugins: [tally(counts), rpal()] });

machine.spawn(
  rpalExecutable('service', function* (p: Program) {
    const failed = (yield* librpal(p).init(1)) < 0;
    yield* p.sleep(Time.ms);
    return failed ? 1 : 0;
  }),
);
const plain = machine.spawn(
  executable('plain', function* (p: Program) {
    const buffer = yield* p.allocate(3 * 4096);
    for (let page = 0; page < 3; page++) yield* p.store8(buffer + page * 4096, 1);
    return (yield* p.getpid()) === plain.pid ? 0 : 1;
  }),
);
machine.run();
const fingerprint = machine.fingerprint();
machine.teardown();
console.log(JSON.stringify({ plugins: machine.plugins, counts, exit: plain.exit, fingerprint }));
