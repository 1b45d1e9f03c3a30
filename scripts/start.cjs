'use strict';
// The commands of the README on a computer that has Node and npm and nothing else: installs what the lockfile says, as much of it
// as the command needs, builds, and runs. Written in the oldest JavaScript there is, so that an old Node prints the message below and not a syntax error.

var childProcess = require('child_process');
var crypto = require('crypto');
var fs = require('fs');
var path = require('path');
var pnpmCommand = require('./pnpm.cjs').pnpmCommand;

var root = path.join(__dirname, '..');
var app = path.join(root, 'apps', 'bench');
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

/** Runs a command in the project, or in a folder of it; ends with its exit code if it fails. */
function run(command, args, quiet, folder) {
  var options = { cwd: folder || root, stdio: quiet ? ['inherit', 'pipe', 'pipe'] : 'inherit', shell: process.platform === 'win32' };
  var env = {};
  for (var name in process.env) env[name] = process.env[name];
  env.TURBO_TELEMETRY_DISABLED = '1';
  env.DO_NOT_TRACK = '1';
  env.npm_config_update_notifier = 'false';
  options.env = env;
  // Ctrl-C is for the command, which may have something to write first; this process waits for it.
  process.on('SIGINT', function () {});
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

/** Says that the present lockfile has been installed: for all of the project, or for the programs of apps/bench. */
function stampOf(what) {
  return path.join(root, 'node_modules', what === 'all' ? '.installed' : '.installed-' + what);
}

/**
 * Installs what the lockfile says, unless the same lockfile has been installed before.
 * @param what 'all', or 'bench': what the programs of apps/bench consist of, and the bundler
 */
function install(what) {
  var lock = crypto
    .createHash('sha256')
    .update(fs.readFileSync(path.join(root, 'pnpm-lock.yaml')))
    .digest('hex');
  var known = [stampOf('all'), stampOf(what)].some(function (stamp) {
    return fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === lock;
  });
  if (known) return;
  console.error('Installing dependencies ...');
  var args = ['install', '--frozen-lockfile', '--reporter=silent', '--config.confirmModulesPurge=false'];
  // Whoever has installed all of it, in whatever way, keeps all of it.
  var onlyBench = fs.existsSync(stampOf('bench')) && !fs.existsSync(stampOf('all'));
  var fresh = onlyBench || !fs.existsSync(path.join(root, 'node_modules', '.modules.yaml'));
  // pnpm installs what the project itself depends on in any case: that is the bundler, and all else is for its development.
  var part = ['--prod', '--filter', JSON.parse(fs.readFileSync(path.join(app, 'package.json'), 'utf8')).name + '...'];
  pnpm(what === 'bench' && fresh ? args.concat(part) : args, true);
  fs.mkdirSync(path.join(root, 'node_modules'), { recursive: true });
  fs.writeFileSync(stampOf(what), lock);
}

/** When the newest of these files, and of those in these folders, was changed, milliseconds; 0 if there is none. */
function newest(paths) {
  return paths.reduce(function (time, one) {
    if (!fs.existsSync(one)) return time;
    var stat = fs.statSync(one);
    if (!stat.isDirectory()) return Math.max(time, stat.mtimeMs);
    var inside = fs.readdirSync(one).map(function (name) {
      return path.join(one, name);
    });
    return Math.max(time, stat.mtimeMs, newest(inside));
  }, 0);
}

/** Bundles the programs of apps/bench from the sources of all packages, unless they are newer than these. */
function bundle() {
  var packages = fs.readdirSync(path.join(root, 'packages')).map(function (name) {
    return path.join(root, 'packages', name, 'src');
  });
  var recipe = ['rolldown.config.ts', 'constant-bindings.ts', 'own-fields.ts', 'own-packages.ts', 'syntax-tree.ts'];
  var own = ['src', 'package.json'].concat(recipe).map(function (name) {
    return path.join(app, name);
  });
  if (newest(packages.concat(own, stampOf('all'), stampOf('bench'))) < newest([path.join(app, 'dist', 'cli.js')])) return;
  console.error('Building ...');
  // The bundler's own module: what is in .bin is a script that Windows cannot run.
  run(process.execPath, [path.join(root, 'node_modules', 'rolldown', 'bin', 'cli.mjs'), '-c', 'rolldown.config.ts'], true, app);
}

function build() {
  console.error('Building ...');
  pnpm(['exec', 'turbo', 'run', 'build', '--output-logs=errors-only', '--log-prefix=none'], true);
}

/** What a command of rpal-bench needs: the packages that keep a queue of sweeps come with all of the project. */
function partFor(args) {
  var words = args.join(' ');
  return args[0] === 'worker' || (args[0] === 'sweep' && /--engine[ =]bullmq/i.test(words)) ? 'all' : 'bench';
}

function bench(args) {
  install(partFor(args));
  bundle();
  run(
    process.execPath,
    [path.join('apps', 'bench', 'dist', 'cli.js')].concat(args.length > 0 && /^[a-z]/.test(args[0]) ? args : ['rfc'].concat(args)),
  );
}

function perf(args) {
  install('bench');
  bundle();
  run(process.execPath, [path.join('apps', 'bench', 'dist', 'perf.js')].concat(args));
}

function test(args) {
  install('all');
  build();
  run(process.execPath, [path.join('node_modules', 'vitest', 'vitest.mjs'), 'run'].concat(args));
}

/** The tests on the packages as they are published, but for those of the documents, which build and install themselves. */
function testBuilt(args) {
  install('all');
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
  install('all');
  build();
  var loader = path.join('apps', 'bench', 'node_modules', 'jiti', 'lib', 'jiti-cli.mjs');
  run(process.execPath, [loader, found[args[0]]].concat(args.slice(1)));
}

var commands = { bench: bench, perf: perf, plot: plot, test: test, 'test:built': testBuilt };
var command = commands[process.argv[2]];
if (!command) fail('usage: node scripts/start.cjs bench|perf|plot|test|test:built [arguments]');
checkNode();
command(process.argv.slice(3));
