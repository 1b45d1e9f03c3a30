import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';

const PROGRAMS = ['munged', 'slurmctld', 'slurmd', 'sbatch'];

/** Why there can be no Slurm here; null if there can. */
export const missing: string | null = PROGRAMS.every((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0)
  ? null
  : 'there is no Slurm: install one, such as with `apt install slurmctld slurmd slurm-client munge`';

/** How long daemons may take to be there, ms. */
const READY = 60_000;

/** A Slurm of a test's own: this computer is its only node. It keeps all that it writes in one directory. */
export class SlurmCluster {
  /** What `sbatch` and the like need to find it. */
  readonly env: NodeJS.ProcessEnv;
  readonly #directory: string;
  readonly #daemons: ChildProcess[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
    this.env = { ...process.env, SLURM_CONF: join(directory, 'slurm.conf') };
  }

  /** On free ports. @param directory that is empty @returns when its node waits for jobs @throws Error with the logs if it does not come up */
  static async start(directory: string): Promise<SlurmCluster> {
    const cluster = new SlurmCluster(directory);
    const at = (name: string): string => join(directory, name);
    writeFileSync(at('key'), randomBytes(1024), { mode: 0o400 });
    writeFileSync(at('slurm.conf'), configuration(directory, await freePort(), await freePort()));
    for (const name of ['state', 'spool']) mkdirSync(at(name));
    const munge = ['key-file', 'socket', 'pid-file', 'seed-file'].map(
      (name) => `--${name}=${at(name === 'key-file' ? 'key' : `munge.${name}`)}`,
    );
    cluster.#start('munged', ['--foreground', '--force', ...munge]);
    cluster.#start('slurmctld', ['-D']);
    cluster.#start('slurmd', ['-D']);
    const until = Date.now() + READY;
    while (cluster.ask('sinfo', '--noheader', '--format=%T').trim() !== 'idle') {
      if (Date.now() > until) throw new Error(`no node after ${READY} ms:\n${readFileSync(at('daemons.log'), 'utf8')}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return cluster;
  }

  /** What a program of Slurm's says, '' if it failed. */
  ask(program: string, ...args: string[]): string {
    return spawnSync(program, args, { env: this.env, encoding: 'utf8' }).stdout ?? '';
  }

  async stop(): Promise<void> {
    for (const child of this.#daemons.reverse()) {
      const ended = new Promise((resolve) => child.once('close', resolve));
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await ended;
    }
  }

  #start(program: string, args: readonly string[]): void {
    // Closed ends of pipes would stop a daemon that complains; a file takes all.
    const log = join(this.#directory, 'daemons.log');
    const child = spawn('sh', ['-c', `exec "$0" "$@" >>'${log}' 2>&1`, program, ...args], { env: this.env, stdio: 'ignore' });
    this.#daemons.push(child);
  }
}

function configuration(directory: string, controlPort: number, nodePort: number): string {
  const host = hostname();
  const user = userInfo().username;
  return `
ClusterName=rpal
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${controlPort}
SlurmdPort=${nodePort}
SlurmUser=${user}
SlurmdUser=${user}
AuthType=auth/munge
AuthInfo=socket=${directory}/munge.socket
StateSaveLocation=${directory}/state
SlurmdSpoolDir=${directory}/spool
SlurmctldPidFile=${directory}/slurmctld.pid
SlurmdPidFile=${directory}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_min_interval=10000
NodeName=${host} NodeAddr=127.0.0.1 CPUs=${availableParallelism()} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`;
}
