import { sizeText } from '../compare/sizes.js';
import { drawWaterfall } from '../explain/explain-svg.js';
import { CLAIMED } from '../mesh/mesh.js';
import { publishedRuns } from '../published.js';
import { escaped } from '../report/escaped.js';
import { percent, whole } from '../report/numbers.js';
import { lines, pairedBars, tornado } from './charts.js';
import type { Asked, Condition, Findings, HandlerRow, SizeRow } from './collect.js';

const STYLE = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#4b5563;--line:#d0d7de;--paper:#fff;--tint:#f3f5f8;--good:#1a6b3c;--warn:#8a4b00;--link:#0b5cad}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#aab4be;--line:#3a424b;--paper:#0d1117;--tint:#161b22;--good:#6fd39a;--warn:#f0b060;--link:#7ab7ff}}
*{box-sizing:border-box}body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:62rem;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
h1{line-height:1.2;margin:.2rem 0}h2{margin-top:2.6rem;border-bottom:1px solid var(--line);padding-bottom:.3rem}h3{margin-bottom:.3rem}a{color:var(--link)}
.answer{font-size:1.15rem}.note{color:var(--soft);font-size:.92rem}.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums;min-width:30rem}th,td{border-bottom:1px solid var(--line);padding:.3rem .7rem;text-align:right}th:first-child,td:first-child,.left{text-align:left}
svg{width:100%;min-width:34rem;height:auto;color:var(--ink);font:13px system-ui,sans-serif}svg text{fill:var(--ink)}figure{margin:1rem 0}td{white-space:nowrap}td.left{white-space:normal;min-width:8rem}figcaption{color:var(--soft);font-size:.9rem}
code{font:.85em ui-monospace,monospace;background:var(--tint);padding:.1em .3em;border-radius:3px;overflow-wrap:anywhere}
.wide svg{background:#fff;border-radius:4px}.wide svg text{fill:#1b1f24}.wide svg text[fill]{fill:#444}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));gap:.8rem;padding:0;list-style:none}.cards>li{border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem;background:var(--tint)}
.mark{float:right;font-size:.8rem;font-weight:600;margin-left:.6rem}.mark.changed{color:var(--good)}.mark.stands{color:var(--warn)}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;list-style:none;font-size:.92rem}
@media print{:root{color-scheme:light;--ink:#000;--soft:#333;--line:#999;--paper:#fff;--tint:#fff;--good:#1a6b3c;--warn:#8a4b00;--link:#000}body{max-width:none}.cards{display:block}.cards>li{break-inside:avoid;margin-bottom:.6rem}figure,table{break-inside:avoid}}`;

const SECTIONS = [
  ['readers', 'Would it help me?'],
  ['conditions', 'Under which conditions'],
  ['sensitivity', 'What the answer depends on'],
  ['mechanisms', 'Mechanisms, side by side'],
  ['message', 'One message'],
  ['predictions', 'Predicted and measured'],
  ['questions', 'The reviewers, answered'],
  ['since', 'What became of the series'],
] as const;

/** The report as one page that needs nothing else. */
export function reportPage(found: Findings, command: string): string {
  const parts: Readonly<Record<(typeof SECTIONS)[number][0], string>> = {
    readers: readersOf(found),
    conditions: conditionsOf(found),
    sensitivity: sensitivityOf(found),
    mechanisms: mechanismsOf(found),
    message: messageOf(found),
    predictions: predictionsOf(found),
    questions: questionsOf(found.asked),
    since: SINCE,
  };
  const toc = SECTIONS.map(([id, title]) => `<li><a href="#${id}">${title}</a></li>`).join('');
  const body = SECTIONS.map(([id, title]) => `<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${parts[id]}</section>`).join(
    '\n',
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>RPAL, measured on a model</title><style>${STYLE}</style></head>
<body><main><h1>RPAL, measured on a model</h1>
<p class="note">Run Process As Library: 35 patches for Linux, posted by ByteDance in 2025. Everything here was run on an executable model of them; every cycle is booked, and every figure can be made again.</p>
${answer(found)}
<nav aria-label="Sections"><ul>${toc}</ul></nav>
${body}
<p class="note">Made by <code>${escaped(command)}</code>. The same command gives the same page on every computer.</p></main></body></html>
`;
}

/**
 * Where a figure is from, as attributes of what shows it.
 * @param says what the command prints of it, but for breaks of lines
 */
function source(command: string, says: string): string {
  return `data-command="${escaped(command)}" data-says="${escaped(says)}"`;
}

function ratios(conditions: readonly Condition[]) {
  const oneWay = conditions.map(({ epoll, rpal }) => epoll / rpal);
  const trip = conditions.map(({ epollTrip, rpalTrip }) => epollTrip / rpalTrip);
  return { oneWay: [Math.min(...oneWay), Math.max(...oneWay)] as const, trip: [Math.min(...trip), Math.max(...trip)] as const };
}

/** Three sentences and a picture. */
function answer({ conditions, profile, apart }: Findings): string {
  const { oneWay, trip } = ratios(conditions);
  const central = conditions.find(({ placement, idle }) => placement === 'same-socket' && idle === 'C1E') as Condition;
  const [published] = publishedRuns;
  const spin = apart.rows.find(({ mechanism }) => mechanism === 'spin');
  const sentences = [
    `A message of 32 bytes takes ${whole(central.rpal)} cycles by RPAL where a Unix socket with epoll takes ${whole(central.epoll)}: ${(central.epoll / central.rpal).toFixed(1)} times less, where the RFC states ${whole(published?.cycles.rpal ?? 0)} and ${whole(published?.cycles.epoll ?? 0)}.`,
    `The RFC leaves open where the two processes run and how their CPUs idle: over these conditions the gain is ${oneWay[0].toFixed(1)} to ${oneWay[1].toFixed(1)} times one way, and ${trip[0].toFixed(1)} to ${trip[1].toFixed(1)} times there and back, because the answer goes through the socket and the kernel has to catch up.`,
    spin === undefined
      ? ''
      : `Shared memory that both sides watch takes ${whole(Math.round(spin.oneWay as number))} cycles and keeps two CPUs awake for it; what RPAL saves is mostly the wake-up of an idle CPU.`,
  ];
  return `<p class="answer">${sentences.map((sentence) => escaped(sentence)).join(' ')}</p>${conditionChart(conditions)}<p class="note">${escaped(profile.title)}; other CPUs: <code>npx rpal-bench rfc --profile NAME</code>.</p>`;
}

function conditionChart(conditions: readonly Condition[]): string {
  const chart = pairedBars(
    "RPAL's gain over a Unix socket with epoll, by condition, one way and there and back",
    ['one way', 'there and back'],
    conditions.map(({ placement, idle, epoll, rpal, epollTrip, rpalTrip, command }) => ({
      label: placement === 'same-cpu' ? 'one CPU' : `${placement.replace('-', ' ')}, idle in ${idle}`,
      values: [epoll / rpal, epollTrip / rpalTrip],
      source: source(command, printedBy(epoll)),
      command,
    })),
    ' x',
  );
  return `<figure>${scrolled(chart)}<figcaption>How many times fewer cycles RPAL takes than a Unix stream socket with epoll.</figcaption></figure>`;
}

/** What may be wider than the screen: by itself, and with the arrow keys. */
function scrolled(content: string): string {
  return `<div class="scroll" tabindex="0">${content}</div>`;
}

/** What `rfc` prints of an average. */
function printedBy(average: number): string {
  return `Average latency: ${Math.trunc(average)} cycles`;
}

/** A row of a table; what makes it again, and what that prints of it. */
interface Row {
  readonly cells: readonly string[];
  readonly command?: string;
  readonly says?: string;
}

function table(head: readonly string[], rows: readonly Row[], left: readonly number[] = [0]): string {
  const cell = (tag: 'th' | 'td', text: string, column: number): string =>
    `<${tag}${tag === 'th' ? ' scope="col"' : ''}${left.includes(column) && column > 0 ? ' class="left"' : ''}>${escaped(text)}</${tag}>`;
  const body = rows.map(
    ({ cells, command, says = '' }) =>
      `<tr${command === undefined ? '' : ` ${source(command, says)} title="${escaped(command)}"`}>${cells.map((text, column) => cell('td', text, column)).join('')}</tr>`,
  );
  return scrolled(
    `<table><thead><tr>${head.map((text, column) => cell('th', text, column)).join('')}</tr></thead><tbody>${body.join('')}</tbody></table>`,
  );
}

function conditionsOf({ conditions, messages }: Findings): string {
  const rows = conditions.map(({ placement, idle, epoll, rpal, epollTrip, rpalTrip, command }) => ({
    cells: [
      placement,
      placement === 'same-cpu' ? '-' : idle,
      whole(epoll),
      whole(rpal),
      `${(epoll / rpal).toFixed(1)} x`,
      whole(epollTrip),
      whole(rpalTrip),
      `${(epollTrip / rpalTrip).toFixed(1)} x`,
    ],
    command,
    says: printedBy(rpal),
  }));
  return `<p>The RFC's own benchmark, ${whole(messages)} messages of 32 bytes for each line. TSC cycles from the client's stamp to the server's, and until the client has its echo.</p>${table(['CPUs', 'idle in', 'epoll', 'RPAL', 'gain', 'epoll, trip', 'RPAL, trip', 'gain'], rows, [0, 1])}<p class="note">Hold the mouse over a line for the command that makes it again.</p>`;
}

/** Where a figure is in the profile, with the names of idle states instead of their numbers. */
function named(path: string, { idle }: Findings['profile']): string {
  return path.replace(/^costs\./, '').replace(/^idle\.(\d+)/, (_, index) => `idle.${idle[Number(index)]?.name ?? index}`);
}

function sensitivityOf({ sensitivities, central, profile }: Findings): string {
  const shown = sensitivities.slice(0, 10);
  const chart = tornado(
    'The gain one way, with one figure of the profile at its low and at its high end',
    central,
    shown.map(({ path, figure, low, high }) => ({
      label: named(path, profile),
      low,
      high,
      told: `${path}: ${figure.low} to ${figure.high}; ${figure.source}`,
    })),
  );
  const rows = shown.map(({ path, figure, low, high }) => ({
    cells: [
      named(path, profile),
      `${figure.low} .. ${figure.central} .. ${figure.high}`,
      `${low.toFixed(2)} .. ${high.toFixed(2)}`,
      figure.status,
      figure.source,
    ],
  }));
  return `<p>Every price has a low, a central and a high value, each with its source. The gain one way (same socket, idle in C1E), if one of them is at an end and all others stay: the ten that move it most, of ${sensitivities.length}.</p><figure>${scrolled(chart)}</figure>${table(['figure', 'low .. central .. high', 'gain', 'known by', 'source'], rows, [0, 1, 3, 4])}`;
}

function mechanismTable({ rows, command }: SizeRow): string {
  const sorted = [...rows].sort((a, b) => (a.oneWay as number) - (b.oneWay as number));
  return table(
    ['mechanism', 'one way', 'trip', 'CPU', 'copies', 'entries', 'switches', 'lines', 'most of it is'],
    sorted.map(({ mechanism, oneWay, roundTrip, busy, copies, counts, causes }) => ({
      cells: [
        mechanism,
        whole(Math.round(oneWay as number)),
        whole(Math.round(roundTrip as number)),
        whole(Math.round(busy)),
        String(copies),
        counts.kernelEntries.toFixed(1),
        counts.contextSwitches.toFixed(1),
        counts.linesMoved.toFixed(1),
        causes
          .slice(0, 2)
          .map(({ cause, cycles }) => `${cause} ${percent(cycles / (oneWay as number))}`)
          .join(', '),
      ],
      command,
      says: `${mechanism} ${whole(Math.round(oneWay as number))}`,
    })),
    [0, 8],
  );
}

function mechanismsOf({ apart, together, sizes, bySize }: Findings): string {
  const names = [...new Set(bySize.rows.map(({ mechanism }) => mechanism))];
  const chart = lines(
    'TSC cycles one way by size of the message, both logarithmic',
    sizes,
    names.map((name) => ({
      name,
      values: bySize.rows.filter(({ mechanism }) => mechanism === name).map(({ oneWay }) => oneWay as number),
    })),
    sizeText,
  );
  const figures = names.map((name) => {
    const cells = [
      name,
      ...bySize.rows.filter(({ mechanism }) => mechanism === name).map(({ oneWay }) => whole(Math.round(oneWay as number))),
    ];
    return { cells, command: bySize.command, says: cells.join(' ') };
  });
  return `<p>TSC cycles per message of 32 bytes. <em>CPU</em> is what the CPUs of both sides were awake for, per message; who polls is never idle. <em>Entries</em> are system calls, <em>lines</em> cache lines that came from another core.</p><h3>Two CPUs of one socket, idle in C1E</h3>${mechanismTable(apart)}<h3>One CPU</h3>${mechanismTable(together)}<h3>By size</h3><figure ${source(bySize.command, 'rpal')}>${scrolled(chart)}<figcaption>TSC cycles one way, on two CPUs of one socket. <code>${escaped(bySize.command)}</code></figcaption></figure>${table(['mechanism', ...sizes.map(sizeText)], figures)}<p class="note">Copies by programs and by the kernel follow one rule: lines that another core has are moved, those behind the first ten at a time.</p>`;
}

/** What those ask first who would use it: sizes, handlers, a service mesh. */
function readersOf(found: Findings): string {
  return `<h3>With larger messages?</h3>${sizesAnswer(found)}<h3>With handlers that call the kernel?</h3>${handlersAnswer(found)}<h3>In a service mesh?</h3>${meshAnswer(found)}`;
}

function sizesAnswer({ bySize }: Findings): string {
  const at = (name: string, size: number): number =>
    Math.round(bySize.rows.find((row) => row.mechanism === name && row.size === size)?.oneWay as number);
  const sizes = [...new Set(bySize.rows.map(({ size }) => size))];
  const loses = sizes.filter((size) => at('rpal', size) > at('pipe', size));
  const large = sizes.find((size) => size >= 4096) as number;
  const sentence =
    loses.length === 0
      ? 'By value RPAL takes fewer cycles than a pipe at every size that was tried.'
      : `By value no: from ${sizeText(loses[0] as number)} on a pipe takes fewer cycles, because RPAL's library passes a message on in calls of at most 256 bytes.`;
  return `<p>${escaped(sentence)} By reference yes: ${sizeText(large)} take ${whole(at('rpal-reference', large))} cycles, by value ${whole(at('rpal', large))}, by a pipe ${whole(at('pipe', large))}.</p>`;
}

function handlersAnswer({ handlers }: Findings): string {
  const rows = handlers.map(({ mechanism, trips, command }) => ({
    cells: [mechanism, ...trips.map((trip) => whole(Math.round(trip)))],
    command,
    says: whole(Math.round(trips.at(-1) as number)),
  }));
  const rpal = handlers.find(({ mechanism }) => mechanism === 'rpal') as HandlerRow;
  const unix = handlers.find(({ mechanism }) => mechanism === 'unix') as HandlerRow;
  const grows = ((rpal.trips.at(-1) as number) - (rpal.trips[0] as number)) / (rpal.calls.at(-1) as number);
  const gain = (at: number): string => ((unix.trips.at(at) as number) / (rpal.trips.at(at) as number)).toFixed(1);
  return `<p>Less and less: there and back, a server that computes 2,000 cycles is ${gain(0)} times as fast as over a Unix socket, and ${gain(-1)} times with ${rpal.calls.at(-1)} system calls per request. Each costs an RPAL server ${whole(Math.round(grows))} cycles on average: the first one switches from the caller to it.</p>${table(['cycles there and back', ...rpal.calls.map((calls) => `${calls} calls`)], rows)}`;
}

function meshAnswer({ mesh: { lines: rows, claimedAt, command } }: Findings): string {
  const claim = percent(CLAIMED);
  const sentence =
    claimedAt === null
      ? `At none of these times is ${claim} of the CPU time saved, which the RFC states as the most.`
      : `${claim} of the CPU time, which the RFC states as the most, are saved where handlers compute about ${claimedAt.toFixed(0)} microseconds per request; longer ones save less, shorter ones more.`;
  const cells = rows.map(({ handler, before, after, saved }) => ({
    cells: [String(handler), before.toFixed(2), after.toFixed(2), percent(saved)],
    command,
    says: `${handler} ${before.toFixed(2)} ${after.toFixed(2)} ${percent(saved)}`,
  }));
  return `<p>${escaped(sentence)} An application beside its proxy, 10,000 requests a second of 256 bytes, two system calls per handler; microseconds of CPU time per request on both sides.</p>${table(['handler computes, us', 'Unix socket', 'RPAL', 'saved'], cells, [])}`;
}

function messageOf({ waterfalls }: Findings): string {
  return waterfalls
    .map(
      ({ title, command, waterfall }) =>
        `<figure class="wide" ${source(command, `${whole(Math.round(waterfall.oneWay))} TSC cycles`)}>${scrolled(drawWaterfall(title, waterfall))}<figcaption><code>${escaped(command)}</code></figcaption></figure>`,
    )
    .join('');
}

function predictionsOf({ outcomes, predicted: command }: Findings): string {
  const rows = outcomes.map(({ what, published, predicted, relativeError, source }) => ({
    cells: [
      what,
      published.toFixed(2),
      predicted.central.toFixed(2),
      `${predicted.low.toFixed(2)} .. ${predicted.high.toFixed(2)}`,
      `${(100 * relativeError).toFixed(0)} %`,
      source,
    ],
    command,
    says: `${published.toFixed(2)} ${predicted.central.toFixed(2)}`,
  }));
  return `<p>Round trips that others measured, in microseconds, and the same on the model, with no price changed for any of them.</p>${table(['what', 'published', 'model', 'low .. high', 'error', 'source'], rows, [0, 5])}`;
}

function questionsOf(asked: readonly Asked[]): string {
  const cards = asked.map(({ number, question, written, repaired }) => {
    const changed = written.verdict !== repaired.verdict;
    const mark = changed
      ? '<span class="mark changed">a repair changes it</span>'
      : '<span class="mark stands">as posted and repaired</span>';
    const after = changed ? `<p><strong>With all repairs:</strong> ${escaped(repaired.verdict)}</p>` : '';
    return `<li ${source(`npx rpal-bench question ${number} --repair all`, written.verdict)}><h3>${mark}${number}. ${escaped(question.question)}</h3><p class="note">${escaped(question.who)}</p><p>${escaped(written.verdict)}</p>${after}</li>`;
  });
  return `<p>Each was answered by running it, on the series as posted and with all its defects repaired; a verdict is chosen by what happened. <code>npx rpal-bench question N --repair all</code> shows what was done.</p><ul class="cards">${cards.join('')}</ul>`;
}

/** Facts from public archives, as of November 2026. */
const SINCE = `<ul>
<li>v2 of the series, to which this model keeps, is of 30 May 2025: the rebase that the answers to v1 had asked for. No v3 is known, as of November 2026.</li>
<li>A. Morton asked why so much of it is for x86 alone; D. Hildenbrand pointed to mshare, whose page faults go to an address space of its own; L. Stoakes declined it for mainline; H. P. Anvin would rather have a call like <code>sched_yield_to</code> with shared memory, and said that keys are not meant for isolation.</li>
<li>What it saved in production: CloudWeGo wrote on 30 November 2023 that RPAL was on for more than 100 services, and that good ones save 5 to 10 % of CPU time and 10 to 70 % of latency; the RFC says up to 15.5 % of CPU time. Its network library netpoll can be built for RPAL, and the Go runtime was changed for it, so that threads of the library know their key.</li>
<li>The code is public in ByteDance's own kernel, openvelinux. It is kept out of mainline for good: so L. Stoakes in June 2025.</li>
<li>mshare went on: v3 in August 2025, and in February 2026 system calls in place of a file system.</li>
</ul>`;
