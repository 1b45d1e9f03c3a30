import { PAGE_SIZE } from '@rpal/hw-x86';
import type { MmStruct } from './mm-struct.js';
import { type AnonVma, type MappedObject, type Vma, VmFlag } from './vma.js';

/** Most areas a process may have (vm.max_map_count). @public for programs that reach the limit */
export const MAX_MAP_COUNT = 65_530;

/** A range that is to become part of an area, and with what attributes. */
export interface Proposal {
  readonly start: number;
  readonly end: number;
  readonly flags: number;
  readonly key: number;
  readonly object: MappedObject | null;
  readonly offset: number;
  readonly anonVma: AnonVma | null;
  /** The area that is being changed or copied, if it is one. */
  readonly source: Vma | null;
}

/**
 * Covers a free range by extending its neighbours, if they have its attributes (Linux: `vma_merge_new_range`).
 * @returns the area that covers it now, or null if nothing merges
 */
export function mergeNewRange(mm: MmStruct, range: Proposal): Vma | null {
  if ((range.flags & VmFlag.SPECIAL) !== 0) return null;
  const index = mm.areas.indexFrom(range.start);
  const previous = mm.areas.at(index - 1) ?? null;
  const next = mm.areas.at(index) ?? null;
  const left = mergesLeft(mm, previous, range) ? previous : null;
  const right = mergesRight(mm, next, range, left) ? next : null;
  if (left !== null && right !== null && !countsAreas(range)) {
    discard(mm, right);
    left.end = right.end;
    adopt(left, right.anonVma === null ? range.source : right);
    return left;
  }
  if (left !== null) return extend(left, range);
  if (right === null) return null;
  right.start = range.start;
  right.offset = range.offset;
  adopt(right, range.source);
  return right;
}

/** As `mergeNewRange`, with the neighbour below only: a heap that grows. */
export function extendLeft(mm: MmStruct, range: Proposal): Vma | null {
  const previous = mm.areas.at(mm.areas.indexFrom(range.start) - 1) ?? null;
  return mergesLeft(mm, previous, range) ? extend(previous, range) : null;
}

function extend(left: Vma, range: Proposal): Vma {
  left.end = range.end;
  adopt(left, range.source);
  return left;
}

/**
 * Gives [start, end) of `area` new flags and key: by moving the border to a neighbour that has them already, by removing
 * it in favour of the neighbours, or by splitting it (Linux: `vma_modify`). Huge pages at the borders are the caller's to split.
 * @returns the area that covers the range now, or null if there are too many areas
 */
export function modifyArea(mm: MmStruct, area: Vma, start: number, end: number, flags: number, key: number): Vma | null {
  const merged = mergeExistingRange(mm, area, start, end, flags, key);
  if (merged !== null) return merged;
  let part = area;
  if (area.start < start) {
    if (mm.areas.size >= MAX_MAP_COUNT) return null;
    part = splitArea(mm, area, start);
  }
  if (part.end > end) {
    if (mm.areas.size >= MAX_MAP_COUNT) return null;
    splitArea(mm, part, end);
  }
  part.flags = flags;
  part.key = key;
  return part;
}

/** Linux: `vma_merge_existing_range`. */
function mergeExistingRange(mm: MmStruct, middle: Vma, start: number, end: number, flags: number, key: number): Vma | null {
  const atStart = start === middle.start;
  const atEnd = end === middle.end;
  if ((flags & VmFlag.SPECIAL) !== 0 || (!atStart && !atEnd)) return null;
  // All of it would go.
  if (atStart && atEnd && countsAreas(middle)) return null;
  const index = mm.areas.indexFrom(middle.start);
  const offset = middle.offset + (start - middle.start) / PAGE_SIZE;
  const range: Proposal = { start, end, flags, key, object: middle.object, offset, anonVma: middle.anonVma, source: middle };
  const previous = atStart ? (mm.areas.at(index - 1) ?? null) : null;
  const next = atEnd ? (mm.areas.at(index + 1) ?? null) : null;
  const left = mergesLeft(mm, previous, range) ? previous : null;
  const right = mergesRight(mm, next, range, left) ? next : null;
  if (left !== null && right !== null) {
    discard(mm, middle);
    discard(mm, right);
    left.end = right.end;
    adopt(left, right.anonVma === null ? middle : right);
    return left;
  }
  const into = left ?? right;
  if (into === null) return null;
  adopt(into, middle);
  if (atStart && atEnd) discard(mm, middle);
  if (left !== null) {
    left.end = end;
    if (!atEnd) {
      middle.offset += (end - middle.start) / PAGE_SIZE;
      middle.start = end;
    }
  } else {
    into.start = start;
    into.offset = offset;
    if (!atStart) middle.end = start;
  }
  return into;
}

/** Cuts `area` at `address`; it keeps the lower part, the upper part is returned (Linux: `__split_vma`). A huge page there is the caller's to split. */
export function splitArea(mm: MmStruct, area: Vma, address: number): Vma {
  const upper = area.copy(address, area.end, area.offset + (address - area.start) / PAGE_SIZE);
  area.end = address;
  mm.areas.insert(upper);
  upper.object?.mapped?.(1, upper, mm);
  return upper;
}

/** Its range has become part of another area. */
function discard(mm: MmStruct, area: Vma): void {
  mm.areas.remove(area);
  area.object?.mapped?.(-1, area, mm);
}

function countsAreas({ object }: { readonly object: MappedObject | null }): boolean {
  return object?.countsAreas === true;
}

function mergesLeft(mm: MmStruct, previous: Vma | null, range: Proposal): previous is Vma {
  return (
    previous !== null &&
    previous.end === range.start &&
    previous.offset + previous.pages === range.offset &&
    sameAttributes(previous, range) &&
    sharesAnonVma(mm, previous, range)
  );
}

function mergesRight(mm: MmStruct, next: Vma | null, range: Proposal, left: Vma | null): next is Vma {
  return (
    next !== null &&
    next.start === range.end &&
    range.offset + (range.end - range.start) / PAGE_SIZE === next.offset &&
    sameAttributes(next, range) &&
    sharesAnonVma(mm, next, range) &&
    // Each may merge with the range, and still not with the other.
    (left === null || left.anonVma === null || next.anonVma === null || left.anonVma === next.anonVma)
  );
}

function sameAttributes(area: Vma, range: Proposal): boolean {
  return area.flags === range.flags && area.key === range.key && area.object === range.object;
}

/** Linux: `is_mergeable_anon_vma`. Areas that a fork has copied keep to themselves, so that chains stay short. */
function sharesAnonVma(mm: MmStruct, area: Vma, range: Proposal): boolean {
  if (area.anonVma === range.anonVma) return true;
  if (mm.manager.rules.mergeUntouchedNeighbour) {
    if (area.anonVma === null) return range.source === null || range.source.anonChain === 1;
    return range.anonVma === null && area.anonChain === 1;
  }
  return (area.anonVma === null || range.anonVma === null) && area.anonChain === 1;
}

/** An area that takes over pages takes over whose they are (Linux: `dup_anon_vma`). */
function adopt(area: Vma, from: Vma | null): void {
  if (area.anonVma !== null || from === null || from.anonVma === null) return;
  area.anonVma = from.anonVma;
  area.anonChain = from.anonChain;
}
