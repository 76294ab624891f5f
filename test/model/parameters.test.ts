import t from 'tap'
import type { ParameterSpec } from '../../src/engine/parameters.js'
import { classifierParameters, dropPathRates } from '../../src/model/auClassifier.js'
import { checkFmaeConfig, checkVitConfig, keptPatches } from '../../src/model/config.js'
import { fmaeParameters } from '../../src/model/fmae.js'
import { presets } from '../../src/model/presets.js'
import { tinyClassifier, tinyFmae } from '../../src/verify/fixtures.js'

const names = (specs: readonly ParameterSpec[]) => specs.map(({ name }) => name)

function find(specs: readonly ParameterSpec[], name: string): ParameterSpec {
  const spec = specs.find((one) => one.name === name)
  if (!spec) throw new Error(`no ${name}`)
  return spec
}

t.test('the autoencoder has the names of the reference, in its order', async (t) => {
  const all = names(fmaeParameters(tinyFmae))
  t.equal(all.length, 50)
  t.same(all.slice(0, 6), [
    'cls_token',
    'pos_embed',
    'mask_token',
    'decoder_pos_embed',
    'patch_embed.proj.weight',
    'patch_embed.proj.bias',
  ])
  t.same(all.slice(6, 18), blockNames('blocks.0'))
  t.same(all.slice(-4), [
    'decoder_norm.weight',
    'decoder_norm.bias',
    'decoder_pred.weight',
    'decoder_pred.bias',
  ])
  t.equal(all.indexOf('norm.weight'), 30)
})

function blockNames(prefix: string): string[] {
  const layers = ['norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2']
  return layers.flatMap((layer) => [`${prefix}.${layer}.weight`, `${prefix}.${layer}.bias`])
}

t.test('the classifier has head before fc_norm, and an identity head only for λ > 0', async (t) => {
  const all = names(classifierParameters(tinyClassifier))
  t.equal(all.indexOf('head.weight'), 28)
  t.same(all.slice(28), [
    'head.weight',
    'head.bias',
    'fc_norm.weight',
    'fc_norm.bias',
    'ID_head.weight',
    'ID_head.bias',
  ])
  t.same(names(classifierParameters({ ...tinyClassifier, lambda: 0 })), all.slice(0, 32))
  t.notOk(all.includes('norm.weight'), 'the encoder’s own final norm is gone')
})

t.test('deeper identity heads halve the width', async (t) => {
  const shapes = (layers: 2 | 3) =>
    classifierParameters({ ...tinyClassifier, idHeadLayers: layers })
      .filter(({ name }) => name.startsWith('ID_head'))
      .map(({ name, shape }) => `${name} ${shape}`)
  t.same(shapes(2), ['ID_head.weight 8,16', 'ID_head.bias 8', 'ID_head2.weight 5,8', 'ID_head2.bias 5'])
  t.same(shapes(3), [
    'ID_head.weight 8,16',
    'ID_head.bias 8',
    'ID_head2.weight 4,8',
    'ID_head2.bias 4',
    'ID_head3.weight 5,4',
    'ID_head3.bias 5',
  ])
})

t.test('start values: MAE’s for pretraining, PyTorch’s defaults for the heads', async (t) => {
  const fmae = fmaeParameters(presets['vit-s'])
  const bound = (fanIn: number, fanOut: number) => ({
    kind: 'uniform',
    bound: Math.sqrt(6 / (fanIn + fanOut)),
  })
  t.same(find(fmae, 'blocks.0.attn.qkv.weight').init, bound(384, 3 * 384))
  t.same(find(fmae, 'patch_embed.proj.weight').init, bound(768, 384))
  t.same(find(fmae, 'patch_embed.proj.bias').init, { kind: 'uniform', bound: 1 / Math.sqrt(768) })
  t.same(find(fmae, 'mask_token').init, { kind: 'normal', std: 0.02 })
  t.same(find(fmae, 'decoder_blocks.7.mlp.fc1.bias').init, { kind: 'constant', value: 0 })
  t.ok(find(fmae, 'pos_embed').frozen && find(fmae, 'decoder_pos_embed').frozen)
  const iat = classifierParameters({ ...tinyClassifier, ...presets['vit-s'] })
  t.same(find(iat, 'head.bias').init, { kind: 'uniform', bound: 1 / Math.sqrt(384) })
  t.same(find(iat, 'ID_head.weight').init, { kind: 'uniform', bound: 1 / Math.sqrt(384) })
  t.same(find(iat, 'blocks.3.mlp.fc1.weight').init, { kind: 'truncatedNormal', std: 0.02 })
  t.notOk(find(iat, 'pos_embed').frozen, 'positions are trained in fine-tuning')
})

t.test('presets are the published sizes', async (t) => {
  const published = { imageSize: 224, patchSize: 16, decoderWidth: 512, decoderDepth: 8, decoderHeads: 16 }
  for (const [name, width, depth, heads] of [
    ['vit-s', 384, 12, 6],
    ['vit-b', 768, 12, 12],
    ['vit-l', 1024, 24, 16],
  ] as const) {
    t.match(presets[name], { ...published, width, depth, heads, mlpRatio: 4, layerNormEps: 1e-6 })
    t.equal(keptPatches(presets[name]), 49)
  }
  for (const preset of Object.values(presets)) t.doesNotThrow(() => checkFmaeConfig(preset))
})

t.test('drop-path rates rise from 0 to the full rate, two branches a block', async (t) => {
  const rates = dropPathRates({ ...tinyClassifier, depth: 3, dropPath: 0.1 })
  t.same(rates, [0, 0, 0.05, 0.05, 0.1, 0.1])
  t.same(dropPathRates({ ...tinyClassifier, depth: 1, dropPath: 0.1 }), [0, 0])
})

t.test('sizes that make no model are refused by field', async (t) => {
  const wrong: [object, RegExp][] = [
    [{ width: 18 }, /width 18.*multiple of 4/],
    [{ heads: 3 }, /width 16.*heads 3/],
    [{ patchSize: 7 }, /imageSize 32.*patchSize 7/],
    [{ depth: 0 }, /depth/],
    [{ width: 512, heads: 2 }, /heads is 256/],
    [{ imageSize: 1.5 }, /imageSize/],
  ]
  for (const [change, message] of wrong) t.throws(() => checkVitConfig({ ...tinyFmae, ...change }), message)
  for (const maskRatio of [1, -0.1, 0.99, 0])
    t.throws(() => checkFmaeConfig({ ...tinyFmae, maskRatio }), /maskRatio/, `maskRatio ${maskRatio}`)
})
