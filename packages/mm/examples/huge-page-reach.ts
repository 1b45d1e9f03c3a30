import { pathToFileURL } from 'node:url';
import { Access, type CpuProfile, findProfile, LARGE_PAGE_SIZE, MIB, PAGE_SIZE, Platform } from '@rpal/hw-x86';
import { type HugePages, MemoryManager, mmap } from '@rpal/mm';
import { MapFlag, Prot } from '@rpal/uapi';
import { type Series, svg } from '../../hw-x86/examples/plot.ts';

/**
 * What translation adds to an access, TSC cycles on average, when a program goes round through `bytes` of its memory and
 * touches each 4 KiB once.
 */
export function reachCost(profile: CpuProfile, bytes: number, hugePages: HugePages): number {
  const platform = new Platform({ profile });
  const manager = new MemoryManager(platform, { hugePages });
  const [cpu] = platform.cpus;
  if (cpu === undefined) throw new Error('a platform has a processor');
  const mm = manager.create(cpu);
  mm.activate(cpu);
  const at = mmap(cpu, mm, 0, bytes, Prot.READ | Prot.WRITE, MapFlag.PRIVATE | MapFlag.ANONYMOUS | MapFlag.POPULATE);
  const round = (): number => {
    const start = cpu.clock;
    for (let page = at; page < at + bytes; page += PAGE_SIZE) cpu.mmu.translate(page, Access.user);
    return cpu.clock - start;
  };
  round();
  return round() / (bytes / PAGE_SIZE);
}

/** The cost for memory of 2 MiB up to `largest` bytes, with small pages and with huge ones. */
export function hugePageReach(profile: CpuProfile, largest: number): readonly Series[] {
  const sizes: number[] = [];
  for (let bytes = LARGE_PAGE_SIZE; bytes <= largest; bytes *= 2) sizes.push(bytes);
  const series = (name: string, hugePages: HugePages): Series => ({
    name,
    points: sizes.map((bytes) => [bytes, reachCost(profile, bytes, hugePages)] as const),
  });
  return [series('small pages', 'never'), series('transparent huge pages', 'always')];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const profile = findProfile(process.argv[2] ?? 'xeon-platinum-8336c');
  if (profile === undefined) throw new Error(`there is no profile ${process.argv[2]}`);
  process.stdout.write(
    svg({
      title: `Reach of huge pages: ${profile.title}`,
      xLabel: 'memory in use',
      yLabel: 'TSC cycles that translation adds to an access',
      series: hugePageReach(profile, 256 * MIB),
      formatX: (bytes) => `${bytes / MIB} MiB`,
    }),
  );
}
