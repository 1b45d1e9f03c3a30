import { mergeConfig } from 'vitest/config';
import { onBuiltPackages } from '../../scripts/built-packages.ts';
import { project } from '../../vitest.base.ts';
import { ownPackages } from './own-packages.ts';

// Node keeps what it has loaded: a test that wants modules of its own has them on sources only.
const exclude = onBuiltPackages ? ['test/without-rpal.test.ts'] : [];

export default mergeConfig(project('bench'), { plugins: [ownPackages()], test: { exclude } });
