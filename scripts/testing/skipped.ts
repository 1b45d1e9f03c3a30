import type { Reporter, TestModule, TestRunEndReason, Vitest } from 'vitest/node';

/** The last lines of a run: which tests were skipped, and why. So that none is without a word. */
export default class SkippedTests implements Reporter {
  /** Tests are left out because somebody asked for others. */
  #chosen = false;

  onInit(vitest: Vitest): void {
    this.#chosen = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], _errors: readonly unknown[], _reason: TestRunEndReason): void {
    if (this.#chosen) return;
    const byReason = new Map<string, string[]>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result();
        const reason = (result.state === 'skipped' ? result.note : undefined) ?? 'what its file asks for is not there';
        const names = byReason.get(reason) ?? [];
        byReason.set(reason, [...names, `  ${module.project.name}: ${module.relativeModuleId}: ${test.fullName}`]);
      }
    }
    for (const [reason, names] of byReason) console.log(`${names.length} skipped, as ${reason}:\n${names.join('\n')}`);
  }
}
