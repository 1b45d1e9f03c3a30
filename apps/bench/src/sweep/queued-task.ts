import { z } from 'zod';
import manifest from '../../package.json' with { type: 'json' };
import { withoutOptions } from '../plugin-loader.js';
import { UsageError } from '../usage.js';
import { experimentNamed } from './experiments.js';
import { modelIdentity } from './identity.js';
import { modulesIn, parameterNamed, type Settings } from './parameters.js';
import type { Task } from './task.js';

/** Which program this is, as far as results depend on it. */
const version = z.strictObject({
  version: z.string(),
  /** Of the built program, and of the modules that a task names. */
  identity: z.string(),
});
type Version = z.infer<typeof version>;

/** @param points which may name modules, looked for in `directory` */
export function versionFor(points: readonly Settings[], directory: string): Version {
  return { version: manifest.version, identity: modelIdentity(modulesIn(points), directory) };
}

const settings = z.record(z.string(), z.union([z.string(), z.number()]));

/** A task as it is put into the queue. */
const queuedTask = z.strictObject({
  sender: version,
  experiment: z.string(),
  points: z.array(settings).min(1).max(100_000),
});
export type QueuedTask = z.infer<typeof queuedTask>;

/** What a worker says of it. */
export const queuedOutcomes = z.strictObject({
  /** Host and process. */
  worker: z.string(),
  /** Host's time, ms. */
  took: z.number(),
  outcomes: z.array(
    z.union([z.strictObject({ figures: z.record(z.string(), z.union([z.string(), z.number()])) }), z.strictObject({ error: z.string() })]),
  ),
});
export type QueuedOutcomes = z.infer<typeof queuedOutcomes>;

/** A worker does not run what it was given. */
export class RefusedTask extends Error {
  override readonly name = 'RefusedTask';
}

/** The sender has another program, and results of the two do not go together. */
export class OtherVersion extends RefusedTask {}

/**
 * What a worker makes of data out of the queue, in which anybody may have put anything: every name is looked up and every value read as on the
 * command line, and nothing is loaded that the worker's owner has not named.
 * @param allowed modules that points may name, as they name them, without options
 * @param directory where they are looked for
 * @throws RefusedTask
 */
export function taskFrom(data: unknown, allowed: ReadonlySet<string>, directory: string): Task {
  const checked = queuedTask.safeParse(data);
  if (!checked.success) throw new RefusedTask(`it is not a task: ${z.prettifyError(checked.error).replaceAll('\n', ' ')}`);
  const { sender, experiment: name, points } = checked.data;
  for (const module of modulesIn(points)) {
    const words = withoutOptions(module);
    if (!allowed.has(words)) {
      throw new RefusedTask(`it names ${JSON.stringify(words)}, and a worker loads only what it is started with: worker --allow ${words}`);
    }
  }
  const own = versionFor(points, directory);
  if (own.version !== sender.version || own.identity !== sender.identity) {
    throw new OtherVersion(
      `this worker runs rpal-bench ${own.version} (${own.identity}), and the sender ${sender.version} (${sender.identity}): both must be built from the same sources, with the same plugins`,
    );
  }
  try {
    const experiment = experimentNamed(name);
    for (const point of points) {
      for (const key of Object.keys(experiment.parameters)) {
        if (!Object.hasOwn(point, key)) throw new UsageError(`${key} is missing`);
      }
      for (const [key, value] of Object.entries(point)) {
        if (parameterNamed(experiment.parameters, key).parse(String(value)) !== value) {
          throw new UsageError(`${key} is not written as ${name} writes it: ${JSON.stringify(value)}`);
        }
      }
      experiment.check(point);
    }
  } catch (error) {
    if (error instanceof UsageError) throw new RefusedTask(`it is not a sweep that can be run: ${error.message}`);
    throw error;
  }
  return { experiment: name, points, directory };
}
