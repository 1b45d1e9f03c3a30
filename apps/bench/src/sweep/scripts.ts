import { isAbsolute, posix } from 'node:path';
import { commandLine, shellWord } from '../report/envelope.js';
import { oneOf } from '../usage.js';

/** The program that hands out the shards of a sweep, other than this one. */
export type Scheduler = 'slurm' | 'parallel' | 'k8s';

export const schedulerNamed: (text: string) => Scheduler = oneOf('the scheduler', ['slurm', 'parallel', 'k8s']);

/**
 * A script that runs a sweep in `shards` pieces. Every piece writes a file of its own into one folder, which all must see.
 * @param sweep the words behind `rpal-bench sweep`: an experiment and its parameters
 */
export function scriptFor(scheduler: Scheduler, sweep: readonly string[], out: string, shards: number): string {
  switch (scheduler) {
    case 'slurm':
      return [
        '#!/bin/sh',
        '# sbatch --wait THIS-FILE; ends with the highest exit code of its tasks. Then:',
        `# ${mergeLine(out)}`,
        `#SBATCH --array=1-${shards}`,
        '#SBATCH --ntasks=1',
        '#SBATCH --requeue',
        shardLine(sweep, out, '$SLURM_ARRAY_TASK_ID', shards),
        '',
      ].join('\n');
    case 'parallel':
      return [
        '#!/bin/sh',
        'set -e',
        `mkdir -p ${shellWord(out)}`,
        `parallel --joblog ${shellWord(posix.join(out, 'parallel.log'))} --resume-failed -I SHARD ${doubleQuoted(shardLine(sweep, out, 'SHARD', shards))} ::: $(seq 1 ${shards})`,
        mergeLine(out),
        '',
      ].join('\n');
    case 'k8s': {
      const folder = isAbsolute(out) ? out : posix.join('/results', out);
      return [
        `# When the job is complete: ${mergeLine(folder)}`,
        'apiVersion: batch/v1',
        'kind: Job',
        'metadata:',
        '  name: rpal-sweep',
        'spec:',
        '  completionMode: Indexed',
        `  completions: ${shards}`,
        `  parallelism: ${shards}`,
        '  template:',
        '    spec:',
        '      restartPolicy: OnFailure',
        '      containers:',
        '        - name: shard',
        '          image: IMAGE-WITH-RPAL-BENCH',
        '          command:',
        '            - sh',
        '            - -c',
        '            - |',
        `              ${shardLine(sweep, folder, '$((JOB_COMPLETION_INDEX + 1))', shards)}`,
        `          volumeMounts: [{ name: results, mountPath: ${JSON.stringify(folder)} }]`,
        '      volumes: [{ name: results, persistentVolumeClaim: { claimName: rpal-results } }]',
        '',
      ].join('\n');
    }
  }
}

/** @param index a word that the shell replaces by the number of the piece, from 1 on */
function shardLine(sweep: readonly string[], out: string, index: string, shards: number): string {
  return `${commandLine(['sweep', ...sweep, '--out', out, '--jobs', '1'])} --shard ${index}/${shards}`;
}

function mergeLine(out: string): string {
  return commandLine(['sweep', 'merge', out]);
}

/** A command as one word of the shell, whatever quotes are in it. */
function doubleQuoted(command: string): string {
  return `"${command.replace(/[\\"$`]/g, '\\$&')}"`;
}
