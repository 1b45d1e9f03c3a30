import { fileURLToPath } from 'node:url';
import { createVitest, type Reporter, type TestModule, type TestSequencer, type TestSpecification, type Vitest } from 'vitest/node';
import { changedFile, setChange } from './mutation.ts';
import { type Answer, type Order, withoutTest } from './tests.ts';

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

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Relative to the root. */
function fileOf({ moduleId }: TestModule): string {
  return moduleId.slice(root.length);
}

const messagesOf = (errors: readonly { readonly message?: string }[]): string[] => errors.map(({ message = 'an error' }) => message);

function verdict(): Omit<Answer, 'seconds'> {
  const { modules, errors } = ear;
  const files = Object.fromEntries(modules.map((module) => [fileOf(module), module.diagnostic().duration / 1000]));
  const messages = [...messagesOf(errors), ...modules.flatMap((module) => messagesOf([...module.errors()]))];
  const broken = messages.find((message) => /has the text \d+ times|Transform failed|PARSE_ERROR|SyntaxError/.test(message));
  if (broken !== undefined) return { outcome: 'broken', by: broken, in: '', files };
  for (const module of modules) {
    const failed = [...module.children.allTests()].find((test) => test.result().state === 'failed');
    const by = failed?.fullName ?? messagesOf([...module.errors()])[0];
    if (by !== undefined) return { outcome: 'failed', by, in: fileOf(module), files };
  }
  if (messages[0] !== undefined) return { outcome: 'failed', by: messages[0], in: '', files };
  const isRun = modules.some((module) => [...module.children.allTests()].some((test) => test.result().state === 'passed'));
  return { outcome: isRun ? 'passed' : 'broken', by: isRun ? '' : 'no test was run', in: '', files };
}

process.on('message', async (order: Order) => {
  process.send?.(await run(order).catch(({ message }: Error) => withoutTest('broken', message)));
});
process.send?.('ready');
