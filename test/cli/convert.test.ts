import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { interpolatePositions } from '../../src/model/weights/interpolatePositions.js'
import { readInfo } from '../../src/train/checkpoint/checkpoint.js'
import { readSafetensors, writeSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'
import { root, runProgram } from './program.js'
import { tinyMembers, writeFaces } from './tinyFaces.js'

// Weights that other programs wrote become checkpoints of this one, bit for bit, and nothing is guessed in silence.

const weights = join(root, 'test', 'fixtures', 'weights')
const old = join(root, 'test', 'fixtures', '0.2.0')
const folder = t.testdir()
const at = (name: string) => join(folder, name)
const heads = ['--heads', '2', '--decoder-heads', '2']

/** Values as float32 in PyTorch, by file and tensor; tools/makeWeightFixtures.py wrote them. */
const golden = readFileSync(join(weights, 'golden.tsv'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.split('\t'))

function digest(data: ArrayBufferView): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}

/** Every tensor of the fixture `fmae.pth` is in the file, to the last bit, and no other. */
async function isTinyFmae(t: Test, path: string): Promise<void> {
  const { tensors } = await readSafetensors(path)
  const expected = golden.filter(([file]) => file === 'fmae.pth')
  t.same([...tensors.keys()].sort(), expected.map(([, name]) => name).sort())
  for (const [, name, shape, , , hash] of expected) {
    const tensor = tensors.get(name)!
    t.equal(tensor.shape.join(), shape, name)
    t.equal(digest(tensor.data), hash, name)
  }
}

async function converted(t: Test, input: string, out: string, ...flags: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(['convert', input, at(out), ...flags])
  t.equal(code, 0, stderr)
  return stdout
}

t.test('a checkpoint of the FMAE authors, in both formats of torch.save', async (t) => {
  for (const name of ['fmae', 'legacy']) {
    const said = await converted(t, join(weights, `${name}.pth`), `${name}.safetensors`, ...heads)
    t.match(said, /heads +2 +--heads/)
    t.match(said, /targets are normalized patches +true +norm_pix_loss of the file/)
    t.match(said, 'Taken: 50 tensors\n')
    t.match(said, 'Not weights: optimizer, epoch 49, scaler, args')
    await isTinyFmae(t, at(`${name}.safetensors`))
    const info = readInfo(await readSafetensors(at(`${name}.safetensors`)), name)
    t.match(info, { kind: 'fmae', standardise: 'imagenet', step: 0, config: { imageSize: 32, heads: 2 } })
  }
})

t.test('names of Hugging Face: query, key and value become one tensor', async (t) => {
  const said = await converted(t, join(weights, 'huggingFace.pth'), 'hf.safetensors', ...heads)
  t.match(said, /epsilon of layer norms +1e-12 +default of Hugging Face/)
  await isTinyFmae(t, at('hf.safetensors'))
})

t.test('a folder of the hub: shards by their index, heads and epsilon from config.json', async (t) => {
  const { tensors } = await readSafetensors(at('fmae.safetensors'))
  mkdirSync(at('hub'))
  const names = [...tensors.keys()]
  const shard = (name: string) => `model-0000${1 + (names.indexOf(name) % 2)}-of-00002.safetensors`
  for (const file of new Set(names.map(shard)))
    await writeSafetensors(
      join(at('hub'), file),
      new Map([...tensors].filter(([name]) => shard(name) === file)),
    )
  const index = { weight_map: Object.fromEntries(names.map((name) => [name, shard(name)])) }
  writeFileSync(join(at('hub'), 'model.safetensors.index.json'), JSON.stringify(index))
  const config = { num_attention_heads: 2, decoder_num_attention_heads: 2, layer_norm_eps: 1e-5 }
  writeFileSync(join(at('hub'), 'config.json'), JSON.stringify(config))
  const said = await converted(t, at('hub'), 'hub.safetensors')
  t.match(said, /heads +2 +num_attention_heads of the file/)
  t.match(said, /epsilon of layer norms +0.00001 +layer_norm_eps of the file/)
  await isTinyFmae(t, at('hub.safetensors'))
  const { code, stderr } = await runProgram(['convert', at('hub'), at('other.safetensors'), '--heads', '4'])
  t.equal(code, 1)
  t.match(stderr, 'hub: --heads is 4, but num_attention_heads of the file is 2')
})

t.test('a position table of another size is interpolated, and that is said', async (t) => {
  const said = await converted(
    t,
    join(weights, 'fmae.pth'),
    'large.safetensors',
    ...heads,
    '--image-size',
    '56',
  )
  t.match(said, /image size +56 +--image-size; positions are interpolated from 32 px/)
  const before = await readSafetensors(at('fmae.safetensors'))
  const after = await readSafetensors(at('large.safetensors'))
  for (const [name, width] of [
    ['pos_embed', 16],
    ['decoder_pos_embed', 8],
  ] as const) {
    const table = before.tensors.get(name)!.data as Float32Array
    t.same(after.tensors.get(name)!.data, interpolatePositions(table, width, 4, 7))
  }
})

t.test('a checkpoint of this program converts to its weights alone', async (t) => {
  const input = join(old, 'fmae', 'checkpoint.safetensors')
  const said = await converted(t, input, 'own.safetensors')
  t.match(said, /heads +2 +heads of the file/)
  t.match(said, /standardise +highpass +standardise of the file/)
  t.match(said, /Left out: \d+ tensors, state of the optimizer \(exp_avg\.cls_token, /)
  const [before, after] = [await readSafetensors(input), await readSafetensors(at('own.safetensors'))]
  for (const [name, { data }] of after.tensors) t.same(data, before.tensors.get(name)!.data, name)
  t.notOk([...after.tensors.keys()].some((name) => name.startsWith('exp_avg')))
})

t.test(
  'folders for Hugging Face and timm: names and sizes are theirs, and they come back to the last bit',
  async (t) => {
    const said = await converted(t, join(weights, 'fmae.pth'), 'hf-folder', ...heads, '--to', 'hf')
    t.match(said, /Saved .*hf-folder\n$/)
    const config = JSON.parse(readFileSync(join(at('hf-folder'), 'config.json'), 'utf8'))
    t.match(config, {
      hidden_size: 16,
      num_attention_heads: 2,
      intermediate_size: 16,
      decoder_hidden_size: 8,
    })
    const names = golden.filter(([file]) => file === 'huggingFace.pth').map(([, name]) => name)
    const written = await readSafetensors(join(at('hf-folder'), 'model.safetensors'))
    t.same([...written.tensors.keys()].sort(), names.sort())
    await converted(t, at('hf-folder'), 'back.safetensors')
    await isTinyFmae(t, at('back.safetensors'))

    await converted(t, join(weights, 'fmae.pth'), 'timm', ...heads, '--to', 'timm', '--encoder-only')
    const encoder = await readSafetensors(join(at('timm'), 'model.safetensors'))
    const before = await readSafetensors(at('fmae.safetensors'))
    for (const [name, { data }] of encoder.tensors) t.same(data, before.tensors.get(name)!.data, name)

    for (const [input, flags, message] of [
      [
        join(weights, 'fmae.pth'),
        [...heads, '--to', 'timm'],
        /timm has no masked autoencoder; add --encoder-only/,
      ],
      [
        join(old, 'fmae', 'checkpoint.safetensors'),
        ['--to', 'hf'],
        /normalized by highpass, which other programs/,
      ],
      [
        join(weights, 'huggingFace.pth'),
        [...heads, '--encoder-only', '--to', 'timm'],
        /epsilon 1e-12; those of timm/,
      ],
      [
        join(weights, 'fmae.pth'),
        [...heads, '--encoder-only', '--to', 'hf'],
        /an encoder only; use --to timm/,
      ],
    ] as const) {
      const { code, stderr } = await runProgram(['convert', input, at('none'), ...flags])
      t.equal(code, 1)
      t.match(stderr, message)
      t.notOk(existsSync(at('none')))
    }
  },
)

t.test('weights in half precision load as the nearest halves', async (t) => {
  await converted(t, join(weights, 'fmae.pth'), 'half.safetensors', ...heads, '--to', 'f16')
  const [whole, half] = [
    await readSafetensors(at('fmae.safetensors')),
    await readSafetensors(at('half.safetensors')),
  ]
  for (const [name, { data, type }] of half.tensors) {
    t.equal(type, 'F16')
    const exact = whole.tensors.get(name)!.data
    t.ok(
      data.every((value, i) => Math.abs(value - exact[i]) <= Math.abs(exact[i]) * 2 ** -11 + 2 ** -25),
      name,
    )
  }
})

t.test('a classifier keeps its scores, with the AUs and λ that the user states', async (t) => {
  const input = join(old, 'iat', 'checkpoint.safetensors')
  const file = await readSafetensors(input)
  const { aus, config, standardise } = file.metadata
  const bare = new Map([...file.tensors].filter(([name]) => !name.startsWith('exp_avg')))
  await writeSafetensors(at('bare.safetensors'), bare)
  const { heads, lambda } = JSON.parse(config)
  const flags = ['--aus', JSON.parse(aus).join(','), '--lambda', String(lambda), '--heads', String(heads)]
  await converted(t, at('bare.safetensors'), 'classifier.safetensors', ...flags, '--standardise', standardise)
  const faces = await writeFaces(at('faces'), await tinyMembers())
  const scores: unknown[] = []
  for (const checkpoint of [input, at('classifier.safetensors')]) {
    const json = at(`scores${scores.length}.json`)
    const { code, stderr } = await runProgram([
      'evaluate',
      '--checkpoint',
      checkpoint,
      '--data',
      faces,
      '--json',
      json,
    ])
    t.equal(code, 0, stderr)
    scores.push(JSON.parse(readFileSync(json, 'utf8')))
  }
  t.same(scores[1], scores[0])
})

t.test('--from takes weights of other programs, and interpolates their positions', async (t) => {
  const file = await readSafetensors(join(old, 'fmae', 'checkpoint.safetensors'))
  await writeSafetensors(at('foreign.safetensors'), file.tensors)
  const run = '--batch-size 4 --epochs 1 --warmup-epochs 0 --no-tune'.split(' ')
  const sizes = '--patch-size 8 --width 16 --depth 1 --heads 2 --image-size'.split(' ')
  const finetune = (from: string, imageSize: string, out: string) =>
    runProgram([
      'finetune',
      '--from',
      from,
      '--data',
      at('faces'),
      ...sizes,
      imageSize,
      ...run,
      '--out',
      at(out),
    ])
  const good = await finetune(at('foreign.safetensors'), '64', 'run')
  t.equal(good.code, 0, good.stderr)
  t.match(good.stdout, 'standardise was imagenet in its training and is highpass in this run')
  t.match(good.stdout, 'position embeddings are interpolated from 4×4 to 8×8 patches (32 to 64 px)')
  t.match(good.stdout, /loaded \d+ tensors; newly initialized: head\.weight, head\.bias, fc_norm/)
  const bad = await finetune(join(weights, 'fmae.pth'), '32', 'bad')
  t.equal(bad.code, 1)
  t.match(
    bad.stderr,
    /--from .*fmae\.pth: tensor blocks\.0\.mlp\.fc1\.weight has shape .*; the model expects/,
  )
})

t.test('what a file does not say is asked for, and nothing is written', async (t) => {
  const classifier = at('bare.safetensors')
  for (const [input, flags, message] of [
    [join(weights, 'fmae.pth'), [], /fmae\.pth: heads: not stated in the file; add --heads$/],
    [
      join(weights, 'fmae.pth'),
      ['--heads', '2'],
      /decoder heads: not stated in the file; add --decoder-heads$/,
    ],
    [
      classifier,
      ['--heads', '2'],
      /its head has 3 outputs, but it does not name their AUs; add --aus, such as/,
    ],
    [classifier, ['--heads', '2', '--aus', '1,2'], /its head has 3 outputs, but --aus lists 2 AUs$/],
    [
      join(weights, 'torchScript.pth'),
      heads,
      /torchScript\.pth: a TorchScript program; expected weights\. Save them/,
    ],
    [join(weights, 'varied.pth'), heads, /varied\.pth: no encoder block of a ViT\. Expected names such as/],
    [join(root, 'README.md'), heads, /README\.md: not a safetensors file/],
    [at('absent.pth'), heads, /absent\.pth: no such file or folder$/],
    [at('faces'), heads, /faces: no weights; expected model\.safetensors or/],
  ] as const) {
    const { code, stdout, stderr } = await runProgram(['convert', input, at('never.safetensors'), ...flags])
    t.equal(code, 1, input)
    t.match(stderr.trim(), message)
    t.equal(stderr.trim().split('\n').length, 1, stderr)
    t.notOk(existsSync(at('never.safetensors')), stdout)
  }
  const again = await runProgram(['convert', join(weights, 'fmae.pth'), at('fmae.safetensors'), ...heads])
  t.match(again.stderr, /fmae\.safetensors already exists; choose another name/)
})
