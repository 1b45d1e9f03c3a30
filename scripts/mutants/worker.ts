import { createVitest, type Reporter, type TestModule, type TestSequencer, type TestSpecification, type Vitest } from 'vitest/node';
import { changedFile, setChange } from './mutation.ts';
import type { Answer, Order } from './tests.ts';

/** The process behind `Tests`: one vitest, which runs what it is told to, and says what came of it. */

/** Hears how a run went. */
class Ear implements Reporter {
  modules: readonly TestModule[] = [];
  errors: readonly { readonly message?: string }[] = [];

  onTestRunEnd(modules: readonly TestModule[], errors: readonly { readonly message?: string }[]): void {
    this.modules = modules;
    this.errors = errors;
  }
}

/** Test files one after the other as they are ordered, and not as vitest would. */
class AsOrdered implements TestSequencer {
  sort(specifications: TestSpecification[]): TestSpecification[] {
    return specifications;
  }

  shard(specifications: TestSpecification[]): TestSpecification[] {
    return specifications;
  }
}

const ear = new Ear();
const vitest: Vitest = await createVitest('test', {
  watch: false,
  bail: 1,
  maxWorkers: 1,
  sequence: { sequencer: AsOrdered },
  reporters: [ear],
  // What a mutant breaks may show in a promise that nobody waits for: it must not end this process.
  dangerouslyIgnoreUnhandledErrors: true,
});

async function run({ files, change, named }: Order): Promise<Answer> {
  setChange(change);
  if (change !== null) vitest.invalidateFile(changedFile(change));
  if (named === undefined) vitest.resetGlobalTestNamePattern();
  else vitest.setGlobalTestNamePattern(named);
  const found = await vitest.globTestSpecifications([...files]);
  const specifications = files.flatMap((file) => found.filter(({ moduleId }) => moduleId.endsWith(`/${file}`)));
  const began = performance.now();
  await vitest.runTestSpecifications(specifications);
  const seconds = (performance.now() - began) / 1000;
  if (change !== null) vitest.invalidateFile(changedFile(change));
  return { ...verdict(), seconds };
}

function verdict(): Omit<Answer, 'seconds'> {
  const { modules, errors } = ear;
  const messages = [...errors, ...modules.flatMap((module) => [...module.errors()])].map(({ message = 'an error' }) => message);
  const broken = messages.find((message) => /has the text \d+ times|Transform failed|PARSE_ERROR|SyntaxError/.test(message));
  if (broken !== undefined) return { outcome: 'broken', by: broken };
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const failed = tests.find((test) => test.result().state === 'failed')?.fullName;
  if (failed !== undefined || messages.length > 0) return { outcome: 'failed', by: failed ?? (messages[0] as string) };
  const isRun = tests.some((test) => test.result().state === 'passed');
  return isRun ? { outcome: 'passed', by: '' } : { outcome: 'broken', by: 'no test was run' };
}

process.on('message', async (order: Order) => {
  process.send?.(await run(order).catch(({ message }: Error): Answer => ({ outcome: 'broken', by: message, seconds: 0 })));
});
process.send?.('ready');
