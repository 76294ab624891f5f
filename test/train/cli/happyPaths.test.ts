import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readSafetensors } from '../../../src/train/checkpoint/safetensorsFile.node.js'
import { runProgram } from './program.js'
import { tinyAus, tinyEncoder, tinyMembers, tinyModel, writeFaces } from './tinyFaces.js'

const folder = t.testdir()
const faces = await writeFaces(join(folder, 'faces'), await tinyMembers())
const out = (name: string) => join(folder, name)
const checkpoint = (name: string) => join(folder, name, 'checkpoint.safetensors')
const json = (...path: string[]) => JSON.parse(readFileSync(join(folder, ...path), 'utf8'))
const lines = (...path: string[]) =>
  readFileSync(join(folder, ...path), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

async function succeeds(t: Test, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(args)
  t.equal(code, 0, args[0], { stdout, stderr })
  t.match(stdout, /^(Adapter: .*)$/m, 'says which adapter')
  return stdout
}

t.test('pretrain: checkpoint and log', async (t) => {
  const args = [
    'pretrain',
    '--data',
    faces,
    '--out',
    out('fmae'),
    ...tinyModel,
    '--batch-size',
    '8',
    '--epochs',
    '2',
  ]
  await succeeds(t, args)
  const { tensors, metadata } = await readSafetensors(checkpoint('fmae'))
  t.match(metadata, { format: 'fmae-webgpu/1', kind: 'fmae', step: '6', standardise: 'highpass' })
  t.ok(tensors.has('blocks.1.attn.qkv.weight') && tensors.has('exp_avg_sq.decoder_pred.weight'))
  const log = lines('fmae', 'log.jsonl')
  t.same(
    log.map(({ step }) => step),
    [1, 2, 3, 4, 5, 6],
  )
  t.match(log[5], { epoch: 2, learningRate: Number, imagesPerSecond: Number, loss: Number })
})

t.test('finetune from FMAE with IAT, evaluate, probe', async (t) => {
  const args = [
    'finetune',
    '--data',
    faces,
    '--out',
    out('iat'),
    '--from',
    checkpoint('fmae'),
    '--recipe',
    'nano-iat',
  ]
  const size = [
    ...tinyEncoder,
    '--batch-size',
    '6',
    '--epochs',
    '2',
    '--seen-fraction',
    '0.34',
    '--seed',
    '3',
  ]
  const text = await succeeds(t, [...args, ...size])
  t.match(text, /loaded 28 tensors; new, not in the file: .*ID_head\.weight/)
  const metrics = json('iat', 'metrics.json')
  t.match(metrics, { aus: tinyAus, testFold: 'fold3', f1At05: Number, f1Best: Number, threshold: Number })
  for (const field of ['f1PerAu', 'f1BestPerAu', 'aucPerAu'])
    t.equal(metrics[field].length, tinyAus.length, field)
  t.match(metrics.seen, { f1At05: Number, loss: Number })
  t.match(lines('iat', 'evaluation.jsonl'), [
    { epoch: 1, f1At05: Number },
    { epoch: 2, f1At05: metrics.f1At05 },
  ])
  t.match(lines('iat', 'log.jsonl')[0], { step: 1, loss: Number, au: Number, id: Number })

  await t.test('evaluate repeats the last test of finetune to the bit', async (t) => {
    const file = out('evaluate.json')
    const evaluated = ['evaluate', '--checkpoint', checkpoint('iat'), '--data', faces, '--test-fold', 'fold3']
    await succeeds(t, [...evaluated, '--json', file])
    const { images, ...again } = JSON.parse(readFileSync(file, 'utf8'))
    const { testFold, seen, ...before } = metrics
    t.equal(images, 6)
    t.same(again, before)
  })

  await t.test('probe both checkpoints', async (t) => {
    for (const name of ['fmae', 'iat']) {
      const file = out(`probe-${name}.json`)
      const text = await succeeds(t, [
        'probe',
        '--checkpoint',
        checkpoint(name),
        '--data',
        faces,
        '--json',
        file,
      ])
      t.match(text, /4 people, 24 pictures of tiny faces/)
      const { converged, published, labelsOnly, chance } = JSON.parse(readFileSync(file, 'utf8'))
      for (const share of [converged, published, labelsOnly]) t.ok(share >= 0 && share <= 1)
      t.equal(chance, 0.25)
    }
  })
})

t.test('folds that the data does not bring: evaluate makes those of the fine-tuning', async (t) => {
  const loose = out('loose')
  cpSync(join(faces, 'faces.tar'), join(loose, 'faces.tar'))
  const model = [...tinyEncoder, '--batch-size', '6', '--epochs', '1']
  writeFileSync(out('config.json'), '{ "folds": 2, "clipGradient": 5 }')
  const own = ['--seed', '5', '--test-fold', 'fold1', '--config', out('config.json')]
  await succeeds(t, ['finetune', '--data', loose, '--out', out('own'), ...model, ...own])
  t.match(
    (await readSafetensors(checkpoint('own'))).metadata.options,
    /"clipGradient":5/,
    'the config file counts',
  )
  const file = out('own.json')
  const evaluated = ['evaluate', '--checkpoint', checkpoint('own'), '--data', loose, '--test-fold', 'fold1']
  await succeeds(t, [...evaluated, '--json', file])
  const { images, ...again } = JSON.parse(readFileSync(file, 'utf8'))
  const { testFold, ...before } = json('own', 'metrics.json')
  t.same(again, before)
})
