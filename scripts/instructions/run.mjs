#!/usr/bin/env node
// Executed instructions of the host per round trip of the benchmark, by valgrind's callgrind: `node scripts/instructions/run.mjs`.
// They are nearly the same at every run and on every computer of one kind, but it takes minutes: for those who change a hot path.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const USAGE = `usage: node scripts/instructions/run.mjs [--phase epoll|rpal] [--placement same-cpu|same-socket|cross-socket]
Prints how many instructions of this computer a round trip takes once the host's engine has compiled what is executed often.
Exit codes: 0 done; 1 a run failed; 2 wrong use, or something is missing.`;

const PERF = fileURLToPath(new URL('../../apps/bench/dist/perf.js', import.meta.url));
const PHASES = ['epoll', 'rpal'];
const PLACEMENTS = ['same-cpu', 'same-socket', 'cross-socket'];
/** Round trips that are counted in the shorter and in the longer run: what both have in common, start and warm-up, cancels out. */
const [SHORT, LONG] = [2000, 12_000];
/** Round trips before. Under valgrind they take minutes. */
const WARM_UP = 30_000;

function stop(message) {
  console.error(message);
  process.exit(2);
}

function options(args) {
  const chosen = { phases: PHASES, placement: 'same-cpu' };
  for (let i = 0; i < args.length; i += 2) {
    const [name, value] = [args[i], args[i + 1]];
    if (name === '--phase' && PHASES.includes(value)) chosen.phases = [value];
    else if (name === '--placement' && PLACEMENTS.includes(value)) chosen.placement = value;
    else if (name === '--help') {
      console.log(USAGE);
      process.exit(0);
    } else stop(USAGE);
  }
  return chosen;
}

/** Instructions of a whole run, of all its threads. */
function instructions(phase, placement, messages) {
  const directory = mkdtempSync(join(tmpdir(), 'rpal-instructions-'));
  try {
    const tool = ['--tool=callgrind', '--smc-check=all-non-file', `--callgrind-out-file=${join(directory, 'out.%p')}`];
    // Compiled in the thread that runs, always after the same number of calls: else the two runs would not have the same in common.
    const engine = ['--single-threaded', '--predictable'];
    const run = spawnSync(
      'valgrind',
      [...tool, process.execPath, ...engine, PERF, 'time-model', phase, placement, `${messages}`, `${WARM_UP}`],
      {
        encoding: 'utf8',
      },
    );
    if (run.status !== 0) throw new Error(run.stderr.trim().split('\n').slice(-5).join('\n'));
    let sum = 0;
    for (const file of readdirSync(directory)) {
      for (const [, count] of readFileSync(join(directory, file), 'utf8').matchAll(/^(?:totals|summary): (\d+)$/gm)) {
        sum = Math.max(sum, Number(count));
      }
    }
    if (sum === 0) throw new Error('callgrind has written no totals');
    return { sum, messages: JSON.parse(run.stdout).messages };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const { phases, placement } = options(process.argv.slice(2));
const missing = [
  ...(spawnSync('valgrind', ['--version']).status === 0 ? [] : ['valgrind, which counts (apt-get install valgrind)']),
  ...(existsSync(PERF) ? [] : ['apps/bench/dist/perf.js (npm run perf -- --help builds it)']),
];
if (missing.length > 0) stop(`missing: ${missing.join('; ')}`);
try {
  for (const phase of phases) {
    const [short, long] = [SHORT, LONG].map((messages) => instructions(phase, placement, messages));
    const each = (long.sum - short.sum) / (long.messages - short.messages);
    console.log(`${phase}, ${placement}: ${Math.round(each)} instructions per round trip`);
  }
} catch (error) {
  console.error(`instructions: ${error.message}`);
  process.exit(1);
}
