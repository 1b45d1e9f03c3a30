import { randomUUID } from 'node:crypto';
import type { Engine } from './engine.js';
import { type QueuedTask, queuedOutcomes, versionFor } from './queued-task.js';
import { connect, QUEUE, QueueError, queueLibrary, type RedisAddress } from './redis.js';
import type { Ran, Task } from './task.js';

/** Tasks that are in the queue or with workers at a time: enough that none waits for the sender. */
export const TASKS_AT_A_TIME = 64;
/** How long Redis keeps what no sender has fetched, s. */
const KEPT = 3600;
/** Between two looks at what has become of tasks of which nothing was heard, ms. */
const LOOK = 2000;

/** A task of which nothing has been heard yet. */
interface Pending {
  readonly data: QueuedTask;
  resolve(ran: Ran): void;
  reject(error: Error): void;
}

/**
 * Runs tasks on the workers that share a queue, wherever they are. A task comes back once, from whichever worker has done it: one that dies
 * loses its lock on it, and another takes it over.
 * @param tell news for people
 * @throws QueueError, UsageError
 */
export async function queue(address: RedisAddress, tell: (news: string) => void): Promise<Engine> {
  const { Queue, QueueEvents } = await queueLibrary();
  const client = await connect(address);
  const keep = { removeOnComplete: { age: KEPT }, removeOnFail: { age: KEPT } };
  const jobs = new Queue<QueuedTask>(QUEUE, { connection: client, defaultJobOptions: keep });
  const events = new QueueEvents(QUEUE, { connection: client });
  // Both go on by themselves once Redis is there again.
  jobs.on('error', () => {});
  events.on('error', () => {});
  await events.waitUntilReady();
  const pending = new Map<string, Pending>();

  function settle(id: string, settled: (waiting: Pending) => void): void {
    const waiting = pending.get(id);
    if (waiting === undefined) return;
    pending.delete(id);
    settled(waiting);
    jobs.remove(id).catch(() => {});
  }
  function completed(id: string, returned: unknown): void {
    settle(id, ({ data, resolve, reject }) => {
      const checked = queuedOutcomes.safeParse(returned);
      if (checked.success && checked.data.outcomes.length === data.points.length) resolve(checked.data);
      else reject(new QueueError('a worker has returned something that is not a result of its task'));
    });
  }
  const failed = (id: string, reason: string): void => settle(id, ({ reject }) => reject(new QueueError(reason)));
  events.on('completed', ({ jobId, returnvalue }) => completed(jobId, returnvalue));
  events.on('failed', ({ jobId, failedReason }) => failed(jobId, failedReason));

  /** News can get lost, and so can tasks if Redis was begun anew. */
  async function look(): Promise<void> {
    for (const [id, { data }] of [...pending]) {
      const job = await jobs.getJob(id);
      if (job === undefined) {
        if (pending.has(id)) await jobs.add(QUEUE, data, { jobId: id });
      } else if (job.finishedOn !== undefined) {
        if (job.failedReason === undefined) completed(id, job.returnvalue);
        else failed(id, job.failedReason);
      }
    }
    const alone = pending.size > 0 && (await jobs.getWorkersCount()) === 0;
    if (alone && !told) tell(`no worker is there: start \`rpal-bench worker --redis ${address.shown}\` on each machine`);
    told = alone;
  }
  let told = false;
  let looking = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(look).catch(() => {});
  }, LOOK);

  return {
    async run({ experiment, points, directory }: Task) {
      const data: QueuedTask = { sender: versionFor(points, directory), experiment, points: [...points] };
      const id = randomUUID();
      const ran = new Promise<Ran>((resolve, reject) => pending.set(id, { data, resolve, reject }));
      await jobs.add(QUEUE, data, { jobId: id });
      return await ran;
    },
    async close() {
      clearInterval(timer);
      const left = [...pending.keys()];
      pending.clear();
      // What a worker is at cannot be taken back.
      await Promise.all(left.map((id) => jobs.remove(id).catch(() => {})));
      await events.close();
      await jobs.close();
      client.disconnect();
    },
  };
}
