import { MmError } from '../errors.js';

/**
 * Rules of memory management that a Linux release after 6.15 changed. The model follows 6.15; comparing it with another
 * kernel, or studying the change, takes that release's rules.
 */
export interface ReleaseRules {
  /** An area whose pages have been touched merges with an untouched neighbour. */
  readonly mergeUntouchedNeighbour: boolean;
  /** mremap moves a range that spans several areas. */
  readonly moveManyAreas: boolean;
  /** mremap with DONTUNMAP leaves the old area accounted. */
  readonly dontUnmapKeepsAccount: boolean;
  /** Memory of which no page may be written becomes a huge page too. */
  readonly collapseReadOnly: boolean;
}

/** One line of the table of differences. @public for memory as another release has it */
export interface ReleaseDifference {
  readonly rule: keyof ReleaseRules;
  /** First release with the new behaviour. */
  readonly since: string;
  readonly until615: string;
  readonly after: string;
}

/**
 * What changed after 6.15 and can be seen by a program through the calls that are modelled. @public for memory as another release has it
 */
export const releaseDifferences: readonly ReleaseDifference[] = [
  {
    rule: 'mergeUntouchedNeighbour',
    since: '6.16',
    until615: 'mprotect and mremap do not merge an area that has anonymous pages with a neighbour that has none yet',
    after: 'they merge, unless the area with pages was inherited by fork',
  },
  {
    rule: 'moveManyAreas',
    since: '6.17',
    until615: 'mremap over more than one area fails with EFAULT',
    after: 'with MREMAP_FIXED and equal lengths it moves every area of the range, keeping the gaps between them',
  },
  {
    rule: 'dontUnmapKeepsAccount',
    since: '6.17',
    until615: 'mremap with MREMAP_DONTUNMAP takes the old area out of the commitment, so that it no longer merges with its kind',
    after: 'the old area stays accounted',
  },
  {
    rule: 'collapseReadOnly',
    since: '6.18',
    until615: 'madvise(COLLAPSE) and khugepaged leave a range alone if no page in it may be written: EINVAL',
    after: 'they make a huge page of it',
  },
];

/** Rules of Linux 6.15. @public for memory as another release has it */
export const linux615: ReleaseRules = {
  mergeUntouchedNeighbour: false,
  moveManyAreas: false,
  dontUnmapKeepsAccount: false,
  collapseReadOnly: false,
};

/**
 * Rules of a release.
 * @param release as `uname -r` prints it: `6.15`, `6.18.2-generic`
 * @throws MmError INVALID_ARGUMENT if it does not begin with two numbers
 * @public for memory as another release has it
 */
export function rulesOf(release: string): ReleaseRules {
  const [major, minor] = (/^(\d+)\.(\d+)/.exec(release) ?? []).slice(1).map(Number);
  if (major === undefined || minor === undefined) {
    throw new MmError('INVALID_ARGUMENT', `release: ${JSON.stringify(release)} does not begin with two numbers, as 6.15 does`);
  }
  const has = (since: string): boolean => {
    const [m, n] = since.split('.').map(Number) as [number, number];
    return major > m || (major === m && minor >= n);
  };
  const rules = { ...linux615 } as Record<keyof ReleaseRules, boolean>;
  for (const { rule, since } of releaseDifferences) rules[rule] = has(since);
  return rules;
}
