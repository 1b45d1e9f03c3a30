'use strict';
// The package manager of this project on a computer that may not have it. In the oldest JavaScript there is, as start.cjs.

var childProcess = require('child_process');
var fs = require('fs');
var path = require('path');

var windows = process.platform === 'win32';

/** How pnpm is called: by its name where it is installed, else the pinned version through npx. Program first. */
exports.pnpmCommand = function () {
  var installed = childProcess.spawnSync('pnpm', ['--version'], { cwd: path.join(__dirname, '..'), stdio: 'ignore', shell: windows });
  if (installed.status === 0) return ['pnpm'];
  var manifest = JSON.parse(fs.readFileSync(path.join(__dirname, '..', 'package.json'), 'utf8'));
  return ['npx', '--yes', manifest.packageManager.split('+')[0]];
};
