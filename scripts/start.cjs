'use strict';
// The commands of the README on a computer that has Node and npm and nothing else: installs what the lockfile says, builds,
// and runs. Written in the oldest JavaScript there is, so that an old Node prints the message below and not a syntax error.

var childProcess = require('child_process');
var crypto = require('crypto');
var fs = require('fs');
var path = require('path');
var pnpmCommand = require('./pnpm.cjs').pnpmCommand;

var root = path.join(__dirname, '..');
var manifest = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));

function fail(message) {
  console.error(message);
  process.exit(1);
}

function checkNode() {
  var wanted = /(\d+)\.(\d+)/.exec(manifest.engines.node);
  var found = /^v(\d+)\.(\d+)/.exec(process.version);
  var old = Number(found[1]) < Number(wanted[1]) || (found[1] === wanted[1] && Number(found[2]) < Number(wanted[2]));
  if (old) {
    fail(
      'This needs Node ' +
        wanted[0] +
        ' or newer; this is Node ' +
        process.version +
        '. Get one from https://nodejs.org and run the command again.',
    );
  }
}

/** Runs a command in the project; ends with its exit code if it fails. */
function run(command, args, quiet) {
  var options = { cwd: root, stdio: quiet ? ['inherit', 'pipe', 'pipe'] : 'inherit', shell: process.platform === 'win32' };
  var env = {};
  for (var name in process.env) env[name] = process.env[name];
  env.TURBO_TELEMETRY_DISABLED = '1';
  env.DO_NOT_TRACK = '1';
  env.npm_config_update_notifier = 'false';
  options.env = env;
  var result = childProcess.spawnSync(command, args, options);
  if (result.error) fail(command + ' could not be started: ' + result.error.message);
  if (result.status !== 0) {
    if (quiet) process.stderr.write(String(result.stdout) + String(result.stderr));
    process.exit(result.status === null ? 1 : result.status);
  }
}

function pnpm(args, quiet) {
  var command = pnpmCommand().concat(args);
  run(command[0], command.slice(1), quiet);
}

/** Installs what the lockfile says, unless the same lockfile has been installed before. */
function install() {
  var stamp = path.join(root, 'node_modules', '.installed');
  var lock = crypto
    .createHash('sha256')
    .update(fs.readFileSync(path.join(root, 'pnpm-lock.yaml')))
    .digest('hex');
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === lock) return;
  console.error('Installing dependencies ...');
  pnpm(['install', '--frozen-lockfile', '--reporter=silent'], true);
  fs.writeFileSync(stamp, lock);
}

function build() {
  console.error('Building ...');
  pnpm(['exec', 'turbo', 'run', 'build', '--output-logs=errors-only', '--log-prefix=none'], true);
}

function bench(args) {
  install();
  build();
  run(
    process.execPath,
    [path.join('apps', 'bench', 'dist', 'cli.js')].concat(args.length > 0 && /^[a-z]/.test(args[0]) ? args : ['rfc'].concat(args)),
  );
}

function perf(args) {
  install();
  build();
  run(process.execPath, [path.join('apps', 'bench', 'dist', 'perf.js')].concat(args));
}

function test(args) {
  install();
  build();
  run(process.execPath, [path.join('node_modules', 'vitest', 'vitest.mjs'), 'run'].concat(args));
}

/** The tests on the packages as they are published, but for those of the documents, which build and install themselves. */
function testBuilt(args) {
  install();
  build();
  process.env.RPAL_TEST = 'built';
  run(process.execPath, [path.join('node_modules', 'vitest', 'vitest.mjs'), 'run', '--project', '!docs'].concat(args));
}

/** The programs that draw, by name: packages/PACKAGE/examples/NAME.ts. */
function plots() {
  var found = {};
  fs.readdirSync(path.join(root, 'packages')).forEach(function (name) {
    var folder = path.join('packages', name, 'examples');
    if (!fs.existsSync(path.join(root, folder))) return;
    fs.readdirSync(path.join(root, folder)).forEach(function (file) {
      // What they draw with is beside them.
      if (/\.ts$/.test(file) && file !== 'plot.ts') found[file.slice(0, -3)] = path.join(folder, file);
    });
  });
  return found;
}

function plot(args) {
  var found = plots();
  if (!found[args[0]]) {
    console.error('usage: npm run -s plot -- ' + Object.keys(found).sort().join('|') + ' [PROFILE ...] > FILE.svg');
    process.exit(2);
  }
  install();
  build();
  var loader = path.join('apps', 'bench', 'node_modules', 'jiti', 'lib', 'jiti-cli.mjs');
  run(process.execPath, [loader, found[args[0]]].concat(args.slice(1)));
}

var commands = { bench: bench, perf: perf, plot: plot, test: test, 'test:built': testBuilt };
var command = commands[process.argv[2]];
if (!command) fail('usage: node scripts/start.cjs bench|perf|plot|test|test:built [arguments]');
checkNode();
command(process.argv.slice(3));
