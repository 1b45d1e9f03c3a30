import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OutsideProject, registryReachable, root } from './outside-project.ts';

const reachable = registryReachable();
if (!reachable) console.warn('skipped: packages as published. npm cannot reach its registry, which has the few dependencies they need.');

describe.skipIf(!reachable)('packages as published, in an empty project outside the workspace', () => {
  const project = new OutsideProject();
  beforeAll(() => {
    project.pack();
    project.install();
    project.copy(join(root, 'docs/test/third-party'));
  }, 900_000);
  afterAll(() => project.remove());

  it('installs every package of the workspace', () => {
    expect([...project.tarballs.keys()]).toEqual(expect.arrayContaining(['@rpal/bus', '@rpal/kernel', '@rpal/rpal-core', '@rpal/librpal']));
  });

  it('has nothing in a manifest that leads to sources', () => {
    for (const name of project.tarballs.keys()) expect(project.read(`node_modules/${name}/package.json`)).not.toContain('@rpal/source');
  });

  it('brings the tutorial and the reference of seams, with links that lead somewhere', () => {
    const docs = join(project.directory, 'node_modules/@rpal/kernel/docs');
    for (const file of ['tutorial.md', 'seams.md']) {
      const text = project.read(`node_modules/@rpal/kernel/docs/${file}`);
      const missing = [...text.matchAll(/\]\((\.[^)#]*)/g)]
        .map(([, link]) => link as string)
        .filter((link) => !existsSync(join(docs, link)));
      expect(missing).toEqual([]);
    }
  });

  it('is clean to publint', async () => {
    for (const name of project.tarballs.keys()) {
      const { messages, pkg } = await publint({ pkgDir: join(project.directory, 'node_modules', name), pack: false, strict: true });
      expect(messages.map((message) => `${name}: ${formatMessage(message, pkg)}`)).toEqual([]);
    }
  });

  it('is clean to are-the-types-wrong, however it is resolved', async () => {
    for (const [name, tarball] of project.tarballs) {
      const checked = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(tarball))));
      const problems = checked.types === false ? [{ kind: 'no types' }] : checked.problems;
      expect(problems.map((problem) => `${name}: ${JSON.stringify(problem)}`)).toEqual([]);
    }
  });

  it("compiles somebody else's plugin against the published types alone (node16) and runs it", () => {
    project.compile(['plugin.ts', 'main.ts'], 'node16', { module: 'node16', moduleResolution: 'node16', skipLibCheck: false });
    const first = project.run('node16/main.js');
    const { plugins, counts, exit, fingerprint } = JSON.parse(first);
    expect(plugins).toEqual(['@rpal/rpal-core', 'somebody-elses-tally']);
    expect(counts.calls).toBeGreaterThan(0);
    expect(counts.faults).toBeGreaterThan(0);
    expect(counts.switches).toBeGreaterThan(0);
    expect(exit).toMatchObject({ status: 0, signal: 0 });
    expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
    expect(project.run('node16/main.js')).toBe(first);
  });

  it('compiles it for a bundler', () => {
    const compile = () =>
      project.compile(['plugin.ts', 'main.ts'], 'bundler', { module: 'esnext', moduleResolution: 'bundler', skipLibCheck: true });
    expect(compile).not.toThrow();
  });

  it('is loaded by CommonJS with require(), and has types there (node16)', () => {
    project.compile(['commonjs.cts'], 'commonjs', { module: 'node16', moduleResolution: 'node16', skipLibCheck: false });
    expect(JSON.parse(project.run('commonjs/commonjs.cjs'))).toEqual({ value: 42, seams: true });
  });

  it('has one instance and one set of types in a program that mixes ES modules with CommonJS', () => {
    project.compile(['mixed.ts', 'commonjs.cts'], 'mixed', { module: 'node16', moduleResolution: 'node16', skipLibCheck: false });
    const [, printed = ''] = project.run('mixed/mixed.js').trim().split('\n');
    expect(JSON.parse(printed)).toEqual({
      oneInstance: true,
      plugins: ['commonjs-plugin', '@rpal/rpal-core', 'owner', 'listener'],
      heard: ['main'],
    });
  });
});
