import './host-engine.js';
import { parentPort, workerData } from 'node:worker_threads';
import { type Io, type Output, textOutput } from './io.js';
import { main } from './main.js';
import { INTERRUPT, type ProgramData, type ProgramMessage, type StreamName } from './supervisor.js';

// Reports of deaths and deadlocks name the arguments of calls: exported so that the bundle keeps the table.
export { callSignatures } from '@rpal/kernel';

/** The program, on the thread that `supervise` starts it on. */

const { args, ends } = workerData as ProgramData;
const say = (message: ProgramMessage): void => parentPort?.postMessage(message);

function output(stream: StreamName): Output {
  return textOutput(ends[stream], (text) => say({ stream, text }));
}

const handlers = new Set<() => void>();
parentPort?.on('message', (message) => {
  if (message === INTERRUPT) for (const handler of [...handlers]) handler();
});
// It should not keep the thread alive.
parentPort?.unref();

const stdout = output('stdout');
const io: Io = {
  stdout,
  data: stdout,
  stderr: output('stderr'),
  env: process.env,
  patience: 2000,
  directory: process.cwd(),
  onInterrupt(handler) {
    handlers.add(handler);
    say({ heedsInterrupt: true });
    return () => {
      handlers.delete(handler);
      say({ heedsInterrupt: handlers.size > 0 });
    };
  },
};

process.on('unhandledRejection', (reason) => {
  throw new Error(`a promise was rejected, and nothing waits for it: ${reason instanceof Error ? reason.message : String(reason)}`);
});

say({ code: await main(args, io) });
// A plugin may have left timers behind.
process.exit();
