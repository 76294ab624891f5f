import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { interpolatePositions } from '../../../src/model/weights/interpolatePositions.js'
import { decodeSafetensors } from '../../../src/train/checkpoint/safetensors.js'

const WIDTH = 8
const path = new URL('../../fixtures/weights/positions.safetensors', import.meta.url)
const { tensors } = decodeSafetensors(readFileSync(path), 'positions.safetensors')
const table = (name: string) => tensors.get(name)!.data as Float32Array

t.test("tables are resized as PyTorch's bicubic interpolation does", async (t) => {
  for (const [from, to] of [
    [8, 7],
    [8, 14],
    [14, 4],
  ]) {
    const expected = table(`${from}-${to}`)
    const actual = interpolatePositions(table(`${from}`), WIDTH, from, to)
    t.equal(actual.length, expected.length)
    const difference = Math.max(...expected.map((value, i) => Math.abs(value - actual[i])))
    t.ok(difference <= 1e-6, `${from} → ${to}: largest difference ${difference}`)
  }
})

t.test('the same size gives the same table, bit for bit', async (t) => {
  for (const grid of [8, 14])
    t.same(interpolatePositions(table(`${grid}`), WIDTH, grid, grid), table(`${grid}`))
  const grids = fc.integer({ min: 1, max: 24 })
  fc.assert(
    fc.property(grids, fc.integer({ min: 1, max: 3 }), fc.gen(), (grid, width, gen) => {
      const length = (1 + grid * grid) * width
      const values = Float32Array.from(
        { length },
        () => gen(fc.float, { noNaN: true, min: -10, max: 10 }) + 0,
      )
      t.same(interpolatePositions(values, width, grid, grid), values)
    }),
    { numRuns: 10 },
  )
})

t.test('a constant table stays constant, and the class row stays', async (t) => {
  const grids = fc.integer({ min: 1, max: 20 })
  fc.assert(
    fc.property(grids, grids, (from, to) => {
      const constant = new Float32Array(1 + from * from).fill(3)
      constant[0] = -7
      const [row, ...patches] = interpolatePositions(constant, 1, from, to)
      t.equal(row, -7)
      t.equal(patches.length, to * to)
      t.ok(patches.every((value) => Math.abs(value - 3) < 1e-6))
    }),
  )
})

t.test('a table of another size is refused', async (t) => {
  t.throws(() => interpolatePositions(new Float32Array(7), 1, 2, 3), {
    name: 'RangeError',
    message: /7 values; a grid of 2×2 has 5/,
  })
})
