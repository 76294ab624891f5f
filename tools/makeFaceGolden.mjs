// Writes test/fixtures/faceNetworks.json: what TensorFlow.js (which the package @vladmandic/human carries) makes of one
// input with the two networks that find faces. Run: node tools/makeFaceGolden.mjs (takes minutes: its portable backend).
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

// Its build for browsers is the one that carries TensorFlow.js; it looks for these when it is loaded.
globalThis.document ??= { createElement: () => ({ getContext: () => null }) }
globalThis.window ??= globalThis
const package_ = new URL('../node_modules/@vladmandic/human/', import.meta.url)
const { Human } = await import(new URL('dist/human.esm.js', package_).href)
const { tf } = new Human({ backend: 'cpu' })
await tf.setBackend('cpu')
await tf.ready()

const networks = {
  blazeface: { side: 256, outputs: ['Identity', 'Identity_1', 'Identity_2', 'Identity_3'] },
  facemesh: { side: 192, outputs: ['Identity_1', 'Identity_2'] },
}
/** Each output is kept as its sum, and every so many values. */
const KEPT = 24

/** Smooth and of all signs. */
function inputOf(side) {
  return Float32Array.from({ length: side * side * 3 }, (_, i) => {
    const [row, column, channel] = [Math.floor(i / (3 * side)), Math.floor(i / 3) % side, i % 3]
    return Math.fround(Math.sin(0.07 * row + channel) * Math.cos(0.05 * column - 0.5 * channel))
  })
}

const golden = {}
for (const [name, { side, outputs }] of Object.entries(networks)) {
  const model = JSON.parse(await readFile(new URL(`models/${name}.json`, package_), 'utf8'))
  const weights = await readFile(new URL(`models/${name}.bin`, package_))
  const network = await tf.loadGraphModel({
    load: async () => ({
      modelTopology: model.modelTopology,
      format: model.format,
      signature: model.signature,
      weightSpecs: model.weightsManifest.flatMap((group) => group.weights),
      weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.length),
    }),
  })
  const results = network.execute(tf.tensor4d(inputOf(side), [1, side, side, 3]), outputs)
  golden[name] = { side, outputs: {} }
  for (const [i, output] of outputs.entries()) {
    const values = Array.from(await results[i].data())
    const every = Math.max(1, Math.floor(values.length / KEPT))
    golden[name].outputs[output] = {
      count: values.length,
      sum: values.reduce((sum, value) => sum + value, 0),
      every,
      values: values.filter((_, at) => at % every === 0),
    }
  }
}
const file = new URL('../test/fixtures/faceNetworks.json', import.meta.url)
await writeFile(file, `${JSON.stringify(golden)}\n`)
console.log(`Saved ${fileURLToPath(file)}`)
