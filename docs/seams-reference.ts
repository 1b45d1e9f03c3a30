import type { SeamDescription } from '@rpal/bus';
import type { SeamDeclaration } from './seam-declarations.ts';

const kinds: Readonly<Record<string, string>> = {
  NotifyHook: 'hook; all taps run',
  FirstAnswerHook: 'hook; the first answer wins',
  ValueHook: 'hook; a value passes through all taps',
  Slot: 'slot; one provider',
  EventSeam: 'event; observers change nothing',
};

const introduction = `# The seams

Every moment and mechanism of the model in which a plugin can take part. This file is generated from the declarations
in each package's \`src/seams.ts\` and from machines built with the plugins of this repository: \`pnpm seams\` writes it,
and a test fails when it is stale.

How the kinds work - order of taps, what they return, when they may be added - is told in the [README of the bus](../packages/bus/README.md).
A seam that nobody uses costs the host one load and one call of a shared empty function (a hook) or one branch (an event), and
the modelled machine nothing. A tap costs modelled time only if it charges some: \`cpu.charge(step)\`. "Cost" below says how
often the moment comes, which is what decides how careful a tap must be about host time.
`;

/** The reference as Markdown. @param described what is plugged in where, on machines that together have every plugin */
export function seamsReference(declarations: readonly SeamDeclaration[], described: readonly SeamDescription[]): string {
  const owners = [...new Set(declarations.map(({ owner }) => owner))];
  const sections = owners.map((owner) => {
    const own = declarations.filter((declaration) => declaration.owner === owner);
    return `## ${owner}\n\n${own.map((seam) => section(seam, tappers(seam, described))).join('\n')}`;
  });
  return `${introduction}\n${index(declarations)}\n${sections.join('\n')}`;
}

function index(declarations: readonly SeamDeclaration[]): string {
  const rows = declarations.map(({ name, kind, owner }) => `| [${name}](#${name.toLowerCase()}) | ${kinds[kind]} | ${owner} |`);
  return ['| Seam | Kind | Owner |', '|---|---|---|', ...rows, ''].join('\n');
}

function tappers(seam: SeamDeclaration, described: readonly SeamDescription[]): readonly string[] {
  if (seam.kind === 'EventSeam') return seam.observers;
  return [...new Set(described.filter(({ name }) => name === seam.name).flatMap(({ plugins }) => plugins))];
}

function section(seam: SeamDeclaration, plugins: readonly string[]): string {
  const verb = seam.kind === 'Slot' ? 'Filled' : seam.kind === 'EventSeam' ? 'Observed' : 'Tapped';
  const nobody = seam.kind === 'Slot' ? 'no plugin of this repository' : 'nobody in this repository';
  const lines = [`### ${seam.name}`, '', `*${kinds[seam.kind]}*`, '', seam.when, ''];
  if (seam.arguments.length > 0) {
    lines.push('| Argument | Type | Meaning |', '|---|---|---|');
    for (const { name, type, meaning } of seam.arguments) lines.push(`| \`${name}\` | \`${type.replaceAll('|', '\\|')}\` | ${meaning} |`);
    lines.push('');
  }
  if (seam.answer !== '') lines.push(`- ${seam.kind === 'Slot' ? 'Holds' : 'Answers'}: \`${seam.answer}\``);
  if (seam.cost !== '') lines.push(`- Cost: ${seam.cost}`);
  lines.push(`- ${verb} by: ${plugins.length === 0 ? nobody : plugins.join(', ')}`, '');
  return lines.join('\n');
}
