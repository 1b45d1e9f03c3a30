import { project } from '../../vitest.base.ts';

export default project('rpal-core');
