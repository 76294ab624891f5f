import t from 'tap'
import { keptInFineTuning, keptInPretraining, parameterBytes } from '../../bench/minimumMemory.js'
import { inputsOf } from '../../bench/peers/inputs.mjs'
import { disagreement } from '../../bench/peers.js'
import { figure, markdownTable, textTable } from '../../bench/table.js'
import { alternate, geometricMean, median, summary } from '../../bench/timing.js'
import { tinyClassifier, tinyFmae } from '../../src/verify/fixtures.js'

t.test('medians, spreads and geometric means', async (t) => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([4, 1, 2, 3]), 2.5)
  t.same(summary([5, 1, 9]), { ms: 5, spread: [1, 9] })
  t.ok(Math.abs(geometricMean([2, 8]) - 4) < 1e-12)
})

t.test('candidates take turns, each with as many repeats as fill a round', async (t) => {
  const log: string[] = []
  const candidate = (name: string, ms: number) => async (repeats: number) => {
    log.push(`${name}${repeats}`)
    return ms
  }
  const times = await alternate([candidate('a', 10), candidate('b', 200)], { rounds: 2, roundMs: 100 })
  t.same(log, ['a1', 'a1', 'b1', 'b1', 'a10', 'b1', 'a10', 'b1'])
  t.same(times, [
    { ms: 10, spread: [10, 10] },
    { ms: 200, spread: [200, 200] },
  ])
})

t.test('outputs that differ, or are missing, or are not numbers, are a disagreement', async (t) => {
  const outputs = (values: number[]) => new Map([['y', Float32Array.from(values)]])
  const expected = outputs([1, -100])
  t.equal(disagreement(expected, outputs([1.09, -100])), null, 'within a thousandth of the largest value')
  t.match(disagreement(expected, outputs([1.2, -100])), /disagrees on y by 2\.0e-1/)
  t.match(disagreement(expected, outputs([1, Number.NaN])), /disagrees on y by NaN/)
  t.match(disagreement(expected, outputs([1])), /returns no y of 2 values/)
  t.match(disagreement(expected, new Map()), /returns no y/)
})

t.test('every engine makes the same inputs', async (t) => {
  const [a, b] = inputsOf('matmul', { m: 2, k: 3, n: 4 })
  t.same(
    [a.shape, b.shape],
    [
      [2, 3],
      [3, 4],
    ],
  )
  // As the same hash in Python gives them.
  t.same([...a.values.slice(0, 3)], [-0.8594663143157959, 0.2991710901260376, -0.01409447193145752])
  const step = inputsOf('trainingStep', { batch: 1, tokens: 2, width: 4, heads: 2, mlp: 8, depth: 2 })
  t.equal(step.length, 2 + 2 * 12)
  t.equal(step[2].name, 'blocks.0.norm1.weight')
  t.ok(step[2].values.every((value: number) => Math.abs(value - 1) <= 0.1))
})

t.test('the least memory of a step, counted by hand for small models', async (t) => {
  t.equal(
    parameterBytes([
      { name: 'w', shape: [3, 5], init: { kind: 'constant', value: 0 } },
      { name: 'table', shape: [7], init: { kind: 'constant', value: 0 }, frozen: true },
    ]),
    4 * (4 * 15 + 7),
  )
  // 32 px, patch 8: 16 patches of 192 values, 4 seen. Width 16, 2 blocks of 2 heads; decoder width 8, 1 block of 2 heads.
  const images = 3 * 32 * 32
  const encoder = 2 * 5 * (8 * 16 + 2 * 64 + 2 + 4)
  const decoder = 17 * (8 * 8 + 2 * 32 + 2 + 4)
  const norms = 5 * (2 * 16 + 2) + 16 * (2 * 8 + 2)
  const lossAndMasks = 16 * (192 + 3) + 4 + 16
  t.equal(keptInPretraining(tinyFmae, 1), 4 * (images + encoder + decoder + norms + lossAndMasks))
  t.equal(keptInPretraining(tinyFmae, 3), 3 * keptInPretraining(tinyFmae, 1))
  // 3 AUs, 5 people, λ > 0.
  const classifier = images + 2 * 17 * (8 * 16 + 2 * 64 + 2 + 4) + 2 * 16 + 2 + 2 * 3 + 2 * 5
  t.equal(keptInFineTuning(tinyClassifier, 1), 4 * classifier)
})

t.test('tables for terminal and Markdown', async (t) => {
  const table = {
    head: ['name', 'ms'],
    rows: [
      ['a', '1.00'],
      ['long name', '12.0'],
    ],
  }
  t.equal(textTable(table), 'name         ms\na          1.00\nlong name  12.0')
  t.equal(markdownTable(table), '| name | ms |\n| --- | ---: |\n| a | 1.00 |\n| long name | 12.0 |')
  t.same([0.01234, 1.234, 12.34, 1234].map(figure), ['0.012', '1.23', '12.3', '1234'])
})
