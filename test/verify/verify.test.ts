import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { verify } from '../../src/cli/commands/verify.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { readSafetensors, writeSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'

// Golden files made by tools/makeGolden.py with PyTorch pass; whatever is wrong with one is said by name.

const fmae = 'test/golden/fmae.safetensors'
const classifier = 'test/golden/classifier.safetensors'
const options = { tolerance: 1e-4 }
const folder = await mkdtemp(join(tmpdir(), 'fmae-verify-'))
t.teardown(() => rm(folder, { recursive: true }))

async function quietly(files: string[], settings = options): Promise<{ code: number; text: string }> {
  const { log } = console
  const lines: string[] = []
  console.log = (line: string) => lines.push(line)
  try {
    return { code: await verify(files, settings), text: lines.join('\n') }
  } finally {
    console.log = log
  }
}

/** Writes a changed copy of a golden file and gives its path. */
async function changed(file: string, change: (content: SafetensorsFile) => void): Promise<string> {
  const content = await readSafetensors(file)
  const copy = { tensors: new Map(content.tensors), metadata: { ...content.metadata } }
  change(copy)
  const path = join(folder, 'changed.safetensors')
  await writeSafetensors(path, copy.tensors, copy.metadata)
  return path
}

function config(change: object) {
  return ({ metadata }: SafetensorsFile) => {
    Object.assign(metadata, { config: JSON.stringify({ ...JSON.parse(metadata.config), ...change }) })
  }
}

t.test('the committed files pass: outputs, gradients, losses and weights of three AdamW steps', async (t) => {
  const { code, text } = await quietly([fmae, classifier])
  t.equal(code, 0, text)
  for (const group of ['pred', 'mask', 'id_logits', 'g.*', 'losses', 'after.*'])
    t.ok(text.includes(group), `${group} is in the table`)
})

t.test('a file of 0.2.0 calls the classifier iat: it is read as before', async (t) => {
  const old = await changed(classifier, ({ metadata }) => Object.assign(metadata, { kind: 'iat' }))
  t.equal((await quietly([old])).code, 0)
})

t.test('a number that differs fails with exit code 1, and its tensor is named', async (t) => {
  for (const name of ['g.blocks.1.attn.qkv.weight', 'after.cls_token', 'pred', 'mask', 'losses']) {
    const path = await changed(fmae, ({ tensors }) => {
      const { shape, data } = tensors.get(name)!
      const values = Float32Array.from(data)
      values[0] = values[0] * 1.1 + 0.01
      tensors.set(name, { shape, data: values })
    })
    const { code, text } = await quietly([path])
    t.equal(code, 1, name)
    t.match(text, /FAIL/)
    const shown = name.replace(/^(g|after)\./, '')
    t.ok(
      text.split('\n').some((line) => line.includes('FAIL') && line.includes(shown)),
      `${name} is named`,
    )
  }
})

t.test('the tolerance is the user’s', async (t) => {
  t.equal((await quietly([classifier], { tolerance: 1e-12 })).code, 1)
})

t.test('a file that is not whole or not golden is refused with the reason', async (t) => {
  const wrong: [string, string, (content: SafetensorsFile) => void, RegExp][] = [
    [
      'a weight is missing',
      fmae,
      ({ tensors }) => tensors.delete('w.norm.weight'),
      /missing: w\.norm\.weight/,
    ],
    [
      'a gradient is missing',
      classifier,
      ({ tensors }) => tensors.delete('g.head.bias'),
      /missing: g\.head\.bias/,
    ],
    ['an output is missing', classifier, ({ tensors }) => tensors.delete('id_loss'), /missing: id_loss/],
    [
      'a name is wrong',
      fmae,
      rename('w.norm.bias', 'w.norm.offset'),
      /missing: w\.norm\.bias; unknown: w\.norm\.offset/,
    ],
    ['a shape is wrong', fmae, config({ patchSize: 8 }), /tensor \S+ is \[.*\]; the config expects \[/],
    ['NaN', fmae, setFirst('imgs', Number.NaN), /tensor imgs: value 0 is NaN/],
    [
      'no kind',
      fmae,
      ({ metadata }) => delete (metadata as Record<string, string>).kind,
      /"kind" is missing/,
    ],
    ['unknown kind', fmae, ({ metadata }) => Object.assign(metadata, { kind: 'gan' }), /"kind" is "gan"/],
    [
      'no config',
      classifier,
      ({ metadata }) => delete (metadata as Record<string, string>).config,
      /"config" is missing/,
    ],
    [
      'config is no JSON',
      classifier,
      ({ metadata }) => Object.assign(metadata, { config: '{' }),
      /"config" is invalid JSON/,
    ],
    ['config field', classifier, config({ heads: 0 }), /config\.heads/],
    [
      'more blocks than any model',
      classifier,
      config({ depth: 3e6 }),
      /config: depth 3000000 is more than 1000 blocks/,
    ],
    [
      'more blocks than it holds',
      classifier,
      config({ depth: 900 }),
      /config: the model has at least [\d,]+ weights/,
    ],
    ['places for larger images', fmae, config({ imageSize: 16e6 }), /config: the model has at least/],
    ['impossible sizes', classifier, config({ heads: 3 }), /width 16 is not a multiple of heads 3/],
    [
      'optimizer field',
      classifier,
      ({ metadata }) => Object.assign(metadata, { optimizer: '{"lrs":[]}' }),
      /optimizer\.lrs/,
    ],
    ['subject out of range', classifier, setFirst('ids', 7), /ids contains 7; expected subjects 0 to 6/],
    [
      'too few steps',
      classifier,
      ({ tensors }) => tensors.set('losses', { shape: [1], data: new Float32Array(1) }),
      /tensor losses is \[1\]; the config expects \[3\]/,
    ],
  ]
  for (const [what, file, change, message] of wrong) {
    const path = await changed(file, change)
    await t.rejects(quietly([path]), { name: 'UserError', message }, what)
  }
})

function rename(from: string, to: string) {
  return ({ tensors }: SafetensorsFile) => {
    tensors.set(to, tensors.get(from)!)
    tensors.delete(from)
  }
}

function setFirst(name: string, value: number) {
  return ({ tensors }: SafetensorsFile) => {
    const { shape, data } = tensors.get(name)!
    const values = data.slice()
    values[0] = value
    tensors.set(name, { shape, data: values })
  }
}

t.test('a truncated file and a missing file are refused', async (t) => {
  const bytes = await readFile(fmae)
  const path = join(folder, 'short.safetensors')
  await writeFile(path, bytes.subarray(0, bytes.length / 2))
  await t.rejects(quietly([path]), { name: 'UserError', message: /truncated/ })
  await t.rejects(quietly([join(folder, 'none.safetensors')]), {
    name: 'UserError',
    message: /none\.safetensors/,
  })
})
