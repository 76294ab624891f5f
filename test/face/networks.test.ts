import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openFaceFinder } from '../../src/face/faceModels.node.js'
import type { GraphModel } from '../../src/face/graphModel.js'
import { root } from '../cli/program.js'

// The two networks against TensorFlow.js: numbers of tools/makeFaceGolden.mjs.

interface Golden {
  readonly side: number
  readonly outputs: Readonly<
    Record<
      string,
      { readonly count: number; readonly sum: number; readonly every: number; readonly values: number[] }
    >
  >
}

const golden: Record<'blazeface' | 'facemesh', Golden> = JSON.parse(
  readFileSync(join(root, 'test', 'fixtures', 'faceNetworks.json'), 'utf8'),
)

/** As in the tool. */
function inputOf(side: number): Float32Array {
  return Float32Array.from({ length: side * side * 3 }, (_, i) => {
    const [row, column, channel] = [Math.floor(i / (3 * side)), Math.floor(i / 3) % side, i % 3]
    return Math.fround(Math.sin(0.07 * row + channel) * Math.cos(0.05 * column - 0.5 * channel))
  })
}

const finder = await openFaceFinder()
const networks: Record<keyof typeof golden, GraphModel> = {
  blazeface: finder.detector,
  facemesh: finder.mesh,
}

for (const [name, network] of Object.entries(networks)) {
  t.test(`${name} computes what TensorFlow.js computes`, async (t) => {
    const { side, outputs } = golden[name as keyof typeof golden]
    const input = { height: side, width: side, channels: 3, data: inputOf(side) }
    const results = network.run(input, Object.keys(outputs))
    for (const [i, [output, { count, sum, every, values }]] of Object.entries(outputs).entries()) {
      const { data } = results[i]
      const scale = Math.max(...values.map(Math.abs), 1)
      t.equal(data.length, count, `${output}: values`)
      const distance = Math.max(...values.map((value, at) => Math.abs(data[at * every] - value)))
      t.ok(distance < 1e-4 * scale, `${output}: largest distance ${distance} of ${scale}`)
      const total = data.reduce((all, value) => all + value, 0)
      t.ok(Math.abs(total - sum) < 1e-4 * scale * count, `${output}: sum ${total}, expected ${sum}`)
    }
  })
}

t.test('an op that it does not know is named', async (t) => {
  const { GraphModel } = await import('../../src/face/graphModel.js')
  const node = [
    { name: 'x', op: 'Placeholder' },
    { name: 'y', op: 'Conv3D', input: ['x'] },
  ]
  const model = new GraphModel({ modelTopology: { node }, weightsManifest: [] }, new Uint8Array())
  const input = { height: 1, width: 1, channels: 1, data: new Float32Array(1) }
  t.throws(() => model.run(input, ['y']), /op Conv3D is not supported/)
  t.throws(() => model.run(input, ['z']), /no node z/)
})

t.test('weights that end early are an error', async (t) => {
  const { GraphModel } = await import('../../src/face/graphModel.js')
  const weights = [{ name: 'w', shape: [2, 2], dtype: 'float32' }]
  const make = () =>
    new GraphModel({ modelTopology: { node: [] }, weightsManifest: [{ weights }] }, new Uint8Array(15))
  t.throws(make, /the weights end in w/)
})
