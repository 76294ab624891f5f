import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { fmaeParameters } from '../../../src/model/fmae.js'
import {
  type ForeignTensor,
  type Layout,
  layouts,
  unwrappedName,
} from '../../../src/model/weights/layouts.js'

/** Names and shapes of a file in test/fixtures/weights, as PyTorch has them. */
function tensorsOf(wanted: string): ForeignTensor[] {
  const golden = new URL('../../fixtures/weights/golden.tsv', import.meta.url)
  return readFileSync(golden, 'utf8')
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([file]) => file === wanted)
    .map(([, name, shape]) => ({ name, shape: shape.split(',').map(Number) }))
}

function layoutOf(names: readonly string[]): Layout[] {
  return layouts.filter((layout) => layout.matches(new Set(names)))
}

const [reference, huggingFace] = layouts
const expected = fmaeParameters({
  ...{ imageSize: 32, patchSize: 8, width: 16, depth: 2, heads: 2, mlpRatio: 1, layerNormEps: 1e-6 },
  ...{ decoderWidth: 8, decoderDepth: 1, decoderHeads: 2, maskRatio: 0.75, normPix: true },
})

t.test('each file has one layout', async (t) => {
  const names = (file: string) => tensorsOf(file).map(({ name }) => name)
  t.same(layoutOf(names('fmae.pth')), [reference])
  t.same(layoutOf(names('huggingFace.pth')), [huggingFace])
  t.same(layoutOf(names('varied.pth')), [])
})

for (const [file, layout] of [
  ['fmae.pth', reference],
  ['huggingFace.pth', huggingFace],
] as const)
  t.test(`the tensors of ${file} become exactly those of the model`, async (t) => {
    const tensors = tensorsOf(file)
    const { parts, leftOut } = layout.translate(tensors)
    t.same(leftOut, [])
    const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]))
    const made = parts.map(({ name, from }): [string, number[]] => {
      const [first, ...others] = from.map((source) => shapes.get(source)!)
      const rows = others.reduce((sum, shape) => sum + shape[0], first[0])
      return [name, [rows, ...first.slice(1)]]
    })
    t.strictSame(new Map(made), new Map(expected.map(({ name, shape }) => [name, [...shape]])))
    t.equal(parts.length, expected.length)
    t.same(parts.flatMap(({ from }) => from).sort(), tensors.map(({ name }) => name).sort())
  })

t.test('query, key and value are put together in this order, whatever the order of the file', async (t) => {
  const prefix = 'vit.encoder.layer.1.attention.attention'
  const tensors = tensorsOf('huggingFace.pth')
  fc.assert(
    fc.property(fc.shuffledSubarray(tensors, { minLength: tensors.length }), (shuffled) => {
      const { parts } = huggingFace.translate(shuffled)
      const from = (name: string) => parts.find((part) => part.name === name)?.from
      for (const kind of ['weight', 'bias'])
        t.same(
          from(`blocks.1.attn.qkv.${kind}`),
          ['query', 'key', 'value'].map((third) => `${prefix}.${third}.${kind}`),
        )
    }),
    { numRuns: 20 },
  )
})

t.test(
  "Hugging Face's other models are translated: without prefix, with a classifier, with a pooler",
  async (t) => {
    const names = [
      'embeddings.cls_token',
      'embeddings.patch_embeddings.projection.weight',
      'encoder.layer.11.attention.output.dense.bias',
      'encoder.layer.11.output.dense.bias',
      'layernorm.bias',
      'classifier.weight',
      'pooler.dense.weight',
      'vit.pooler.dense.bias',
    ]
    const { parts, leftOut } = huggingFace.translate(names.map((name) => ({ name, shape: [1] })))
    t.same(
      parts.map(({ name }) => name),
      [
        'cls_token',
        'patch_embed.proj.weight',
        'blocks.11.attn.proj.bias',
        'blocks.11.mlp.fc2.bias',
        'norm.bias',
        'head.weight',
      ],
    )
    t.same(
      leftOut.map(({ name }) => name),
      ['pooler.dense.weight', 'vit.pooler.dense.bias'],
    )
  },
)

t.test('wrappers are taken off names, and nothing else', async (t) => {
  const own = [
    ...['head.weight', 'norm.bias', 'fc_norm.weight', 'cls_token', 'pos_embed', 'blocks.0.norm1.weight'],
    ...['AU_head.bias', 'ID_head2.weight', 'mask_token', 'decoder_embed.bias', 'decoder_blocks.0.norm1.bias'],
    ...[
      'vit.embeddings.cls_token',
      'decoder.mask_token',
      'encoder.layer.0.output.dense.bias',
      'layernorm.bias',
    ],
    ...['embeddings.cls_token', 'pooler.dense.bias', 'classifier.weight', 'patch_embed.proj.bias'],
  ]
  for (const name of own) {
    t.equal(unwrappedName(name), name)
    for (const wrapper of ['module.', 'model.', '_orig_mod.', 'module._orig_mod.', 'model.module.'])
      t.equal(unwrappedName(wrapper + name), name)
  }
  for (const name of ['backbone.blocks.0.norm1.bias', 'encoder.blocks.0.norm1.bias'])
    t.equal(unwrappedName(name), 'blocks.0.norm1.bias')
  for (const name of ['', 'module.', 'queue', 'model.text.proj', 'encoder.layer.0.norm1.bias', 'model'])
    t.equal(unwrappedName(name), name)
})
