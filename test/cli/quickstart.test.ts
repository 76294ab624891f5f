import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mainJobData } from '../../src/data/faces.js'
import { openImageSet } from '../../src/data/openImageSet.node.js'
import { parseReport } from '../../src/report/reportSchema.js'
import { RunningProgram, root, runProgram } from './program.js'

const out = join(t.testdir({}), 'run')
const tiny = ['quickstart', '--budget', 'tiny', '--out', out]

t.test('Ctrl-C after the last training stops the job, and --resume brings it to its end', async (t) => {
  const run = new RunningProgram(tiny)
  await run.until(() => existsSync(join(out, 'fmae-iat', 'stage.jsonl')))
  run.signal('SIGINT')
  const stopped = await run.ended
  t.equal(stopped.code, 130, stopped.stderr)
  t.match(stopped.stdout, /To continue, run the same command with --resume --out/)
  t.notOk(existsSync(join(out, 'report.html')))
  const resumed = await runProgram([...tiny, '--resume'])
  t.equal(resumed.code, 0, resumed.stderr)
  t.match(resumed.stdout, /fmae-iat.*: already finished, reused/)
})

t.test('it has written a report that fits the schema, and checkpoints', async (t) => {
  const report = parseReport(JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')))
  t.same(
    report.finetune.map(({ name }) => name),
    ['scratch', 'fmae', 'fmae-iat'],
  )
  t.equal(report.data.subjects, 168)
  t.ok(report.pretrain.lossLast < report.pretrain.lossFirst, 'pretraining lowered the loss')
  t.match(readFileSync(join(out, 'report.html'), 'utf8'), /FMAE/)
  for (const stage of ['fmae-pretrain', 'scratch', 'fmae', 'fmae-iat']) {
    t.ok(readFileSync(join(out, stage, 'checkpoint.safetensors')).length > 0, stage)
  }
})

t.test('a finished stage is not passed off as one with other settings or people', async (t) => {
  const again = await runProgram(tiny)
  t.equal(again.code, 1)
  t.match(again.stderr, /already contains a run; add --resume/)
  const otherLambda = await runProgram([...tiny, '--resume', '--lambda', '5'])
  t.equal(otherLambda.code, 1)
  t.match(otherLambda.stderr, /lambda/)
  const otherFold = await runProgram([...tiny, '--resume', '--test-fold', 'fold2'])
  t.equal(otherFold.code, 1, 'nobody is tested on whom a finished stage trained on')
  t.match(otherFold.stderr, /fmae-pretrain.*: the images or labels have changed/)
})

t.test('no test subject is trained on, and images of seen subjects are held out', async (t) => {
  const faces = await openImageSet(join(root, 'data', 'faces'))
  for (const testFold of ['fold2', 'fold3'] as const) {
    const { set, train, seen, unseen, pretrain } = mainJobData(faces, testFold, 0)
    const subjects = (indices: Uint32Array) =>
      new Set(Array.from(indices, (index) => set.sample(index).subject))
    const tested = subjects(unseen)
    t.notOk([...subjects(train), ...subjects(pretrain)].some((subject) => tested.has(subject)))
    t.same([...subjects(seen)].sort(), [...subjects(train)].sort(), 'seen subjects are the training subjects')
    const trained = new Set([...train, ...pretrain])
    t.notOk(
      Array.from(seen).some((index) => trained.has(index)),
      'their held-out pictures are nowhere in training',
    )
  }
})
