import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readSafetensors, writeSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'
import { runProgram } from './program.js'
import { tinyAus, tinyEncoder, tinyFolds, tinyMembers, tinyModel, writeFaces } from './tinyFaces.js'

const folder = t.testdir()
const members = await tinyMembers()
const faces = await writeFaces(join(folder, 'faces'), members)
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
  const printed = await succeeds(t, args)
  t.match(
    printed,
    /^FMAE nano with imageSize 32, width 16, depth 2, heads 2, decoderWidth 16, decoderHeads 2: /m,
  )
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
  t.match(text, /loaded 28 tensors; newly initialized: .*ID_head\.weight/)
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
      t.match(text, /4 subjects, 24 images from tiny faces/)
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

  await t.test('not of other people, who would be dealt out otherwise', async (t) => {
    const keys = Object.keys(members).filter((name) => Number(name.slice(0, 3)) % 4 !== 0)
    const withoutAnn = Object.fromEntries(keys.map((name) => [name, members[name]]))
    const fewer = await writeFaces(out('fewer'), withoutAnn)
    rmSync(join(fewer, 'folds.json'))
    const { code, stderr } = await runProgram(evaluated.with(4, fewer))
    t.equal(code, 1)
    t.match(
      stderr,
      /4 people, sha256 .*; now 2 folds, 3 people, .*Expected the subjects and folds of the fine-tuning/,
    )
  })

  await t.test('an older checkpoint only knows how many people there were', async (t) => {
    const { tensors, metadata } = await readSafetensors(checkpoint('own'))
    const { folds, ...older } = metadata
    await writeSafetensors(out('older.safetensors'), tensors, older)
    const asked = evaluated.with(2, out('older.safetensors'))
    t.match(await succeeds(t, asked), /does not store its folds, so they cannot be checked/)
    const { stderr } = await runProgram(asked.with(4, out('fewer')))
    t.match(stderr, /\(4 people; now 2 folds, 3 people/)
  })
})

t.test('evaluate says whose pictures they are', async (t) => {
  const of = (...more: string[]) =>
    succeeds(t, ['evaluate', '--checkpoint', checkpoint('iat'), '--data', faces, ...more])
  t.match(await of(), /Evaluating all images, including those of training subjects/)
  t.match(
    await of('--test-fold', 'fold1'),
    /the classifier was trained on fold1, so its subjects are seen subjects/,
  )
  t.notMatch(await of('--test-fold', 'fold3'), /trained on/)
})

t.test('weights that PyTorch saved of a wrapped model are taken by their own names', async (t) => {
  const { tensors } = await readSafetensors(checkpoint('fmae'))
  const still = '--batch-size 6 --epochs 1 --base-learning-rate 0 --minimum-learning-rate 0'.split(' ')
  for (const prefix of ['module.', '_orig_mod.module.']) {
    const wrapped = [...tensors].map(([name, tensor]) => [prefix + name, tensor] as const)
    const file = out(`${prefix}safetensors`)
    await writeSafetensors(file, new Map(wrapped))
    const args = ['finetune', '--data', faces, '--from', file, '--out', out(prefix), ...tinyEncoder, ...still]
    await succeeds(t, args)
    const loaded = (await readSafetensors(checkpoint(prefix))).tensors
    t.same(loaded.get('blocks.1.mlp.fc2.weight'), tensors.get('blocks.1.mlp.fc2.weight'))
  }
})

t.test('what finetune takes over from a fine-tuned checkpoint', async (t) => {
  const still = '--batch-size 6 --epochs 1 --base-learning-rate 0 --minimum-learning-rate 0'.split(' ')
  const from = ['--from', checkpoint('iat'), '--lambda', '1', ...tinyEncoder, ...still]
  const before = (await readSafetensors(checkpoint('iat'))).tensors
  /** Which of the tensors start as they are in the checkpoint. */
  const kept = async (name: string, data: string, ...more: string[]) => {
    await succeeds(t, ['finetune', '--data', data, '--out', out(name), ...from, ...more])
    const { tensors } = await readSafetensors(checkpoint(name))
    return ['blocks.1.mlp.fc2.weight', 'head.weight', 'ID_head.weight'].filter((tensor) =>
      Buffer.from(before.get(tensor)!.data.buffer).equals(Buffer.from(tensors.get(tensor)!.data.buffer)),
    )
  }
  const all = ['blocks.1.mlp.fc2.weight', 'head.weight', 'ID_head.weight']
  t.same(await kept('same', faces), all, 'the same AUs and people: all')
  t.same(await kept('order', faces, '--aus', '2,1,12'), [all[0], all[2]], 'other AUs: not the AU head')
  const renamed = Object.entries(members).map(([name, content]) => [
    name,
    typeof content === 'string' ? content.replace('"ann"', '"zoe"') : content,
  ])
  const [first, ...rest] = tinyFolds.folds
  const folds = { folds: [{ ...first, subjects: ['bob', 'zoe'] }, ...rest] }
  const others = await writeFaces(out('others'), Object.fromEntries(renamed), folds)
  t.same(await kept('people', others), [all[0], all[1]], 'other people: not the identity head')
})
