import { allSteps } from '@rpal/hw-x86';
import { describe, expect, it } from 'vitest';
import { sourceOf } from '../src/report/step-sources.js';

describe('the steps of all packages', () => {
  it('have a source each', () => {
    expect(allSteps().length).toBeGreaterThan(200);
    expect(allSteps().filter((step) => sourceOf(step).length < 4 || sourceOf(step) === 'no source is given')).toEqual([]);
  });

  it('say where their instructions were counted, if they were', () => {
    const counted = allSteps().filter(({ status, parts, instructions }) => status === 'counted' && !parts && instructions !== undefined);
    expect(counted.length).toBeGreaterThan(40);
    expect(counted.filter((step) => !/counted|6\.1/.test(sourceOf(step))).map(({ name }) => name)).toEqual([]);
  });
});
