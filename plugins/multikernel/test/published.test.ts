import { type ExperimentRow, verdicts } from '@rpal/compare';
import { beforeAll, describe, expect, it } from 'vitest';
import { multikernel } from '../src/index.js';

describe.each(multikernel.experiments)('experiment $name', (experiment) => {
  let rows: readonly ExperimentRow[] = [];
  beforeAll(() => {
    rows = verdicts(experiment, experiment.run({ costs: 'central', seed: 1 }));
  });

  it('explains every miss, and nothing that holds', () => {
    const missed = rows.filter(({ verdict }) => verdict === 'misses');
    expect(missed.filter(({ why }) => why === '').map(({ published }) => published.id)).toEqual([]);
    expect(Object.keys(experiment.misses).sort()).toEqual(missed.map(({ published }) => published.id).sort());
  });

  it("comes out as it did, but for what Linux takes, which is not this package's", () => {
    const own = rows.filter(({ published }) => !['MK-10', 'MK-10a', 'MK-10b', 'MK-10e'].includes(published.id));
    const pinned = own.map(
      ({ published: { id }, here, verdict }) => `${id} ${typeof here === 'number' ? here.toFixed(2) : here} ${verdict}`,
    );
    expect(pinned).toMatchSnapshot();
  });
});
