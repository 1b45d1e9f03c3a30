import { oneOf } from '../usage.js';

/** The program that hands out the shards of a sweep, other than this one. */
export type Scheduler = 'slurm' | 'parallel' | 'k8s';

export const schedulerNamed: (text: string) => Scheduler = oneOf('the scheduler', ['slurm', 'parallel', 'k8s']);

/**
 * A script that runs a sweep in `shards` pieces and merges them. Every piece writes a file of its own into one folder, which all must see.
 * @param sweep the words behind `rpal-bench sweep`
 */
export function scriptFor(scheduler: Scheduler, sweep: string, out: string, shards: number): string {
  const shard = (index: string): string => `npx rpal-bench sweep ${sweep} --out ${out} --jobs 1 --shard ${index}/${shards}`;
  switch (scheduler) {
    case 'slurm':
      return [
        '#!/bin/sh',
        '# sbatch --wait THIS-FILE; ends with the highest exit code of its tasks. Then: npx rpal-bench sweep merge DIR',
        `#SBATCH --array=1-${shards}`,
        '#SBATCH --ntasks=1',
        '#SBATCH --requeue',
        shard('$SLURM_ARRAY_TASK_ID'),
        '',
      ].join('\n');
    case 'parallel':
      return [
        '#!/bin/sh',
        'set -e',
        `parallel --joblog ${out}.log --resume-failed '${shard('{}')}' ::: $(seq 1 ${shards})`,
        `npx rpal-bench sweep merge ${out}`,
        '',
      ].join('\n');
    case 'k8s':
      return [
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
        `          command: ['sh', '-c', '${shard('$((JOB_COMPLETION_INDEX + 1))')}']`,
        '          volumeMounts: [{ name: results, mountPath: /results }]',
        '      volumes: [{ name: results, persistentVolumeClaim: { claimName: rpal-results } }]',
        '',
      ].join('\n');
  }
}
