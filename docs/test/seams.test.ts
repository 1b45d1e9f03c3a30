import { join } from 'node:path';
import { amdNmi } from '@rpal/amd-nmi';
import { createMachine } from '@rpal/kernel';
import { mshare } from '@rpal/mshare';
import { noMpk } from '@rpal/no-mpk';
import { rpal } from '@rpal/rpal-core';
import { describe, expect, it } from 'vitest';
import { seamDeclarations } from '../seam-declarations.ts';
import { seamsReference } from '../seams-reference.ts';
import { root } from './outside-project.ts';

const declarations = seamDeclarations(root);
/** Machines that together have every plugin of the repository. */
const machines = [createMachine({ plugins: [rpal(), noMpk(), mshare({ rpalSharing: true }), amdNmi({ programs: ['none'] })] })];
const described = machines.flatMap((machine) => machine.describe());

describe('docs/seams.md', () => {
  it('is what the declarations say; `pnpm seams` writes it anew', async () => {
    await expect(seamsReference(declarations, described)).toMatchFileSnapshot(
      join(root, 'docs/seams.md'),
      'stale: run `pnpm seams` and commit',
    );
  });

  it('covers exactly the seams that machines have', () => {
    const names = (seams: readonly { name: string }[]) => [...new Set(seams.map(({ name }) => name))].sort();
    expect(names(declarations)).toEqual(names(described));
  });

  it('explains a type as the package does that the seam takes it from', () => {
    // The explorer has another class of this name.
    const caller = declarations.find(({ name }) => name === 'epollWait')?.arguments.find(({ name }) => name === 'caller');
    expect(caller).toMatchObject({ type: 'Caller', meaning: expect.stringMatching(/^On whose behalf files work/) });
  });

  it('says when each seam comes, what it costs, and what each argument is', () => {
    const silent = declarations.flatMap(({ name, when, cost, arguments: args }) => [
      ...(when === '' ? [`${name}: no doc comment`] : []),
      ...(cost === '' ? [`${name}: no @cost`] : []),
      ...args.filter(({ meaning }) => meaning === '').map((arg) => `${name}: no @param ${arg.name}, and its type ${arg.type} says nothing`),
    ]);
    expect(silent).toEqual([]);
  });
});
