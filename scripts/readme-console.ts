import { readFileSync } from 'node:fs';
import { expect } from 'vitest';

/** A console fence of a Markdown file: commands behind `$`, each with the lines that it prints, as far as they are shown. */
interface Shown {
  readonly command: string;
  readonly lines: readonly string[];
}

/**
 * Expects the console fences of a Markdown file to show what the commands print now; with `--update` the file is written anew.
 * What is shown may be an excerpt: a line `...` stands for lines that are left out, others follow each other in the output.
 * Commands of which nothing is shown are not run.
 * @param run executes a command; returns its standard output
 * @returns outputs by command
 */
export async function expectReadmeConsoles(
  readme: string,
  run: (command: string) => Promise<string>,
): Promise<ReadonlyMap<string, string>> {
  const text = readFileSync(readme, 'utf8');
  const outputs = new Map<string, string>();
  let anew = '';
  let at = 0;
  for (const fence of text.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
    anew += `${text.slice(at, fence.index)}\`\`\`console\n`;
    at = fence.index + fence[0].length;
    for (const { command, lines } of commandsIn(fence[1] as string)) {
      anew += `$ ${command}\n`;
      if (lines.length === 0) continue;
      const output = outputs.get(command) ?? (await run(withoutComment(command)));
      outputs.set(command, output);
      anew += `${excerpt(lines, output.split('\n')).join('\n')}\n`;
    }
    anew += '```';
  }
  await expect(anew + text.slice(at)).toMatchFileSnapshot(
    readme,
    'an output is stale: run `pnpm readmes`, look at the difference and commit it',
  );
  return outputs;
}

/** The words of a command line, without the quotes round them. */
export function words(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? (plain as string));
}

export function withoutComment(command: string): string {
  return command.replace(/\s+# .*$/, '');
}

export function commandsIn(fence: string): Shown[] {
  const commands: { command: string; lines: string[] }[] = [];
  for (const line of fence.replace(/\n$/, '').split('\n')) {
    if (line.startsWith('$ ')) commands.push({ command: line.slice(2), lines: [] });
    else commands.at(-1)?.lines.push(line);
  }
  return commands;
}

/**
 * The part of an output that has been shown, as it is now. A line is known by its words: figures may have changed.
 * @throws Error if the output has no such line, or not at this place
 */
export function excerpt(shown: readonly string[], output: readonly string[]): string[] {
  let next = 0;
  let anywhere = true;
  return shown.map((line) => {
    if (line === '...') {
      anywhere = true;
      return line;
    }
    const found = output.findIndex((candidate, index) => index >= next && shape(candidate) === shape(line));
    if (found < 0) throw new Error(`the output has no line like "${line}"${next === 0 ? '' : ` behind "${output[next - 1]}"`}`);
    if (!anywhere && found !== next)
      throw new Error(`"${line}" does not follow "${output[next - 1]}" in the output; write "..." between them`);
    anywhere = false;
    next = found + 1;
    return output[found] as string;
  });
}

function shape(line: string): string {
  return line
    .replace(/\d[\d.,]*/g, '0')
    .replace(/\s+/g, ' ')
    .trim();
}
