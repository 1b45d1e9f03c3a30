import { pathToFileURL } from 'node:url';
import { CACHE_LINE, Caches, type Cpu, type CpuProfile, findProfile, KIB, MIB, Platform } from '@rpal/hw-x86';
import { type Series, svg } from './plot.ts';

/**
 * Load-to-use latency, in core cycles, of a chain of loads that visits every line of `bytes` in turn, after a first round
 * that brings in what fits. Each load depends on the one before, and nothing is prefetched.
 */
export function loadLatency(profile: CpuProfile, bytes: number): number {
  const platform = new Platform({ profile });
  const caches = new Caches(platform);
  const cpu = platform.cpus[0] as Cpu;
  const lines = bytes / CACHE_LINE;
  for (let i = 0; i < lines; i++) caches.access(cpu, i * CACHE_LINE, false);
  const start = cpu.clock;
  for (let i = 0; i < lines; i++) caches.access(cpu, i * CACHE_LINE, false);
  return (cpu.clock - start) / lines / platform.costs.tscPerCore;
}

/** The latency for growing sizes: plateaus at the sizes of the caches. */
export function pointerChase(profile: CpuProfile, largest: number): Series {
  const points: [number, number][] = [];
  for (let bytes = 8 * KIB; bytes <= largest; bytes *= 2) {
    points.push([bytes, loadLatency(profile, bytes)]);
    if (bytes * 1.5 <= largest) points.push([bytes * 1.5, loadLatency(profile, bytes * 1.5)]);
  }
  return { name: profile.title, points };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const names = process.argv.length > 2 ? process.argv.slice(2) : ['xeon-platinum-8336c', 'epyc-9654'];
  const series = names.map((name) => {
    const profile = findProfile(name);
    if (profile === undefined) throw new Error(`there is no profile ${name}`);
    return pointerChase(profile, 128 * MIB);
  });
  process.stdout.write(
    svg({
      title: 'Pointer chase: one chain of dependent loads',
      xLabel: 'bytes in use',
      yLabel: 'core cycles per load',
      logarithmic: true,
      series,
      formatX: (x) => (x < MIB ? `${x / KIB} KiB` : `${x / MIB} MiB`),
    }),
  );
}
