import { pathToFileURL } from 'node:url';
import { BareMetal, type CpuProfile, findProfile, LARGE_PAGE_SIZE, PAGE_SIZE } from '@rpal/hw-x86';
import { type Series, svg } from './plot.ts';

/**
 * What translation adds to each access when a program goes round and round through `pages` pages, one access per page:
 * TSC cycles, after a first round that fills the TLBs.
 */
export function translationCost(profile: CpuProfile, pages: number, size: number): number {
  const metal = new BareMetal({ profile });
  const root = metal.addressSpace();
  const frame = metal.frames(size / PAGE_SIZE, size / PAGE_SIZE);
  // All pages show the same memory: the TLB does not know, and the host need not hold it.
  for (let i = 0; i < pages; i++) metal.map(root, i * size, { frame, size });
  let cycles = 0;
  metal.start(0, function* (core) {
    core.load(root);
    core.user = true;
    for (let i = 0; i < pages; i++) core.read8(i * size);
    yield;
    const start = core.cpu.clock;
    for (let i = 0; i < pages; i++) core.read8(i * size);
    cycles = core.cpu.clock - start;
    yield;
  });
  metal.run();
  return cycles / pages;
}

/** The cost for growing numbers of pages, with pages of 4 KiB and of 2 MiB. */
export function tlbReach(profile: CpuProfile): readonly Series[] {
  const counts = [8, 16, 32, 48, 64, 80, 96, 128, 256, 512, 768, 1024, 1280, 1536, 2048, 3072, 4096];
  const series = (name: string, size: number): Series => ({
    name,
    points: counts.map((pages) => [pages, translationCost(profile, pages, size)] as const),
  });
  return [series('4 KiB pages', PAGE_SIZE), series('2 MiB pages', LARGE_PAGE_SIZE)];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const profile = findProfile(process.argv[2] ?? 'xeon-platinum-8336c');
  if (profile === undefined) throw new Error(`there is no profile ${process.argv[2]}`);
  process.stdout.write(
    svg({
      title: `TLB reach: ${profile.title}`,
      xLabel: 'pages in use',
      yLabel: 'TSC cycles that translation adds to an access',
      series: tlbReach(profile),
      formatX: String,
    }),
  );
}
