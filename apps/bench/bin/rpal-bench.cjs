#!/usr/bin/env node
'use strict';
// `npx rpal-bench` in a checkout, where the program may not have been built yet, and the command of the published package.

var childProcess = require('child_process');
var fs = require('fs');
var path = require('path');
var url = require('url');

var program = path.join(__dirname, '..', 'dist', 'cli.js');
var start = path.join(__dirname, '..', '..', '..', 'scripts', 'start.cjs');

if (fs.existsSync(program)) {
  import(url.pathToFileURL(program).href);
} else {
  var words = process.argv.length > 2 ? process.argv.slice(2) : ['--help'];
  process.on('SIGINT', function () {});
  var result = childProcess.spawnSync(process.execPath, [start, 'bench'].concat(words), { stdio: 'inherit' });
  process.exitCode = result.status === null ? 1 : result.status;
}
