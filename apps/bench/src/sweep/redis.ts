import type { Redis } from 'ioredis';
import { UsageError } from '../usage.js';

/** The queue by which senders and workers find each other. */
export const QUEUE = 'rpal-bench';

/** Where a Redis is. */
export interface RedisAddress {
  readonly url: string;
  /** Without user and password, for people. */
  readonly shown: string;
}

/** On this computer, where nobody else can put anything into the queue. */
const HERE = 'redis://127.0.0.1:6379';

/** The queue could not be used, or not any longer. */
export class QueueError extends Error {
  override readonly name = 'QueueError';
}

/**
 * @param flag what `--redis` was given
 * @param variable the value of REDIS_URL, which counts if the flag was not given
 * @throws UsageError
 */
export function redisAddress(flag: string | undefined, variable: string | undefined): RedisAddress {
  const url = flag ?? (variable || HERE);
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === '') {
    const name = flag === undefined ? 'REDIS_URL' : '--redis';
    throw new UsageError(`${name} takes redis://[user:password@]host[:port][/database], or rediss:// for TLS; "${url}" is none`);
  }
  const { protocol, hostname, port, pathname } = parsed;
  return { url, shown: `${protocol}//${hostname}:${port || '6379'}${pathname === '/' ? '' : pathname}` };
}

/**
 * The library that keeps the queue. It is loaded only here, when somebody wants one, and most installations do without.
 * @throws UsageError if it is not installed
 */
export async function queueLibrary(): Promise<typeof import('bullmq')> {
  return (await loaded()).bullmq;
}

async function loaded() {
  try {
    const [bullmq, ioredis] = await Promise.all([import('bullmq'), import('ioredis')]);
    return { bullmq, ioredis };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError(
      'a queue needs the packages bullmq and ioredis, which are not installed; in a checkout, `npm run bench -- worker --help` installs them',
    );
  }
}

/** @throws QueueError if nothing answers there */
export async function connect({ url, shown }: RedisAddress): Promise<Redis> {
  const { Redis: Client } = (await loaded()).ioredis;
  // Once it has answered, requests wait until it is there again.
  const client = new Client(url, { lazyConnect: true, maxRetriesPerRequest: null, connectTimeout: 5000 });
  let reason = 'the connection was closed';
  client.on('error', ({ message }: Error) => {
    reason = message;
  });
  try {
    await client.connect();
    await client.ping();
    return client;
  } catch (error) {
    client.disconnect();
    const said = error instanceof Error && !/closed/.test(error.message) ? error.message : reason;
    throw new QueueError(`no Redis answers at ${shown}: ${said}; start one there (redis-server), or say where it is with --redis`);
  }
}
