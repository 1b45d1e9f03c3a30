import { pathToFileURL } from 'node:url';
import { Access, type CpuProfile, findProfile, PAGE_SIZE, Platform } from '@rpal/hw-x86';
import { MemoryManager, mmap, munmap } from '@rpal/mm';
import { MapFlag, Prot } from '@rpal/uapi';
import { type Series, svg } from '../../hw-x86/examples/plot.ts';

/** TSC cycles of an munmap of one page that `cores` cores of the machine have in their TLBs, entry to the kernel not included. */
export function munmapCost(profile: CpuProfile, cores: number): number {
  const platform = new Platform({ profile });
  const manager = new MemoryManager(platform);
  const [cpu] = platform.cpus;
  if (cpu === undefined) throw new Error('a platform has a processor');
  const mm = manager.create(cpu);
  mm.activate(cpu);
  const flags = MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.POPULATE;
  // Two pages, so that the page tables stay when one goes.
  const at = mmap(cpu, mm, 0, 2 * PAGE_SIZE, Prot.READ | Prot.WRITE, flags);
  for (const other of platform.cpus.slice(1, cores)) {
    mm.activate(other);
    other.data(at, Access.user);
    other.advanceTo(cpu.clock);
  }
  const start = cpu.clock;
  munmap(cpu, mm, at, PAGE_SIZE);
  return cpu.clock - start;
}

/** The cost for growing numbers of cores, up to all of them. */
export function shootdownCost(profile: CpuProfile): Series {
  const { sockets, coresPerSocket } = profile.topology;
  const counts: number[] = [];
  for (let cores = 1; cores < sockets * coresPerSocket; cores = Math.ceil(cores * 1.4)) counts.push(cores);
  counts.push(sockets * coresPerSocket);
  return { name: profile.title, points: counts.map((cores) => [cores, munmapCost(profile, cores)] as const) };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const names = process.argv.slice(2);
  const series = (names.length > 0 ? names : ['xeon-platinum-8336c', 'epyc-9654']).map((name) => {
    const profile = findProfile(name);
    if (profile === undefined) throw new Error(`there is no profile ${name}`);
    return shootdownCost(profile);
  });
  process.stdout.write(
    svg({ title: 'munmap of one page', xLabel: 'cores that have it mapped', yLabel: 'TSC cycles', series, formatX: String }),
  );
}
