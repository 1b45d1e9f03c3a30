import { pathToFileURL } from 'node:url';
import { BareMetal, type CpuProfile, dataCaches, findProfile } from '@rpal/hw-x86';
import { type Series, svg } from './plot.ts';

const WRITES = 500;
const PAGE = 0x1000;

/**
 * Core cycles per write of two cores that write a word each, over and over, `distance` bytes apart, and never look at the
 * other's word.
 * @param other the second core's number; the first is 0
 */
export function writeCost(profile: CpuProfile, distance: number, other: number): number {
  const metal = new BareMetal({ profile, caches: dataCaches });
  const root = metal.addressSpace();
  metal.map(root, PAGE);
  const begin = metal.core(0).cpu.clock + 100_000;
  let cycles = 0;
  for (const number of [0, other]) {
    metal.start(number, function* (core) {
      core.load(root);
      core.user = true;
      const address = PAGE + (number === 0 ? 0 : distance);
      core.write64(address, 0);
      // The two begin at the same time.
      yield* core.compute(begin - core.cpu.clock);
      const start = core.cpu.clock;
      for (let i = 1; i <= WRITES; i++) {
        core.write64(address, i);
        yield;
      }
      if (number === 0) cycles = core.cpu.clock - start;
    });
  }
  metal.run();
  return (cycles / WRITES) * (profile.clock.coreGHz.central / profile.clock.tscGHz);
}

/** The cost for growing distances: with a core behind the same last-level cache, and with one of the other socket. */
export function falseSharing(profile: CpuProfile): readonly Series[] {
  const distances = [8, 16, 24, 32, 40, 48, 56, 64, 96, 128, 256, 512];
  const series = (name: string, other: number): Series => ({
    name,
    points: distances.map((distance) => [distance, writeCost(profile, distance, other)] as const),
  });
  return [series('cores that share a cache', 1), series('cores of two sockets', profile.topology.coresPerSocket)];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const profile = findProfile(process.argv[2] ?? 'xeon-platinum-8336c');
  if (profile === undefined) throw new Error(`there is no profile ${process.argv[2]}`);
  process.stdout.write(
    svg({
      title: `False sharing: ${profile.title}`,
      xLabel: 'bytes between the words',
      yLabel: 'core cycles per write',
      series: falseSharing(profile),
      formatX: String,
    }),
  );
}
