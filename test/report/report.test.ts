import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { ticks } from '../../src/report/chart.js'
import { chooseForEmbedding, embed2d } from '../../src/report/embed2d.js'
import { pngDataUri } from '../../src/report/encodePng.node.js'
import { change, count, duration, percent, score, setting } from '../../src/report/format.js'
import { summaryText } from '../../src/report/printSummary.js'
import { renderReport } from '../../src/report/renderReport.js'
import type { ReportInput } from '../../src/report/reportInput.js'
import { parseReport, ReportError } from '../../src/report/reportSchema.js'
import { alwaysPresentF1, findWarnings, verdicts } from '../../src/report/verdicts.js'
import { writeReport } from '../../src/report/writeReport.node.js'
import { exampleInput } from './reportExample.js'

const raw = exampleInput()
const image = await pngDataUri(raw.reconstructions.samples[0].original, raw.reconstructions.size)
const samples = raw.reconstructions.samples.map(() => ({
  original: image,
  masked: image,
  reconstruction: image,
}))
const input: ReportInput = { ...raw, reconstructions: { ...raw.reconstructions, samples } }
const page = renderReport(input)

/** The example with some fields of its report replaced. */
function withReport(change: Partial<ReportInput['report']>): ReportInput {
  return { ...input, report: { ...input.report, ...change } }
}

function withRun(index: number, change: Partial<ReportInput['report']['finetune'][number]>): ReportInput {
  return withReport({
    finetune: input.report.finetune.map((run, at) => (at === index ? { ...run, ...change } : run)),
  })
}

test('the schema accepts a good report and survives JSON', (t) => {
  t.same(parseReport(JSON.parse(JSON.stringify(input.report))), input.report)
  t.end()
})

test('the schema names the field at fault', (t) => {
  const { report } = input
  const { seed: _, ...withoutSeed } = report
  const [first, second, third] = report.finetune
  const bad: readonly [string, unknown][] = [
    ['seed', withoutSeed],
    ['finetune[1].auc', { ...report, finetune: [first, { ...second, auc: Number.NaN }, third] }],
    ['finetune[0].name', { ...report, finetune: [{ ...first, name: 'mae' }, second, third] }],
    [
      'finetune[2].f1PerAu.smile',
      { ...report, finetune: [first, second, { ...third, f1PerAu: { smile: 0.5 } }] },
    ],
    ['finetune[0].f1PerEpoch[1]', { ...report, finetune: [{ ...first, f1PerEpoch: [0.1, '0.2'] }, second] }],
    ['finetune', { ...report, finetune: [first, first] }],
    ['identityProbe.chance', { ...report, identityProbe: { ...report.identityProbe, chance: 1.5 } }],
    ['pretrain.steps', { ...report, pretrain: { ...report.pretrain, steps: 1.5 } }],
    ['adapter.software', { ...report, adapter: { ...report.adapter, software: 'yes' } }],
    ['report', { ...report, extra: 1 }],
    ['report', null],
  ]
  for (const [field, value] of bad) {
    try {
      parseReport(value)
      t.fail(`${field} was accepted`)
    } catch (error) {
      t.ok(error instanceof ReportError, field)
      t.same((error as ReportError).fields, [field])
      t.match((error as ReportError).message, `${field}: `)
    }
  }
  t.end()
})

