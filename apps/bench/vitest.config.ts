import { mergeConfig } from 'vitest/config';
import { project } from '../../vitest.base.ts';
import { ownPackages } from './own-packages.ts';

export default mergeConfig(project('bench'), { plugins: [ownPackages()] });
