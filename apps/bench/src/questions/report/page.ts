import { marked } from 'marked';

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --paper: #fff; --tint: #f6f8fa; --bar: #3b6ea5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --line: #30363d; --paper: #0d1117; --tint: #161b22; --bar: #6ea8e0; } }
body { margin: 0 auto; padding: 2rem 1.2rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.25; } h2 { margin-top: 2.4rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
table { border-collapse: collapse; width: 100%; font-size: 13px; } th, td { border: 1px solid var(--line); padding: .35rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: var(--tint); position: sticky; top: 0; } code, pre { font: 12px/1.45 ui-monospace, monospace; }
pre { background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: .7rem; white-space: pre-wrap; }
details { border: 1px solid var(--line); border-radius: 6px; padding: .5rem .8rem; margin: .5rem 0; } summary { cursor: pointer; font-weight: 600; } summary em { font-weight: 400; color: var(--soft); }
svg { width: 100%; max-width: 46rem; display: block; margin: .6rem 0; font: 12px system-ui, sans-serif; } svg text { fill: var(--ink); }
svg.bars rect { fill: var(--bar); } svg.states rect { fill: var(--tint); stroke: var(--ink); } svg.states path { fill: none; stroke: var(--soft); stroke-width: 1.4; } svg.states marker path { fill: var(--soft); } svg.states text.row { fill: var(--soft); font-size: 11px; text-anchor: middle; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
`;

/** A question that is linked to is unfolded. */
const SCRIPT = `
const unfold = () => { const it = document.getElementById(location.hash.slice(1)); if (it instanceof HTMLDetailsElement) it.open = true; };
addEventListener('hashchange', unfold); unfold();
`;

/** One self-contained page of Markdown of our own making. */
export function page(title: string, markdown: string): string {
  const body = marked.parse(markdown, { async: false });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
${body}<script>${SCRIPT}</script>
</body>
</html>
`;
}
