// Before @rpal/kernel is packed: puts what a plugin's author reads into it, `docs/tutorial.md` and `docs/seams.md`, with
// links that lead where the packages are once they are installed: beside each other.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

mkdirSync('docs', { recursive: true });
for (const name of ['tutorial.md', 'seams.md']) {
  const text = readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8');
  writeFileSync(`docs/${name}`, text.replaceAll(/\]\(\.\.\/(?:packages|plugins)\/([a-z0-9-]+)/g, '](../../$1'));
}
