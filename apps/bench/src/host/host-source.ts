import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option } from 'commander';
import type { Progress } from '../progress.js';
import { UsageError } from '../usage.js';
import { type HostReport, hostJson } from './host-json.js';
import { measureHost } from './measure.js';

/** Where a command has the measurements from. */
export interface HostSource {
  readonly host?: string;
  readonly rounds: number;
}

/** `--host`, for every command that needs measurements. */
export function hostOption(): Option {
  return new Option('--host <file>', 'what `rpal-bench host --json` wrote; without it, this computer is measured now');
}

/** Measurements out of a file, or made now. @returns null if they were interrupted @throws UsageError */
export async function hostReport({ host, rounds }: HostSource, directory: string, progress: Progress): Promise<HostReport | null> {
  if (host !== undefined) return readHost(resolve(directory, host));
  const { report, complete } = await measureHost(rounds, progress);
  return complete ? report : null;
}

/** The words of a command line that say the same. */
export function sourceWords({ host, rounds }: HostSource): readonly string[] {
  return host === undefined ? ['--rounds', String(rounds)] : ['--host', host];
}

function readHost(path: string): HostReport {
  const wrong = (why: string): UsageError => new UsageError(`--host takes a file that \`rpal-bench host --json\` wrote; ${path} ${why}`);
  if (!existsSync(path)) throw wrong('is not there');
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw wrong(`is not JSON: ${(error as Error).message}`);
  }
  const file = hostJson.safeParse(json);
  if (!file.success) {
    const [issue] = file.error.issues;
    throw wrong(`is none: ${issue?.path.map(String).join('.') || 'the file'}: ${issue?.message}`);
  }
  return file.data.data;
}