test('the page loads nothing from anywhere', (t) => {
  t.notMatch(page, /<script|<link|<iframe|<object|@import|@font-face|\burl\(|\son\w+=/i)
  for (const [, source] of page.matchAll(/\bsrc(?:set)?="([^"]*)"/g))
    t.match(source, /^data:image\/png;base64,/)
  const addresses = [...page.matchAll(/https?:\/\/[^"'\s<)]+/g)].map(([address]) => address)
  t.same([...new Set(addresses)], ['https://arxiv.org/abs/2407.11243'])
  t.match(page, "default-src 'none'")
  t.end()
})

test('every number in a table comes from the input', (t) => {
  const { report } = input
  const probe = report.identityProbe
  const scores = [
    ...report.finetune.flatMap((run) => [
      ...[run.auc, run.aucSeen, run.f1At05, run.f1Best],
      ...Object.values(run.f1PerAu),
      ...Object.values(run.aucPerAu),
    ]),
    ...[probe.fmae, probe.fmaeIat, probe.fmaePublished, probe.fmaeIatPublished],
    ...[report.pretrain.lossFirst, report.pretrain.lossLast, alwaysPresentF1(input.prevalence)],
  ].map(score)
  const changes = [
    ...report.finetune.map((run) => run.aucSeen - run.auc),
    probe.fmaeIat - probe.fmae,
    probe.fmaeIatPublished - probe.fmaePublished,
  ].map(change)
  const timed = input.timings.reduce((sum, timing) => sum + timing.seconds, 0)
  const seconds = [...input.timings.map((timing) => timing.seconds), report.seconds - timed]
  const others = [
    ...report.finetune.flatMap((run) => [run.threshold.toFixed(2), setting(run.lambda)]),
    ...[report.pretrain.epochs, report.pretrain.steps, report.pretrain.imagesPerSecond].map(count),
    ...[...seconds, report.seconds, report.pretrain.seconds].map(duration),
    ...seconds.map((value) => percent(value / report.seconds)),
  ]
  const expected = [...scores, ...changes, ...others]
  const cells = [...page.matchAll(/<td class="num[^"]*">(?:<strong>)?([^<]*)/g)].map(([, text]) => text)
  t.ok(cells.length > 100, `${cells.length} cells`)
  t.same(
    cells.filter((cell) => !expected.includes(cell)),
    [],
    'nothing else is in a cell',
  )
  t.same(
    expected.filter((text) => !cells.includes(text)),
    [],
    'nothing is left out',
  )
  t.end()
})

test('the findings say what the numbers say', (t) => {
  const iat = (changed: ReportInput) => verdicts(changed).at(-1)!.text
  t.match(
    iat(input),
    'IAT lowered the accuracy of the identity probe from 0.447 to 0.361. AUC on unseen subjects changed by −0.003',
  )
  t.match(iat(input), 'from 0.051 to 0.036')
  const raised = withReport({ identityProbe: { ...input.report.identityProbe, fmaeIat: 0.5 } })
  t.match(iat(raised), 'IAT raised the accuracy of the identity probe from 0.447 to 0.500')
  t.match(iat(withRun(2, { auc: 0.6 })), 'IAT also removed AU information')
  t.match(verdicts(withRun(1, { auc: 0.7 }))[1].text, '0.700 from FMAE and 0.718 from scratch')
  t.match(verdicts(withRun(1, { auc: 0.719 }))[1].text, 'can be due to the seed')
  const worse = withReport({ pretrain: { ...input.report.pretrain, lossLast: 1.3 } })
  t.match(verdicts(worse)[0].text, 'rose by')
  const scratchOnly = withReport({ finetune: input.report.finetune.slice(0, 1) })
  t.equal(verdicts(scratchOnly).length, 1, 'what did not run is not judged')
  t.match(renderReport(scratchOnly), 'From scratch')
  t.end()
})

test('a λ that is too large is called so', (t) => {
  const curves = input.lossCurves.finetune['fmae-iat']!
  const flat = curves.au.map(([step]) => [step, input.baseRateEntropy] as const)
  const high = curves.id.map(([step]) => [step, 2 * input.identityConstant] as const)
  const warn = (au: typeof curves.au, id: typeof curves.id) =>
    findWarnings({
      ...input,
      lossCurves: { ...input.lossCurves, finetune: { ...input.lossCurves.finetune, 'fmae-iat': { au, id } } },
    })
  t.same(findWarnings(input), [])
  t.match(
    warn(flat, high)[0],
    /FMAE-IAT: AU loss ended at 0\.601.*identity loss ended at 0\.116.*λ = 2 is too large/,
  )
  t.match(warn(flat, curves.id)[0], 'Almost nothing was learned')
  t.match(warn(curves.au, high)[0], 'fools the identity head')
  t.match(warn([[1, Number.NaN]], curves.id)[0], 'a loss became NaN or infinite')
  t.match(findWarnings(withRun(0, { auc: 0.51 }))[0], 'From scratch: unseen AUC 0.510 is close to chance')
  t.match(renderReport({ ...input, warnings: ['a < b'] }), 'a &lt; b')
  t.notMatch(page, '<h2>Warnings</h2>')
  t.end()
})

test('the best value of a row is emphasised, ties and gaps are not singled out', (t) => {
  const row = (changed: ReportInput, head: RegExp) =>
    renderReport(changed)
      .split('<tr>')
      .find((text) => head.test(text))!
  t.match(row(input, />AUC <small>unseen/), '<strong>0.734</strong>')
  t.notMatch(row(input, />Gap /), '<strong>')
  const equal = withReport({ finetune: input.report.finetune.map((run) => ({ ...run, auc: 0.7 })) })
  t.notMatch(row(equal, />AUC <small>unseen/), '<strong>')
  t.match(row(input, />AU 24 <small>lip pressor<\/small>/), '–', 'an undefined area is a dash')
  t.end()
})

test('light, dark and paper have their colours, and every colour used is defined', (t) => {
  t.match(page, '@media (prefers-color-scheme: dark) { :root { color-scheme: dark; --paper: #')
  t.match(page, /@media print \{ :root \{ color-scheme: light/)
  const defined = new Set([...page.matchAll(/(--[\w-]+):/g)].map(([, name]) => name))
  for (const [, name] of page.matchAll(/var\((--[\w-]+)/g))
    if (!defined.has(name)) t.fail(`${name} is not defined`)
  t.end()
})

test('text from outside cannot become markup', (t) => {
  const hostile = renderReport({
    ...input,
    command: '<img src=x onerror=alert(1)>',
    notes: ['"quoted" & <b>'],
  })
  t.match(hostile, '&lt;img src=x onerror=alert(1)&gt;')
  t.match(hostile, '&quot;quoted&quot; &amp; &lt;b&gt;')
  t.end()
})

test('a run with empty, flat or broken curves still has a page without NaN', (t) => {
  const none = { points: [], subjects: [] }
  const broken = renderReport({
    ...input,
    lossCurves: {
      pretrain: [],
      finetune: {
        scratch: {
          au: [
            [1, 0.5],
            [2, Number.NaN],
          ],
          id: [],
        },
      },
    },
    reconstructions: { ...input.reconstructions, samples: samples.slice(0, 5) },
    embedding: { fmae: none, fmaeIat: { points: [[1, 1]], subjects: ['7'] } },
    prevalence: {},
    timings: [],
  })
  t.notMatch(broken, /NaN|Infinity|undefined/)
  t.notMatch(page, /NaN|Infinity|undefined/)
  t.match(broken, 'No data available.')
  t.end()
})

test('ticks stand at round numbers inside the range', (t) => {
  t.same(ticks(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1])
  t.same(ticks(0.843, 1.151, 4), [0.9, 1, 1.1])
  t.same(ticks(1, 1152, 6), [200, 400, 600, 800, 1000])
  t.same(ticks(3, 3), [3])
  t.end()
})

test('the embedding is deterministic, follows its seed, and keeps people together', (t) => {
  const rows = Array.from({ length: 60 }, (_, index) =>
    Array.from({ length: 8 }, (_, column) => (index % 3 === column ? 20 : 0) + Math.sin(index * 8 + column)),
  )
  const points = embed2d(rows, 0)
  t.same(embed2d(rows, 0), points)
  t.notSame(embed2d(rows, 1), points)
  t.ok(points.flat().every(Number.isFinite))
  const distance = (a: number, b: number) =>
    Math.hypot(points[a][0] - points[b][0], points[a][1] - points[b][1])
  for (let index = 0; index < rows.length; index++) {
    const others = rows.map((_, other) => other).filter((other) => other !== index)
    const nearest = others.reduce((best, other) =>
      distance(index, other) < distance(index, best) ? other : best,
    )
    t.equal(nearest % 3, index % 3)
  }
  t.same(embed2d([[1, 2]], 0), [[0, 0]])
  t.end()
})

test('20 people with the most pictures are embedded, 24 pictures each', (t) => {
  const subjects = Array.from({ length: 25 }, (_, subject) =>
    Array<string>(subject + 10).fill(`p${subject}`),
  ).flat()
  const chosen = chooseForEmbedding(subjects)
  const counted = new Map<string, number>()
  for (const index of chosen) counted.set(subjects[index], (counted.get(subjects[index]) ?? 0) + 1)
  t.equal(counted.size, 20)
  t.notOk(counted.has('p4'))
  t.equal(counted.get('p5'), 15)
  t.equal(counted.get('p24'), 24)
  t.end()
})

test('the final table is aligned and ends with the path', (t) => {
  const text = summaryText({ ...input, warnings: ['λ too large'] }, 'runs/1/report.html')
  const lines = text.split('\n')
  t.match(
    lines.find((line) => line.startsWith('AUC unseen')),
    /0\.718 +0\.734 +0\.731$/,
  )
  t.match(
    lines.find((line) => line.startsWith('F1 best')),
    /0\.31\)$/,
  )
  t.equal(
    new Set(
      lines
        .slice(0, 8)
        .filter((line) => line !== '')
        .map((line) => line.length),
    ).size,
    1,
  )
  t.match(text, 'from true AU labels 0.149, chance 0.010')
  t.match(text, 'Warning: λ too large')
  t.ok(text.endsWith('Report: runs/1/report.html\n'))
  t.end()
})

test('both files are written; a report that does not fit leaves nothing behind', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'report-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await t.rejects(
    writeReport(folder, { ...raw, report: { ...raw.report, seconds: -1 } }),
    /schema: seconds: /,
  )
  t.same(await readdir(folder), [])
  const { htmlPath, jsonPath } = await writeReport(join(folder, 'run'), raw)
  t.same(JSON.parse(await readFile(jsonPath, 'utf8')), raw.report)
  t.match(await readFile(htmlPath, 'utf8'), 'data:image/png;base64,')
  await mkdir(join(folder, 'taken', 'report.html'), { recursive: true })
  await t.rejects(writeReport(join(folder, 'taken'), raw), {
    name: 'UserError',
    message: /report\.html: cannot be written/,
  })
  await t.rejects(writeReport(join(jsonPath, 'run'), raw), {
    name: 'UserError',
    message: /report\.json\/run: cannot be written/,
  })
  await t.rejects(pngDataUri(new Uint8Array(5), 2), /got 5 bytes, expected 2×2×3 = 12/)
})
