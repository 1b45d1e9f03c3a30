// Behind `tsup` in the build of each package: makes its one module loadable by `import` and by `require`, with one
// instance and one set of declarations.
//
//   dist/index.js      the ES module that tsup has built, the only code
//   dist/index.cjs     loads it for require(): Node 20.19 and later can
//   dist/index.d.cts   the declarations; as a CommonJS module everybody may import them
//   dist/index.d.ts    the same ones for ES modules: two copies would be two types with private members, which do not mix
import { renameSync, writeFileSync } from 'node:fs';

renameSync('dist/index.d.ts', 'dist/index.d.cts');
writeFileSync('dist/index.d.ts', "export * from './index.cjs';\n");
writeFileSync('dist/index.cjs', "'use strict';\nmodule.exports = require('./index.js');\n");
