import type { Curves, Experiment, ExperimentOptions, Published } from '@rpal/compare';
import { Multikernel } from '../machine/multikernel.js';
import { opteron8350 } from '../machines/index.js';
import { ROUTES, type Route } from '../monitor/routes.js';
import { Operation } from '../protocol/requests.js';
import { mean } from './lab.js';

const CORES = [2, 8, 16, 32];
const WARM_UP = 2;
const ROUNDS = 2;

/** TSC cycles until the monitors of `cores` cores have answered a request that goes by a route; they do nothing else. */
export function agreement(route: Route, cores: number, options: ExperimentOptions): number {
  const os = new Multikernel({ profile: opteron8350, ...options, cores, route });
  const taken: number[] = [];
  os.first(0, function* (monitor) {
    for (let i = 0; i < WARM_UP + ROUNDS; i++) {
      const began = os.machine.core(0).cpu.clock;
      yield* monitor.operate(Operation.NOTHING, [], os.cores, route);
      if (i >= WARM_UP) taken.push(os.machine.core(0).cpu.clock - began);
    }
    os.machine.platform.stop();
  });
  os.run();
  return mean(taken);
}

const source = 'Baumann et al., The Multikernel, SOSP 2009, Figure 6, read from the plot in public notes';
const AT_32: Readonly<Record<Route, number>> = { broadcast: 13_800, unicast: 12_700, multicast: 4800, numa: 3100 };

const published: readonly Published[] = [
  ...ROUTES.map(
    (route) =>
      ({
        kind: 'figure',
        id: `MK-9${route[0]}`,
        what: `${route === 'numa' ? 'NUMA multicast' : route}, 32 cores`,
        value: AT_32[route],
        unit: 'cycles',
        within: null,
        source,
        status: 'published',
      }) as const,
  ),
  {
    kind: 'law',
    id: 'MK-9',
    what: 'order at 32 cores',
    value: 'broadcast > unicast > multicast > numa',
    source,
    status: 'published',
  },
  {
    kind: 'law',
    id: 'MK-9g',
    what: 'growth from 8 to 32 cores',
    value: 'broadcast and unicast with the number of cores, about four times; multicast less than half as fast',
    source,
    status: 'published',
  },
];

/** The messages of a TLB shootdown, by each route. */
export const shootdownExperiment: Experiment = {
  name: 'shootdown',
  title: 'how long until all monitors have answered one, on the 8x4 AMD',
  published,
  misses: {
    'MK-9':
      'The order of the multicasts before the others holds. Unicast comes behind broadcast, as the monitor here waits for each of its stores, ' +
      'where a store buffer would let it send on; and both multicasts are alike at 32 cores, as only the order of the sockets tells them ' +
      'apart here, not where channels lie.',
  },
  left: ['That channels lie in memory of the socket of whoever passes messages on: the model does not ask where the home of a line is.'],
  run(options) {
    const curves = ROUTES.map((route) => CORES.map((cores) => agreement(route, cores, options)));
    const at32 = curves.map((curve) => curve.at(-1) as number);
    const order = [...ROUTES].sort((a, b) => (at32[ROUTES.indexOf(b)] as number) - (at32[ROUTES.indexOf(a)] as number));
    const growth = curves.map((curve) => (curve.at(-1) as number) / (curve[CORES.indexOf(8)] as number));
    const [broadcast, unicast, multicast, numa] = growth as [number, number, number, number];
    const table: Curves = {
      title: 'TSC cycles until all have answered',
      over: 'cores',
      names: [...ROUTES],
      points: CORES.map((at, i) => ({ at, values: curves.map((curve) => curve[i] as number) })),
    };
    return {
      curves: [table],
      findings: [
        ...ROUTES.map((route, i) => ({ id: `MK-9${route[0]}`, here: at32[i] as number })),
        { id: 'MK-9', here: order.join(' > '), holds: order.join() === ROUTES.join() },
        {
          id: 'MK-9g',
          here: ROUTES.map((route, i) => `${route} ${(growth[i] as number).toFixed(1)} times`).join(', '),
          holds: Math.min(broadcast, unicast) > 3 && Math.max(multicast, numa) < Math.min(broadcast, unicast) / 2,
        },
      ],
    };
  },
};
