/** What a terminal has at least, and what every command keeps to. */
export const COLUMNS = 80;

/** The words of one line in lines of `width` characters; a word that is longer stands alone. */
export function wrapped(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const lines: string[] = [];
  let text = '';
  for (const word of line.split(' ')) {
    if (text !== '' && text.length + 1 + word.length > width) {
      lines.push(text);
      text = word;
    } else text = text === '' ? word : `${text} ${word}`;
  }
  return [...lines, text];
}

/** Text for people: lines that are too long go on below, further in; a command to be copied stays one line. */
export function folded(text: string): string {
  return text.split('\n').flatMap(foldedLine).join('\n');
}

function foldedLine(line: string): string[] {
  const [indent = ''] = /^ */.exec(line) ?? [];
  if (line.length <= COLUMNS || line.startsWith('npx ', indent.length)) return [line];
  return hanging(line.slice(indent.length), indent, `${indent}  `);
}

function hanging(words: string, first: string, others: string): string[] {
  const lines: string[] = [];
  for (let rest = words; rest !== ''; ) {
    const indent = lines.length === 0 ? first : others;
    const [line = ''] = wrapped(rest, COLUMNS - indent.length);
    lines.push(indent + line);
    rest = rest.slice(line.length).trimStart();
  }
  return lines;
}

/**
 * Help in paragraphs and lists: one that has a line that is too long is laid out anew. What follows two spaces in an item of a list is its text,
 * and lines that begin below it go on with it.
 */
export function laidOut(text: string): string {
  const lines = text.split('\n');
  const out: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const first = lines[at++] as string;
    const [head = ''] = /^ +\S+(?: \S+)* {2,}|^ */.exec(first) ?? [];
    const block = [first];
    const others = ' '.repeat(head.length);
    while (at < lines.length && first.trim() !== '' && goesOn(lines[at] as string, others)) block.push(lines[at++] as string);
    if (block.every((line) => line.length <= COLUMNS)) out.push(...block);
    else out.push(...hanging(block.map((line) => line.slice(head.length).trim()).join(' '), head, others));
  }
  return out.join('\n');
}

function goesOn(line: string, others: string): boolean {
  return line.startsWith(others) && line.charAt(others.length) !== ' ' && line.trim() !== '';
}
