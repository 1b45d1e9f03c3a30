import { type Curves, type Experiment, type ExperimentOptions, type Mechanism, mechanisms, pingPong, type Routine } from '@rpal/compare';
import { defaultProfile } from '@rpal/hw-x86';
import { done, type Program, Time } from '@rpal/kernel';
import { copyOnWrite, flip } from '../mechanism.js';

const SIZES: readonly number[] = [4096, 16_384, 65_536, 262_144, 1_048_576];
const MESSAGES = 10;

/**
 * What is measured: each way to send, with receivers that read all of a message and senders that write a new one. The two have a CPU each;
 * on all others threads of the sender compute meanwhile: each flush interrupts them.
 */
interface Situation {
  readonly title: string;
  readonly cpus: number;
}

const SITUATIONS: readonly Situation[] = [
  { title: '2 CPUs', cpus: 2 },
  { title: '32 CPUs, 30 of them with threads of the sender', cpus: 32 },
];

function ways(): readonly Mechanism[] {
  const copy = mechanisms.find(({ name }) => name === 'process-vm');
  if (copy === undefined) throw new Error('compare has no process-vm any more');
  return [copy, flip, copyOnWrite];
}

/** A mechanism whose sender writes each message anew and whose receiver reads all of it: only then the pages matter. */
function used(mechanism: Mechanism, { cpus }: Situation): Mechanism {
  return {
    ...mechanism,
    start(machine, meeting) {
      let over = false;
      mechanism.start(machine, {
        ...meeting,
        *client(p, end) {
          const message = new Uint8Array(meeting.size);
          for (let cpu = cpus - 1; cpu >= 2; cpu--) done('clone', yield* p.clone(computing(cpu, () => over)));
          yield* meeting.client(p, {
            ...end,
            *send(address, length) {
              // As it is, but written: the bytes are compared.
              yield* p.loadBytes(address, message);
              yield* p.storeBytes(address, message);
              yield* end.send(address, length);
            },
          });
          over = true;
          done('nanosleep', yield* p.sleep(Time.ms));
        },
        *server(p, end) {
          const seen = new Uint8Array(meeting.size);
          yield* meeting.server(p, {
            ...end,
            *receive(address, length) {
              const at = yield* end.receive(address, length);
              yield* p.loadBytes(at, seen);
              return at;
            },
          });
        },
      });
    },
  };
}

function computing(cpu: number, over: () => boolean) {
  return function* (q: Program): Routine {
    done('sched_setaffinity', yield* q.setAffinity([cpu]));
    while (!over()) yield* q.compute(20_000);
  };
}

function oneWay(mechanism: Mechanism, situation: Situation, size: number, { costs, seed }: ExperimentOptions): number {
  const { cpus } = situation;
  const topology = { sockets: 1, coresPerSocket: cpus, threadsPerCore: 1, coresPerCache: cpus, memoryPerSocket: 1 };
  const machine = { profile: { ...defaultProfile, topology }, costs, seed };
  const options = { machine, size, cpus: [0, 1] as const, waiting: 'sleep' as const, messages: MESSAGES, warmUp: 10 };
  return pingPong(used(mechanism, situation), options).there.cycles;
}

/** The smallest size at which a way takes fewer cycles than the copy, from the sizes that were run; in words. */
function winsFrom(points: Curves['points'], way: number): string {
  const found = points.find(({ values }) => (values[way] as number) < (values[0] as number));
  return found === undefined ? 'at no size up to 1 MiB' : `from ${(found.at / 1024).toLocaleString('en-US')} KiB`;
}

/** At which size is it better to map a message than to copy it? */
export const crossoverExperiment: Experiment = {
  name: 'crossover',
  title: 'a message that its sender writes and its receiver reads: copied once, moved, or shared until one side writes',
  published: [
    {
      kind: 'law',
      id: 'FLIP',
      what: 'should MPI copy at all?',
      value: 'asked when cross-memory attach was proposed; the fear was that flushing TLBs costs more than copying',
      source: 'discussion of C. Yeoh, Cross Memory Attach, LKML, September 2010',
      status: 'recalled',
    },
  ],
  misses: {},
  left: [
    'huge pages: a page of 2 MiB would be one entry and one flush',
    'messages that are not whole pages: the rest of the last page goes along',
  ],
  run(options) {
    const curves = SITUATIONS.map(
      (situation): Curves => ({
        title: `TSC cycles one way, written and read, on ${situation.title}`,
        over: 'bytes',
        names: ['copy', 'flip', 'cow'],
        points: SIZES.map((at) => ({ at, values: ways().map((way) => oneWay(way, situation, at, options)) })),
      }),
    );
    const said = curves.map(
      ({ points }, i) => `on ${SITUATIONS[i]?.cpus} CPUs flipping wins ${winsFrom(points, 1)}, sharing ${winsFrom(points, 2)}`,
    );
    const small = curves.every(({ points }) => (points[0]?.values[1] as number) > (points[0]?.values[0] as number));
    return { findings: [{ id: 'FLIP', here: said.join('; '), holds: small }], curves };
  },
};
