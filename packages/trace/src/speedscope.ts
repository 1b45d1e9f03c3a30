import type { Recording } from './recording.js';
import { tracksOf } from './tracks.js';

/** One frame of a stack that lasts from `begin` to `end`, with the frames on top of it. */
export interface Frame {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

interface Profile {
  readonly type: 'evented';
  readonly name: string;
  readonly unit: 'nanoseconds' | 'none';
  readonly startValue: number;
  readonly endValue: number;
  readonly events: readonly { readonly type: 'O' | 'C'; readonly frame: number; readonly at: number }[];
}

/** A file of www.speedscope.app. */
export interface SpeedscopeFile {
  readonly $schema: 'https://www.speedscope.app/file-format-schema.json';
  readonly exporter: string;
  readonly name: string;
  readonly shared: { readonly frames: readonly { readonly name: string }[] };
  readonly profiles: readonly Profile[];
}

/**
 * Stacks over time as a file of speedscope.
 * @param views by name: frames that follow each other or lie within each other, sorted by their beginnings, outer ones first
 */
export function speedscopeFile(
  name: string,
  unit: Profile['unit'],
  views: readonly (readonly [name: string, frames: readonly Frame[]])[],
): SpeedscopeFile {
  const names: string[] = [];
  const ids = new Map<string, number>();
  const idOf = (frame: string): number => {
    const known = ids.get(frame);
    if (known !== undefined) return known;
    ids.set(frame, names.length);
    return names.push(frame) - 1;
  };
  const profiles = views.map(([title, frames]): Profile => {
    const events: { type: 'O' | 'C'; frame: number; at: number }[] = [];
    const open: Frame[] = [];
    const closeUntil = (time: number): void => {
      while (open.length > 0 && (open.at(-1) as Frame).end <= time) {
        const frame = open.pop() as Frame;
        events.push({ type: 'C', frame: idOf(frame.name), at: frame.end });
      }
    };
    for (const frame of frames) {
      closeUntil(frame.begin);
      events.push({ type: 'O', frame: idOf(frame.name), at: frame.begin });
      open.push(frame);
    }
    closeUntil(Number.POSITIVE_INFINITY);
    const startValue = frames[0]?.begin ?? 0;
    return { type: 'evented', name: title, unit, startValue, endValue: events.at(-1)?.at ?? startValue, events };
  });
  return {
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    exporter: '@rpal/trace',
    name,
    shared: { frames: names.map((each) => ({ name: each })) },
    profiles,
  };
}

/** A recording as a file of speedscope: a profile for each CPU and each thread, in nanoseconds from its beginning. */
export function speedscopeTrace(name: string, recording: Recording): SpeedscopeFile {
  const { begin, tscGHz } = recording;
  const ns = (time: number): number => (time - begin) / tscGHz;
  const views = tracksOf(recording).tracks.map(
    ({ name: track, slices }) =>
      [track, slices.map((slice) => ({ name: slice.name, begin: ns(slice.begin), end: ns(slice.end) }))] as const,
  );
  return speedscopeFile(name, 'nanoseconds', views);
}
