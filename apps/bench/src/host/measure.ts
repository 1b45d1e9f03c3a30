import { spawn } from 'node:child_process';
import { loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { NativeProgram } from '../native-program.js';
import { fail } from '../outcome.js';
import type { Progress } from '../progress.js';
import { UsageError } from '../usage.js';
import { hostComputer, stolenTime } from './host-computer.js';
import type { Composite, HostReport, HostStep } from './host-json.js';
import { spreadOf } from './spread.js';

const INSTALL = 'install one, such as with `apt install gcc libc6-dev`, `dnf install gcc` or `apk add gcc musl-dev linux-headers`';

/** A measurement that has come to an end, or was interrupted. */
export interface Measured {
  readonly report: HostReport;
  readonly complete: boolean;
}

/**
 * Measures this computer.
 * @param rounds each of which runs every measurement once
 * @throws UsageError if it cannot: no Linux on x86-64, or no C compiler
 */
export async function measureHost(rounds: number, progress: Progress): Promise<Measured> {
  if (process.arch !== 'x64') throw new UsageError(`host measures x86-64; this is ${process.arch}`);
  const program = NativeProgram.build('host');
  if (typeof program === 'string') {
    throw new UsageError(
      `host takes Linux and a C compiler to measure this computer, and ${program}${/no C compiler/.test(program) ? `: ${INSTALL}` : ''}`,
    );
  }
  try {
    const before = { load: loadavg()[0] as number, ...stolenTime() };
    const { lines, complete } = await linesOf(program.path, rounds, progress);
    const after = { load: loadavg()[0] as number, ...stolenTime() };
    const stolen = after.all > before.all ? (after.stolen - before.stolen) / (after.all - before.all) : 0;
    return { report: reportOf(lines, program.compiler, { before: before.load, after: after.load, stolen }), complete };
  } finally {
    program.dispose();
  }
}

interface Lines {
  readonly lines: readonly string[];
  readonly complete: boolean;
}

/** What the program says, until it ends or the user ends it. */
async function linesOf(path: string, rounds: number, progress: Progress): Promise<Lines> {
  const child = spawn(path, [String(rounds)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  let round = 0;
  // Ctrl-C in a terminal reaches the program as well: it may be gone before this process looks.
  const look = setInterval(() => progress.interrupted && child.kill('SIGKILL'), 100);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (line.startsWith('round ')) round = Number(line.slice(6));
      progress.show(`round ${Math.min(round + 1, rounds)} of ${rounds}`, round, rounds);
    }
    const code = await ended;
    if (code !== 0 && !progress.interrupted)
      fail(`the program that measures this computer failed: ${complaint.trim() || `it ended with ${code}`}`);
  } finally {
    clearInterval(look);
  }
  return { lines, complete: round === rounds };
}

/** What the program's lines say. @throws BenchmarkFailure if it said too little */
export function reportOf(lines: readonly string[], compiler: string, load: HostReport['load']): HostReport {
  const facts = new Map<string, number>();
  const samples = new Map<string, number[]>();
  const absent = new Map<string, string>();
  const doubts = new Set<string>();
  for (const line of lines) {
    const [kind, name = '', ...rest] = line.split(' ');
    if (kind === 'fact') facts.set(name, Number(rest[0]));
    else if (kind === 'absent') absent.set(name, rest.join(' '));
    else if (kind === 'doubt') doubts.add([name, ...rest].join(' '));
    else if (kind === 'sample') samples.set(name, [...(samples.get(name) ?? []), Number(rest[0])]);
  }
  const fact = (name: string): number => facts.get(name) ?? fail(`the program that measures this computer did not say ${name}`);
  const second = fact('second-cpu');
  const computer = hostComputer({
    compiler,
    tscGHz: fact('tsc-ghz'),
    guest: fact('hypervisor') === 1,
    cpus: [fact('first-cpu'), second < 0 ? null : second],
    rseq: fact('rseq') === 1,
  });
  const steps: HostStep[] = [];
  const composites: Composite[] = [];
  for (const [name, values] of samples) {
    const [mechanism, placement, size] = name.split('/');
    if (size !== undefined) {
      composites.push({
        mechanism: mechanism as string,
        placement: placement as Composite['placement'],
        size: Number(size),
        ...spreadOf(values),
        samples: values,
      });
    } else
      steps.push({
        name,
        what: describe(name),
        unit: name === 'switches-per-yield' ? 'count' : 'ns',
        ...spreadOf(values),
        samples: values,
      });
  }
  return { computer, load, steps, composites, absent: [...absent].map(([name, why]) => ({ name, why })), doubts: [...doubts] };
}

const WHAT: Readonly<Record<string, string>> = {
  'core-cycle': 'a cycle of the core: an addition that waits for the one before',
  'null-call': 'getppid, by syscall',
  rdtsc: 'RDTSC',
  'locked-add': 'LOCK ADD, line in the first-level cache',
  lfence: 'LFENCE',
  mfence: 'MFENCE',
  pause: 'PAUSE',
  'fp-control': 'STMXCSR, LDMXCSR, FNSTCW and FLDCW',
  rdfsbase: 'RDFSBASE',
  wrfsbase: 'WRFSBASE',
  rdpkru: 'RDPKRU',
  wrpkru: 'WRPKRU',
  'indirect-call': 'a call through a register of a function that returns at once',
  retpoline: 'the same through a retpoline',
  'sprintf-stamp': "sprintf of a stamp of 52 bits, as the RFC's sample does it",
  'sscanf-stamp': 'sscanf of such a stamp',
  'load-first-level': 'a load that waits for the one before, 16 KiB in use',
  'load-second-level': 'the same, 256 KiB in use',
  'load-memory': 'the same, 128 MiB in use',
  'page-fault': 'first touch of an anonymous page',
  mprotect: 'mprotect of a page that is there, half of them with a write after',
  'futex-wake': 'FUTEX_WAKE, nobody waits',
  yield: 'sched_yield to another process on the CPU',
  'switches-per-yield': 'context switches of a sched_yield',
  'line-transfer': 'a line that another CPU has written, one way',
  'interrupt-other': 'membarrier with a thread that runs on the other CPU: an interrupt there, acknowledged',
  'wake-idle': 'from FUTEX_WAKE to the woken process on another CPU, which was idle for 60 us',
  'wake-idle-call': 'the FUTEX_WAKE of such a wake-up, until it returns to the waker',
};

function describe(name: string): string {
  const known = WHAT[name];
  if (known !== undefined) return known;
  const [how, bytes] = name.split('-');
  return how === 'copy' ? `REP MOVSB of ${bytes} bytes` : `REP STOSB of ${bytes} bytes`;
}
