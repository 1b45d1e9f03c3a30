import { entryFrame, LARGE_PAGE_SIZE, PAGE_SIZE, Pte } from '@rpal/hw-x86';
import type { Process } from '@rpal/kernel';
import { type MmStruct, mayBeHuge, type Vma, VmFlag } from '@rpal/mm';
import { areaLine, rangeLine } from './maps.js';

/** What is counted of the pages of areas, in bytes (Linux: `struct mem_size_stats`). */
type Sizes = ReturnType<typeof noSizes>;

function noSizes() {
  return {
    resident: 0,
    proportional: 0,
    proportionalDirty: 0,
    proportionalAnon: 0,
    sharedClean: 0,
    sharedDirty: 0,
    privateClean: 0,
    privateDirty: 0,
    referenced: 0,
    anonymous: 0,
    anonHuge: 0,
    proportionalLocked: 0,
  };
}

/** Two letters for each flag, in the order in which Linux shows them (`show_smap_vma_flags`). */
const LETTERS: readonly (readonly [flag: number, letters: string])[] = [
  [VmFlag.READ, 'rd'],
  [VmFlag.WRITE, 'wr'],
  [VmFlag.EXEC, 'ex'],
  [VmFlag.SHARED, 'sh'],
  [VmFlag.MAYREAD, 'mr'],
  [VmFlag.MAYWRITE, 'mw'],
  [VmFlag.MAYEXEC, 'me'],
  [VmFlag.MAYSHARE, 'ms'],
  [VmFlag.GROWSDOWN, 'gd'],
  [VmFlag.PFNMAP, 'pf'],
  [VmFlag.LOCKED, 'lo'],
  [VmFlag.SEQ_READ, 'sr'],
  [VmFlag.RAND_READ, 'rr'],
  [VmFlag.DONTCOPY, 'dc'],
  [VmFlag.DONTEXPAND, 'de'],
  [VmFlag.LOCKONFAULT, 'lf'],
  [VmFlag.ACCOUNT, 'ac'],
  [VmFlag.NORESERVE, 'nr'],
  [VmFlag.WIPEONFORK, 'wf'],
  [VmFlag.DONTDUMP, 'dd'],
  [VmFlag.HUGEPAGE, 'hg'],
  [VmFlag.NOHUGEPAGE, 'nh'],
];

/** Adds what lies in an area. Pages of zeroes do not count. */
function addArea(sizes: Sizes, mm: MmStruct, area: Vma): void {
  const { frames, zeroFrame, memory } = mm.manager;
  const isLocked = (area.flags & VmFlag.LOCKED) !== 0;
  const add = (frame: number, low: number, bytes: number): void => {
    if (frame === zeroFrame) return;
    const isFile = frames.ofFile(frame);
    // The file that has a page holds it, too.
    const mappers = Math.max(1, frames.count(frame) - (isFile ? 1 : 0));
    const isDirty = !isFile || (low & Pte.dirty) !== 0;
    const part = bytes / mappers;
    sizes.resident += bytes;
    sizes.proportional += part;
    if (isDirty) sizes.proportionalDirty += part;
    if (!isFile) {
      sizes.anonymous += bytes;
      sizes.proportionalAnon += part;
    }
    if ((low & Pte.accessed) !== 0) sizes.referenced += bytes;
    if (isLocked) sizes.proportionalLocked += part;
    if (mappers > 1) sizes[isDirty ? 'sharedDirty' : 'sharedClean'] += bytes;
    else sizes[isDirty ? 'privateDirty' : 'privateClean'] += bytes;
  };
  const frameAt = (entry: number) => entryFrame(memory.read32(entry), memory.read32(entry + 4));
  mm.tables.forEachPage(area.start, area.end, {
    page: (_address, entry) => add(frameAt(entry), memory.read32(entry), PAGE_SIZE),
    huge: (_address, entry) => {
      const frame = frameAt(entry);
      add(frame, memory.read32(entry), LARGE_PAGE_SIZE);
      if (!frames.ofFile(frame)) sizes.anonHuge += LARGE_PAGE_SIZE;
      return true;
    },
  });
}

function field(name: string, value: number): string {
  return `${`${name}:`.padEnd(16)}${String(value).padStart(8)}`;
}

function line(name: string, bytes: number): string {
  return `${field(name, Math.floor(bytes / 1024))} kB\n`;
}

/** The lines that one area and all of them have in common. @param details between Pss_Dirty and the others */
function lines(sizes: Sizes, details: string): string {
  return [
    line('Rss', sizes.resident),
    line('Pss', sizes.proportional),
    line('Pss_Dirty', sizes.proportionalDirty),
    details,
    line('Shared_Clean', sizes.sharedClean),
    line('Shared_Dirty', sizes.sharedDirty),
    line('Private_Clean', sizes.privateClean),
    line('Private_Dirty', sizes.privateDirty),
    line('Referenced', sizes.referenced),
    line('Anonymous', sizes.anonymous),
    line('KSM', 0),
    line('LazyFree', 0),
    line('AnonHugePages', sizes.anonHuge),
    line('ShmemPmdMapped', 0),
    line('FilePmdMapped', 0),
    line('Shared_Hugetlb', 0),
    line('Private_Hugetlb', 0),
    line('Swap', 0),
    line('SwapPss', 0),
    line('Locked', sizes.proportionalLocked),
  ].join('');
}

/**
 * /proc/PID/smaps: each area with what is resident of it, and its flags. A page that a pipe or a call holds as well counts as one that
 * one process more maps; a page on which MADV_FREE was called is gone at once, so LazyFree is 0.
 */
export function smaps(process: Process): string {
  const { mm } = process;
  const { pku } = process.kernel.scheduler.platform.profile.features;
  let text = '';
  for (const area of mm.areas) {
    const sizes = noSizes();
    addArea(sizes, mm, area);
    const letters = LETTERS.map(([flag, two]) => ((area.flags & flag) !== 0 ? `${two} ` : '')).join('');
    text +=
      areaLine(process, area) + line('Size', area.end - area.start) + line('KernelPageSize', PAGE_SIZE) + line('MMUPageSize', PAGE_SIZE);
    text += `${lines(sizes, '')}${field('THPeligible', Number(isEligible(mm, area)))}\n`;
    if (pku) text += `${field('ProtectionKey', area.key)}\n`;
    text += `VmFlags: ${letters}\n`;
  }
  return text;
}

/** May faults have huge pages here? If the first one that begins here does not fit, none does. */
function isEligible(mm: MmStruct, area: Vma): boolean {
  return mayBeHuge(mm, area, Math.ceil(area.start / LARGE_PAGE_SIZE) * LARGE_PAGE_SIZE);
}

/** /proc/PID/smaps_rollup: the sums over all areas. */
export function smapsRollup({ mm }: Process): string {
  const sizes = noSizes();
  let [first, last] = [0, 0];
  for (const area of mm.areas) {
    if (last === 0) first = area.start;
    last = area.end;
    addArea(sizes, mm, area);
  }
  const { proportional, proportionalAnon } = sizes;
  const kinds = line('Pss_Anon', proportionalAnon) + line('Pss_File', proportional - proportionalAnon) + line('Pss_Shmem', 0);
  return rangeLine(first, last, '---p', 0, '[rollup]') + lines(sizes, kinds);
}
