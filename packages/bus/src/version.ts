/**
 * Semantic versions and the ranges of `requires`, as npm has them: comparators (`1.2.3`, `1.2.x`, `^1.2.3`, `~1.2`, `>=1.0.0 <3.0.0`), all
 * of
 * which hold, and alternatives between `||`. A pre-release is in a range if its place in the order is. Written here because a page that
 * runs a machine would otherwise carry 8 KB of a library for these two questions; the tests compare it with that library.
 */

/** Major, minor, patch; then the identifiers of the pre-release, none for a release. */
type Version = readonly [number, number, number, readonly string[]];

/** Versions from `from` up to, but not including, `to`. */
interface Span {
  readonly from: Version;
  readonly to: Version | null;
}

const NUMBER = '(0|[1-9]\\d*)';
const PRE = '(?:-((?:0|[1-9]\\d*|\\d*[A-Za-z-][\\dA-Za-z-]*)(?:\\.(?:0|[1-9]\\d*|\\d*[A-Za-z-][\\dA-Za-z-]*))*))?';
const BUILD = '(?:\\+[\\dA-Za-z-]+(?:\\.[\\dA-Za-z-]+)*)?';
const VERSION = new RegExp(`^${NUMBER}\\.${NUMBER}\\.${NUMBER}${PRE}${BUILD}$`);
const PART = '(0|[1-9]\\d*|[xX*])';
const COMPARATOR = new RegExp(`^(\\^|~|>=|>|<=|<|=|)${PART}(?:\\.${PART}(?:\\.${PART}${PRE}${BUILD})?)?$`);

export function isVersion(text: string): boolean {
  return VERSION.test(text);
}

export function isRange(text: string): boolean {
  return parseRange(text) !== null;
}

/** True if `version` is in `range`; also false if one of them is malformed. */
export function isInRange(version: string, range: string): boolean {
  const match = VERSION.exec(version);
  if (match === null) return false;
  const [, major, minor, patch, pre] = match;
  const here: Version = [Number(major), Number(minor), Number(patch), pre?.split('.') ?? []];
  return (parseRange(range) ?? []).some((spans) =>
    spans.every(({ from, to }) => compare(here, from) >= 0 && (to === null || compare(here, to) < 0)),
  );
}

/** Alternatives of spans that all hold, or null. */
function parseRange(text: string): readonly (readonly Span[])[] | null {
  const sets = text.split('||').map((set) =>
    set
      .trim()
      .replace(/(\^|~|[<>]=?|=)\s+/g, '$1')
      .split(/\s+/)
      .map((comparator) => parseComparator(comparator === '' ? '*' : comparator)),
  );
  return sets.some((set) => set.includes(null)) ? null : (sets as Span[][]);
}

/** The lowest of all versions `major.minor.patch`: the first of their pre-releases. */
function lowest(major: number, minor = 0, patch = 0): Version {
  return [major, minor, patch, ['0']];
}

/** The version right after `version`. */
function behind([major, minor, patch, pre]: Version): Version {
  return pre.length === 0 ? lowest(major, minor, patch + 1) : [major, minor, patch, [...pre, '0']];
}

const FIRST = lowest(0);

function parseComparator(text: string): Span | null {
  const match = COMPARATOR.exec(text);
  if (match === null) return null;
  const [, operator, ...parts] = match;
  const numbers = parts.slice(0, 3).map((part) => (part === undefined || /[xX*]/.test(part) ? undefined : Number(part)));
  const [major, minor, patch] = numbers;
  if (major === undefined) return operator === '<' || operator === '>' ? { from: FIRST, to: FIRST } : { from: FIRST, to: null };
  const whole = minor !== undefined && patch !== undefined;
  const from: Version = whole ? [major, minor, patch, parts[3]?.split('.') ?? []] : lowest(major, minor, 0);
  // After the last version that the text itself stands for.
  const end = whole ? behind(from) : minor === undefined ? lowest(major + 1) : lowest(major, minor + 1);
  switch (operator) {
    case '>=':
      return { from, to: null };
    case '>':
      return { from: end, to: null };
    case '<':
      return { from: FIRST, to: from };
    case '<=':
      return { from: FIRST, to: end };
    case '~':
      return { from, to: minor === undefined ? lowest(major + 1) : lowest(major, minor + 1) };
    case '^':
      if (major > 0 || minor === undefined) return { from, to: lowest(major + 1) };
      return { from, to: minor > 0 || patch === undefined ? lowest(0, minor + 1) : lowest(0, 0, patch + 1) };
    default:
      return { from, to: end };
  }
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || comparePre(a[3], b[3]);
}

function comparePre(a: readonly string[], b: readonly string[]): number {
  // A release comes behind its pre-releases.
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const one = a[index];
    const other = b[index];
    if (one === undefined) return -1;
    if (other === undefined) return 1;
    const numeric = [one, other].map((identifier) => /^\d+$/.test(identifier));
    if (numeric[0] && numeric[1] && one !== other) return Number(one) - Number(other);
    if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}
