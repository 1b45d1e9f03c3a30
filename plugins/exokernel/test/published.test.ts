import { verdicts } from '@rpal/compare';
import { expect, it } from 'vitest';
import { exokernel } from '../src/index.js';

it.each(exokernel.experiments.map((experiment) => [experiment.name, experiment] as const))(
  '%s: what comes out, beside what was published',
  (_name, experiment) => {
    const rows = verdicts(experiment, experiment.run({ costs: 'central', seed: 1 }));
    expect(
      rows.map(
        ({ published, here, ratio, verdict }) =>
          `${published.id} ${typeof here === 'number' ? here.toFixed(1) : here} ${ratio?.toFixed(2) ?? ''} ${verdict}`,
      ),
    ).toMatchSnapshot();
    expect(rows.filter(({ verdict, why }) => verdict === 'misses' && why === '').map(({ published }) => published.id)).toEqual([]);
  },
);
