import { beforeEach, expect } from 'vitest';

// A test that expects nothing passes whatever happens, and so does one whose program dies before it comes to what it expects.
beforeEach(({ task }) => {
  // What these expect, the compiler checks.
  if (!task.file.name.endsWith('types.test.ts')) expect.hasAssertions();
});
