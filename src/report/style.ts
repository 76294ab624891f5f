import { subjectHues, type Tone, tones } from './palette.js'

/** The whole style sheet of the report: light and dark by the reader's setting, one or two columns by the width, and paper. */
export function styleSheet(): string {
  return `${variables('light')}
@media (prefers-color-scheme: dark) { ${variables('dark')} }
${toneRules()}
${page}
${charts}
${responsive}
@media print { ${variables('light')} ${paper} }`
}

const neutral = {
  light: {
    paper: '#ffffff',
    raised: '#f7f7f5',
    ink: '#1c1e21',
    soft: '#5a6068',
    rule: '#dcdcd7',
    grid: '#e9e9e5',
    warn: '#8a4b00',
    'warn-paper': '#fff5e3',
    link: '#005a9c',
  },
  dark: {
    paper: '#15171a',
    raised: '#1d2024',
    ink: '#e8e9ea',
    soft: '#a2a8b0',
    rule: '#353a40',
    grid: '#2a2e33',
    warn: '#ffc46b',
    'warn-paper': '#2b2317',
    link: '#7cc0f5',
  },
} as const

function variables(theme: 'light' | 'dark'): string {
  const colours = [
    ...Object.entries(neutral[theme]).map(([name, colour]) => `--${name}: ${colour}`),
    ...Object.entries(tones).map(([name, tone]) => `--tone-${name}: ${tone[theme]}`),
    ...subjectHues.map((hue, index) => `--subject-${index}: ${hue[theme]}`),
  ]
  return `:root { color-scheme: ${theme}; ${colours.join('; ')} }`
}

function toneRules(): string {
  const names = Object.keys(tones) as Tone[]
  return [
    ...names.map((name) => `.tone-${name} { --tone: var(--tone-${name}); --dash: ${tones[name].dash} }`),
    ...subjectHues.map((_, index) => `.subject-${index} { --tone: var(--subject-${index}) }`),
  ].join('\n')
}

const page = `
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: break-word;
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif }
main, header, footer { max-width: 1080px; margin: 0 auto; padding: 0 24px }
header { padding-top: 64px }
.eyebrow { margin: 0; color: var(--soft); font-size: 14px }
h1 { margin: 4px 0 16px; font-size: 38px; line-height: 1.15; letter-spacing: -0.02em; font-weight: 650 }
.lead { max-width: 68ch; margin: 0; font-size: 18px }
h2 { margin: 0 0 8px; font-size: 25px; line-height: 1.25; letter-spacing: -0.01em; font-weight: 650 }
section { margin-top: 72px }
section > p { max-width: 68ch; margin: 0 0 28px; color: var(--soft) }
h3 { margin: 0 0 6px; font-size: 16px; line-height: 1.4; font-weight: 650 }
a { color: var(--link); text-underline-offset: 3px }
code { font: 13.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere }
.badge { display: inline-block; margin-right: 8px; padding: 0 8px; border: 1px solid currentColor; border-radius: 99px;
  font-size: 12px; line-height: 20px; white-space: nowrap; color: var(--soft) }
.badge.software { color: var(--warn) }
.conditions { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 18px 32px; margin: 36px 0 0; padding: 24px 0;
  border-top: 1px solid var(--rule); border-bottom: 1px solid var(--rule) }
.conditions div { min-width: 0 }
.conditions .wide { grid-column: 1 / -1 }
dt { color: var(--soft); font-size: 13px; line-height: 1.5 }
dd { margin: 0; font-variant-numeric: tabular-nums }
.warnings { margin-top: 32px; padding: 18px 24px; border-left: 4px solid var(--warn); border-radius: 4px; background: var(--warn-paper) }
.warnings h2 { font-size: 17px; color: var(--warn) }
.warnings ul { margin: 0; padding-left: 20px }
.grid { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 48px 56px; align-items: start }
.verdicts { gap: 40px 56px; margin-top: 28px }
.verdict p { margin: 0; color: var(--soft) }
.verdict h3 { margin: 0; font-size: 14px; color: var(--soft); font-weight: 500 }
.verdict .figure { margin: 2px 0 6px; color: var(--ink); font-size: 30px; line-height: 1.25; letter-spacing: -0.01em;
  font-weight: 600; font-variant-numeric: tabular-nums }
figure { margin: 0; min-width: 0 }
.full { grid-column: 1 / -1 }
.stack { display: grid; gap: 44px; min-width: 0 }
figcaption { margin-top: 12px; color: var(--soft); font-size: 14px; line-height: 1.55; max-width: 76ch }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 0 0 8px; padding: 0; list-style: none; font-size: 13.5px; color: var(--soft) }
.legend .swatch { display: inline-block; width: 12px; height: 12px; margin-right: 7px; border-radius: 2px; background: var(--tone); vertical-align: -1px }
.legend svg { width: 30px; height: 12px; margin-right: 6px; vertical-align: -1px }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
caption { text-align: left; line-height: 1.4; font-weight: 650; padding-bottom: 8px }
th { text-align: left; font-weight: 400 }
thead th { color: var(--soft); font-size: 13px; line-height: 1.35; vertical-align: bottom; padding: 6px 0 8px }
tbody th, tbody td, tfoot th, tfoot td { padding: 7px 0; border-top: 1px solid var(--grid) }
thead + tbody tr:first-child > * { border-top-color: var(--soft) }
th + .num, .num + .num { padding-left: 16px }
.num { text-align: right; white-space: nowrap }
td.num { color: var(--soft) }
td strong { color: var(--ink); font-weight: 700 }
th small { color: var(--soft); font-size: 13px; margin-left: 4px }
tfoot th, tfoot td { border-top-color: var(--soft) }
.share { width: 28%; padding-left: 20px !important }
.share span { display: block; height: 8px; min-width: 2px; border-radius: 2px; background: var(--tone-fmae) }
.faces { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 20px 56px }
.faces table { table-layout: fixed }
.faces td, .faces th { border: 0 !important; padding: 2px }
.faces th { width: 24px; writing-mode: vertical-rl; transform: rotate(180deg); text-align: center; font-size: 12px; line-height: 16px; color: var(--soft) }
.faces img { display: block; width: 100%; height: auto; aspect-ratio: 1; border-radius: 3px }
.run code { display: block; padding: 12px 16px; border-radius: 4px; background: var(--raised) }
.run p { max-width: none; margin-bottom: 24px }
.notes { max-width: 76ch; padding-left: 20px; color: var(--soft) }
.notes li { margin-bottom: 8px }
.empty { color: var(--soft) }
footer { margin-top: 80px; padding-top: 20px; padding-bottom: 56px; color: var(--soft); font-size: 14px }
`

