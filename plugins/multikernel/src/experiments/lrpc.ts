import type { Experiment, ExperimentOptions, PublishedFigure } from '@rpal/compare';
import type { CpuProfile } from '@rpal/hw-x86';
import type { Dispatcher } from '../kernel/dispatcher.js';
import { Multikernel } from '../machine/multikernel.js';
import { machines } from '../machines/index.js';
import { mean } from './lab.js';

const WARM_UP = 5;
const CALLS = 20;

/** TSC cycles of an LRPC one way: from a program on a core to another domain's program on it. */
export function lrpcOneWay(profile: CpuProfile, options: ExperimentOptions): number {
  const os = new Multikernel({ profile, ...options, cores: 1, slice: 1e6 });
  const taken: number[] = [];
  let sent = 0;
  let [to, back] = [0, 0];
  const sends = function* (d: Dispatcher, slot: number) {
    sent = d.core.cpu.clock;
    return yield* d.lrpc(slot, 1, 2, 3, 4);
  };
  const client = os.domain('client', 0, function* (d) {
    for (let i = 0; i < WARM_UP + CALLS; i++) {
      yield* sends(d, to);
      yield* d.receive();
      if (i >= WARM_UP) taken.push(d.core.cpu.clock - sent);
    }
  });
  const server = os.domain('server', 0, function* (d) {
    for (let i = 0; i < WARM_UP + CALLS; i++) {
      yield* d.receive();
      if (i >= WARM_UP) taken.push(d.core.cpu.clock - sent);
      yield* sends(d, back);
    }
  });
  to = os.endpoint(client, server);
  back = os.endpoint(server, client);
  os.run();
  return mean(taken);
}

const CYCLES = [845, 757, 1463, 1549];

const published: readonly PublishedFigure[] = machines.map(({ title }, i) => ({
  kind: 'figure',
  id: `MK-1${'abcd'[i]}`,
  what: `LRPC one way, ${/"(.*)"/.exec(title)?.[1]}`,
  value: CYCLES[i] as number,
  unit: 'cycles',
  within: 0.25,
  source: 'Baumann et al., The Multikernel, SOSP 2009, Table 1, via public course notes',
  status: 'published',
}));

const SAME_CORE =
  'Published, Barcelona and Shanghai take twice the cycles of the older Opteron for the same path. The instructions here are the same on all ' +
  'machines, and no figure was found for what SYSCALL, loads of CR3 and page walks cost on these two; they are taken as on the older one.';

/** LRPC on one core of each of the paper's machines. */
export const lrpcExperiment: Experiment = {
  name: 'lrpc',
  title: 'a call to another domain on the same core, through its kernel',
  published,
  misses: { 'MK-1c': SAME_CORE, 'MK-1d': SAME_CORE },
  left: ['Threads: a program here is one thread, where the paper has a thread scheduler in user mode choose one.'],
  run: (options) => ({
    findings: machines.map((profile, i) => ({ id: (published[i] as PublishedFigure).id, here: lrpcOneWay(profile, options) })),
  }),
};
