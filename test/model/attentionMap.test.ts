import t from 'tap'
import { openDevice } from '../../src/engine/device.js'
import type { ParameterArena } from '../../src/engine/parameters.js'
import { PhiloxStream } from '../../src/engine/random.js'
import { attentionMap } from '../../src/model/attentionMap.js'
import { AuClassifier } from '../../src/model/auClassifier.js'
import { CHANNELS, patchCount, type VitConfig } from '../../src/model/config.js'
import { Fmae } from '../../src/model/fmae.js'
import { type Array64, array64, relativeError, reshaped } from '../../src/verify/array64.js'
import { tinyClassifier, tinyFmae } from '../../src/verify/fixtures.js'
import { attentionReference } from '../../src/verify/reference/attention.js'
import { layerNormReference } from '../../src/verify/reference/layerNorm.js'
import { linearReference, linearResidualReference } from '../../src/verify/reference/products.js'
import {
  addPositionReference,
  concatTokensReference,
  patchifyReference,
} from '../../src/verify/reference/tokens.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

const BATCH = 2
const random = new PhiloxStream(3, 0)
const noise = Float32Array.from({ length: BATCH * CHANNELS * 32 * 32 }, () => random.normal())
const images = runtime.tensor(noise, [BATCH, CHANNELS, 32, 32])

/** Random weights, large enough that attention is far from even. */
function sharpen(parameters: ParameterArena): void {
  for (const parameter of parameters.parameters) {
    if (!/qkv|cls_token|pos_embed/.test(parameter.name)) continue
    runtime.write(
      parameter,
      Float32Array.from({ length: parameter.size }, () => random.normal()),
    )
  }
}

type Weights = ReadonlyMap<string, Array64>

async function weightsOf(parameters: ParameterArena): Promise<Weights> {
  const entries = parameters.parameters.map(
    async (parameter) =>
      [parameter.name, array64((await parameter.read()) as Float32Array, parameter.shape)] as const,
  )
  return new Map(await Promise.all(entries))
}

/** x of the pre-norm encoder before its last block, all in float64. */
function beforeLastBlock(w: Weights, config: VitConfig): Array64 {
  const { patchSize, width, heads, depth, layerNormEps } = config
  const at = (name: string) => w.get(name)!
  const linear = linearReference('none')
  const patches = patchifyReference(patchSize, 'chw').forward([array64(noise, images.shape)])
  const projection = reshaped(at('patch_embed.proj.weight'), [width, patches.shape[2]])
  const embedded = linear.forward([patches, projection, at('patch_embed.proj.bias')])
  const cls = addPositionReference(0).forward([at('cls_token'), at('pos_embed')])
  const placed = addPositionReference(1).forward([embedded, at('pos_embed')])
  let x = concatTokensReference(1).forward([cls, placed])
  for (let i = 0; i < depth - 1; i++) {
    const p = (name: string) => at(`blocks.${i}.${name}`)
    const norm1 = layerNormReference(layerNormEps).forward([x, p('norm1.weight'), p('norm1.bias')])
    const qkv = linear.forward([norm1, p('attn.qkv.weight'), p('attn.qkv.bias')])
    const mixed = attentionReference(heads).forward([qkv])
    x = linearResidualReference.forward([mixed, p('attn.proj.weight'), p('attn.proj.bias'), x])
    const norm2 = layerNormReference(layerNormEps).forward([x, p('norm2.weight'), p('norm2.bias')])
    const hidden = linearReference('gelu').forward([norm2, p('mlp.fc1.weight'), p('mlp.fc1.bias')])
    x = linearResidualReference.forward([hidden, p('mlp.fc2.weight'), p('mlp.fc2.bias'), x])
  }
  return x
}

/**
 * The map by another way than the model's: an attention whose values are one column of the identity gives
 * that column of the attention matrix as its output.
 */
function reference(w: Weights, config: VitConfig): Float64Array {
  const { width, heads, layerNormEps, depth } = config
  const last = `blocks.${depth - 1}`
  const norm = layerNormReference(layerNormEps)
  const x = beforeLastBlock(w, config)
  const inner = norm.forward([x, w.get(`${last}.norm1.weight`)!, w.get(`${last}.norm1.bias`)!])
  const parameters = [w.get(`${last}.attn.qkv.weight`)!, w.get(`${last}.attn.qkv.bias`)!]
  const qkv = linearReference('none').forward([inner, ...parameters])
  const L = patchCount(config)
  const map = new Float64Array(BATCH * L)
  for (let key = 1; key <= L; key++) {
    for (let b = 0; b < BATCH; b++)
      for (let t = 0; t <= L; t++)
        for (let column = 2 * width; column < 3 * width; column++) qkv.set(b, t, column, Number(t === key))
    const out = attentionReference(heads).forward([qkv])
    for (let b = 0; b < BATCH; b++)
      for (let query = 1; query <= L; query++)
        for (let head = 0; head < heads; head++)
          map[b * L + key - 1] += out.get(b, query, head * (width / heads))
  }
  for (let b = 0; b < BATCH; b++) {
    const row = map.subarray(b * L, (b + 1) * L)
    const sum = row.reduce((total, value) => total + value, 0)
    for (let i = 0; i < L; i++) row[i] /= sum
  }
  return map
}

const models = [
  { name: 'classifier', model: new AuClassifier(runtime, tinyClassifier, 0) },
  { name: 'encoder of a masked autoencoder', model: new Fmae(runtime, tinyFmae, 0) },
  { name: 'one block', model: new AuClassifier(runtime, { ...tinyClassifier, depth: 1 }, 0) },
]

for (const { name, model } of models) {
  t.test(`${name}: the map is that of a float64 reference`, async (t) => {
    sharpen(model.parameters)
    const ours = await attentionMap(model, images)
    const theirs = reference(await weightsOf(model.parameters), model.config)
    t.equal(ours.length, BATCH * patchCount(model.config))
    const error = relativeError(ours, theirs)
    t.ok(error < 1e-5, `relative error ${error}`)
    const L = patchCount(model.config)
    const largest = Math.max(...theirs.subarray(0, L)) * L
    t.ok(
      largest > 1.5,
      `the patch looked at most has ${largest} times the mean: the test can tell maps apart`,
    )
  })

  t.test(`${name}: every image's map adds up to 1`, async (t) => {
    const L = patchCount(model.config)
    const map = await attentionMap(model, images)
    for (let b = 0; b < BATCH; b++) {
      const sum = map.subarray(b * L, (b + 1) * L).reduce((total, value) => total + value, 0)
      t.ok(Math.abs(sum - 1) < 1e-6, `image ${b}: ${sum}`)
    }
  })
}

t.test('device memory is given back', async (t) => {
  const { model } = models[0]
  await attentionMap(model, images)
  const before = runtime.memory.usage
  await attentionMap(model, images)
  t.same(runtime.memory.usage, before)
})
