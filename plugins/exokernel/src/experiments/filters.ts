import type { Experiment, ExperimentOptions } from '@rpal/compare';
import { CostModel, type CpuProfile } from '@rpal/hw-x86';
import { CompiledFilters } from '../filters/compiled.js';
import { type Filter, kernelCycles, type Verdict } from '../filters/filter.js';
import { InterpretedFilters } from '../filters/interpreter.js';
import { decstation5000 } from '../machines/r3000.js';
import { inCycles, mean, times, today } from './lab.js';

const CONNECTIONS = 10;
const PORT = 80;
const HERE = [10, 0, 0, 1];

/** Who is at the other end of a connection. */
interface Peer {
  readonly address: readonly number[];
  readonly port: number;
}

const peers: readonly Peer[] = Array.from({ length: CONNECTIONS }, (_, i) => ({
  address: [192, 168, 3 * i, 7 * i + 1],
  port: 1024 + 37 * i,
}));

const word = (bytes: readonly number[]): number => bytes.reduce((value, byte) => value * 256 + byte, 0);

/** A TCP connection to this host: Ethernet, IP without fragments, both addresses, and both ports behind a header whose length it says. */
function filterOf({ address, port }: Peer): Filter {
  const equal = (offset: number, size: 1 | 2 | 4, value: number, mask = 2 ** (8 * size) - 1) =>
    ({ kind: 'equal', offset, size, mask, value }) as const;
  return [
    equal(12, 2, 0x800),
    equal(23, 1, 6),
    equal(20, 2, 0, 0x1fff),
    equal(30, 4, word(HERE)),
    equal(26, 4, word(address)),
    { kind: 'shift', offset: 14, size: 1, mask: 15, scale: 4 },
    equal(16, 2, PORT),
    equal(14, 2, port),
  ];
}

/** A packet of a connection: 20 bytes of IP header, or with options. */
function packetOf({ address, port }: Peer, words = 5): Uint8Array {
  const packet = new Uint8Array(14 + 4 * words + 20);
  packet.set([8, 0, 0x40 + words], 12);
  packet[23] = 6;
  packet.set(address, 26);
  packet.set(HERE, 30);
  packet.set([port >> 8, port & 255, PORT >> 8, PORT & 255], 14 + 4 * words);
  return packet;
}

/** Cycles of one packet, over all connections; each has to find its own filter. */
function perPacket(filters: { run(packet: Uint8Array): Verdict }, profile: CpuProfile, { costs }: ExperimentOptions): number {
  const model = new CostModel(profile, costs);
  const verdicts = peers.map((peer, i) => {
    const { filter, instructions } = filters.run(packetOf(peer, i % 2 === 0 ? 5 : 7));
    return filter === i ? kernelCycles(model, instructions) : Number.NaN;
  });
  return mean(verdicts);
}

const MPF_OVER_DPF = 35 / 1.5;

const ALIKE =
  'What a step of an interpreter takes was written down, not counted: at the high end of it (--costs high) the ratio is above 18. Caches are warm here, ' +
  'and how MPF was built is not known.';

/** EXO-8: which of ten connections a packet belongs to. */
export const filters: Experiment = {
  name: 'filters',
  title: 'packets of ten TCP connections: filters compiled from a trie, and interpreted ones',
  published: [
    inCycles('EXO-8a', 'compiled (DPF), at the prices of a DECstation 5000', 1.5, 25, 'published', 0.25),
    inCycles('EXO-8b', 'interpreted together (MPF), at the prices of a DECstation 5000', 35, 25, 'published', 0.25),
    times('EXO-8r', 'interpreted together over compiled', MPF_OVER_DPF, 'published', 0.35),
    times('EXO-8s', 'interpreted one after the other over compiled', MPF_OVER_DPF, 'published', null),
    times('EXO-8t', "interpreted together over compiled, on the RFC's server", MPF_OVER_DPF, 'published', 0.35),
  ],
  misses: { 'EXO-8b': ALIKE, 'EXO-8r': ALIKE, 'EXO-8t': ALIKE },
  left: [
    'PATHFINDER, which the paper measures, too.',
    'What the ten filters of the paper were: here each is a TCP connection to one port of this host.',
  ],
  run(options) {
    const all = peers.map(filterOf);
    const compiled = new CompiledFilters(all);
    const together = new InterpretedFilters(all, 'collapsed', options.costs);
    const each = new InterpretedFilters(all, 'each', options.costs);
    const old = (engine: { run(packet: Uint8Array): Verdict }) => perPacket(engine, decstation5000, options);
    return {
      findings: [
        { id: 'EXO-8a', here: old(compiled) },
        { id: 'EXO-8b', here: old(together) },
        { id: 'EXO-8r', here: old(together) / old(compiled) },
        { id: 'EXO-8s', here: old(each) / old(compiled) },
        { id: 'EXO-8t', here: perPacket(together, today(), options) / perPacket(compiled, today(), options) },
      ],
    };
  },
};
