import type { SeamDescription } from '@rpal/bus';
import { createMachine } from '@rpal/kernel';
import { rpal } from '@rpal/rpal-core';
import { Command } from 'commander';
import type { Io } from './io.js';
import { pluginOption, profileOption } from './machine-options.js';
import { loadPlugins } from './plugin-loader.js';
import { textTable } from './report/text-table.js';
import type { RfcSettings } from './rfc-settings.js';
import { ExitCode } from './usage.js';

interface Flags {
  readonly profile: RfcSettings['profile'];
  readonly plain: boolean;
  readonly plugin: readonly string[];
}

/** `rpal-bench plugins`: what is plugged in where, and what could be. */
export function pluginsCommand(io: Io, done: (code: number) => void): Command {
  return new Command('plugins')
    .description('Which plugin is at which seam of a machine, and which seams are free.')
    .addOption(profileOption())
    .option('--plain', 'plain Linux: without RPAL', false)
    .addOption(pluginOption())
    .action(async ({ profile, plain, plugin }: Flags) => {
      const plugins = [...(plain ? [] : [rpal()]), ...(await loadPlugins(plugin, io.directory))];
      const machine = createMachine({ profile, plugins });
      const described = [`  ${profile.title}`];
      const versions = new Map(plugins.map(({ definition }) => [definition.name, definition.version]));
      for (const name of machine.plugins) described.push(`  ${name} ${versions.get(name)}`);
      if (plugins.length === 0) described.push('  no plugins: plain Linux');
      io.stdout.write(`Machine\n${described.join('\n')}\n\n${sections(machine.describe()).join('\n\n')}\n`);
      done(ExitCode.OK);
    });
}

const KINDS = [
  ['slot', 'Slots: one provider each', 'built in; free for a plugin'],
  ['hook', 'Hooks: plugins take part, in this order', ''],
  ['event', 'Events: observers come and go, and change nothing', ''],
] as const;

function sections(seams: readonly SeamDescription[]): string[] {
  return KINDS.map(([kind, title, nobody]) => {
    const rows = seams.filter((seam) => seam.kind === kind).map(({ name, plugins }) => [name, plugins.join(', ') || nobody]);
    return `${title}\n${textTable(['seam', kind === 'event' ? '' : 'plugged in'], rows, [0, 1])}`;
  });
}
