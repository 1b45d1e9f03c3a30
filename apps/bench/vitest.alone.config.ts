import { mergeConfig } from 'vitest/config';
import { alone } from '../../vitest.base.ts';
import { ownPackages } from './own-packages.ts';

// On what is built, bullmq once found a tslib that was loaded in part (`__exportStar is not a function`), behind other files of its process.
export default mergeConfig(alone('bench'), { plugins: [ownPackages()] });
