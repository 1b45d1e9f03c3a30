import { mergeConfig } from 'vitest/config';
import { onBuiltPackages } from '../../scripts/built-packages.ts';
import { project } from '../../vitest.base.ts';
import { ownPackages } from './own-packages.ts';

// Node keeps what it has loaded: a test that wants modules of its own has them on sources only. The queue's once found a tslib there that
// was loaded in part (`__exportStar is not a function`, from bullmq), behind other files of the same process; alone it passes on what is built.
const exclude = onBuiltPackages ? ['test/without-rpal.test.ts', 'test/sweep-queue.test.ts'] : [];

export default mergeConfig(project('bench'), { plugins: [ownPackages()], test: { exclude } });
