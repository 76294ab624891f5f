import t, { type Test } from 'tap'
import { fineTuningRules, layerId, pretrainingRules } from '../../src/train/optim/parameterGroups.js'
import { learningRateAt, scaledLearningRate } from '../../src/train/optim/schedule.js'

function near(test: Test, got: number, expected: number, relative = 1e-6): void {
  test.ok(Math.abs(got - expected) <= relative * Math.abs(expected), `${got} is near ${expected}`)
}

t.test('fixture A4: warm-up and half cosine by fractional epoch', async (t) => {
  const fineTuning = { learningRate: 5e-5, warmupEpochs: 2, epochs: 20, minimum: 1e-6 }
  const expected = [
    [0, 0],
    [0.5, 1.25e-5],
    [1, 2.5e-5],
    [2, 5e-5],
    [5, 4.6717622e-5],
    [11, 2.55e-5],
    [15, 9.7517036e-6],
    [19, 1.3722101e-6],
  ]
  for (const [epoch, rate] of expected) near(t, learningRateAt(fineTuning, epoch), rate)
  const pretraining = { learningRate: 3e-4, warmupEpochs: 2, epochs: 50, minimum: 0 }
  near(t, learningRateAt(pretraining, 26), 1.5e-4)
  near(t, learningRateAt(pretraining, 49), 3.2116e-7, 1e-4)
})

t.test(
  'a schedule without warm-up starts at the full rate, and past its end stays at the minimum',
  async (t) => {
    const schedule = { learningRate: 1, warmupEpochs: 0, epochs: 4, minimum: 0.1 }
    t.equal(learningRateAt(schedule, 0), 1)
    near(t, learningRateAt(schedule, 4), 0.1)
    near(t, learningRateAt(schedule, 9), 0.1)
    t.equal(learningRateAt({ ...schedule, warmupEpochs: 4 }, 4), 0.1)
  },
)

t.test('the published rates follow from base rate, batch and accumulation', async (t) => {
  near(t, scaledLearningRate(1.5e-4, 512), 3e-4)
  near(t, scaledLearningRate(5e-4, 64), 1.25e-4)
  near(t, scaledLearningRate(5e-4, 16, 4), 1.25e-4)
})

const shapes = [
  { name: 'cls_token', shape: [1, 1, 384] },
  { name: 'pos_embed', shape: [1, 197, 384] },
  { name: 'patch_embed.proj.weight', shape: [384, 3, 16, 16] },
  { name: 'patch_embed.proj.bias', shape: [384] },
  { name: 'blocks.0.attn.qkv.weight', shape: [1152, 384] },
  { name: 'blocks.11.norm1.weight', shape: [384] },
  { name: 'fc_norm.weight', shape: [384] },
  { name: 'head.weight', shape: [12, 384] },
  { name: 'ID_head.weight', shape: [41, 384] },
  { name: 'ID_head.bias', shape: [41] },
]

t.test('fine-tuning rates fall by layer, vectors and position and class token are not decayed', async (t) => {
  const options = { depth: 12, layerDecay: 0.65, weightDecay: 0.05, identityHeadScale: 1 }
  const rules = fineTuningRules(shapes, options)
  const scale = (name: string) => rules.get(name)?.learningRateScale ?? Number.NaN
  near(t, scale('cls_token'), 3.7e-3, 1e-3)
  near(t, scale('patch_embed.proj.bias'), 3.7e-3, 1e-3)
  near(t, scale('blocks.0.attn.qkv.weight'), 5.69e-3, 1e-3)
  near(t, scale('blocks.11.norm1.weight'), 0.65)
  t.equal(scale('head.weight'), 1)
  t.equal(scale('ID_head.weight'), 1)
  const decayed = [...rules].filter(([, { weightDecay }]) => weightDecay > 0).map(([name]) => name)
  t.same(decayed, ['patch_embed.proj.weight', 'blocks.0.attn.qkv.weight', 'head.weight', 'ID_head.weight'])
  near(t, 0.65 ** (25 - layerId('cls_token', 24)), 2.1e-5, 1e-2)
  t.equal(
    fineTuningRules(shapes, { ...options, identityHeadScale: 10 }).get('ID_head.bias')?.learningRateScale,
    10,
  )
})

t.test('pretraining decays the tokens and leaves the position tables out', async (t) => {
  const rules = pretrainingRules(
    [
      ...shapes.slice(0, 4),
      { name: 'mask_token', shape: [1, 1, 512] },
      { name: 'decoder_pos_embed', shape: [1, 197, 512] },
    ],
    0.05,
  )
  t.same(Object.fromEntries(rules), {
    cls_token: { learningRateScale: 1, weightDecay: 0.05 },
    'patch_embed.proj.weight': { learningRateScale: 1, weightDecay: 0.05 },
    'patch_embed.proj.bias': { learningRateScale: 1, weightDecay: 0 },
    mask_token: { learningRateScale: 1, weightDecay: 0.05 },
  })
})