const charts = `
.chart { display: block; width: 100%; height: auto; overflow: visible; font-size: 13px; fill: var(--ink); font-variant-numeric: tabular-nums }
.chart .grid-line { stroke: var(--grid); stroke-width: 1 }
.chart .axis { stroke: var(--soft); stroke-width: 1 }
.chart .tick, .chart .label { fill: var(--soft) }
.chart .strong { fill: var(--ink) }
.chart .reference { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 1 3 }
.chart .reference-label { fill: var(--soft); font-size: 12px }
.chart .value { fill: var(--tone, var(--ink)); font-weight: 600 }
.series .line { fill: none; stroke: var(--tone); stroke-width: 2; stroke-dasharray: var(--dash); stroke-linejoin: round }
.series { fill: var(--tone) }
.series .hover { fill: transparent }
.series .bar { fill: var(--tone) }
.series .pale { fill-opacity: 0.28; stroke: var(--tone); stroke-width: 1.2 }
.chart .box { fill: none; stroke: var(--rule) }
.point { fill: var(--tone); fill-opacity: 0.82 }
`

const responsive = `
@media screen and (max-width: 760px) {
  main, header, footer { padding-left: 18px; padding-right: 18px }
  header { padding-top: 36px }
  h1 { font-size: 29px }
  .lead { font-size: 17px }
  section { margin-top: 56px }
  .grid, .faces { grid-template-columns: minmax(0, 1fr); gap: 44px }
  .faces { gap: 16px }
  .conditions { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px 20px }
  .verdicts { gap: 28px }
  .chart { font-size: 15.5px }
  .chart .reference-label { font-size: 14px }
  th + .num, .num + .num { padding-left: 10px }
  th small { display: block; margin-left: 0; line-height: 1.35 }
  .timings .wide { display: none }
  .share { width: 26% }
}
@media (max-width: 360px) { thead .num { white-space: normal } }
`

const paper = `
@page { margin: 16mm }
body { font-size: 10pt }
table { font-size: 9pt }
th small { font-size: 8pt }
tbody th, tbody td, tfoot th, tfoot td { padding: 3pt 0 }
.grid, .faces { gap: 24pt 28pt }
main, header, footer { max-width: none; padding: 0 }
section { margin-top: 32pt }
figure, table, .verdict, .warnings { break-inside: avoid }
h2, h3, caption { break-after: avoid }
a { color: inherit }
`
