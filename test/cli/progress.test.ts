import { appendFileSync } from 'node:fs'
import t from 'tap'
import { formatDuration, Progress } from '../../src/cli/progress.js'
import { RunLog } from '../../src/cli/runLog.node.js'

/** Runs 10 of 20 steps of 32 pictures, 4 seconds each, and returns what was written. */
function run(stream: { isTTY?: boolean; columns?: number }): { text: string; rate: number } {
  let time = 0
  let text = ''
  const write = (piece: string) => {
    text += piece
  }
  const progress = new Progress({
    label: 'pretrain',
    total: 25,
    done: 5,
    stream: { ...stream, write },
    now: () => time,
  })
  for (let step = 0; step < 10; step++) {
    time += 4000
    progress.update({ images: 32, training: { epoch: 1, loss: 0.87654, learningRate: 1.5e-4 } })
  }
  const rate = progress.imagesPerSecond
  progress.finish()
  return { text, rate }
}

t.test('in a file the progress is a line every ten seconds', async (t) => {
  const { text, rate } = run({})
  const lines = text.trim().split('\n')
  t.equal(lines.length, 5)
  t.equal(rate, 8)
  t.match(
    lines.at(-1),
    /^pretrain █{12}░{8} 15\/25 {2}epoch 2 {2}loss 0\.8765 {2}lr 1\.50e-4 {2}8\.0 images\/s {2}40s left$/,
  )
})

t.test('on a terminal it is one line that fits', async (t) => {
  const lines = run({ isTTY: true, columns: 40 }).text.split('\r\x1b[K').slice(1)
  t.equal(lines.length, 11)
  for (const line of lines) t.ok(line.trimEnd().length < 40)
})

t.test('a narrow terminal loses the bar before the time left', async (t) => {
  const shown = (columns: number) => run({ isTTY: true, columns }).text.split('\r\x1b[K').at(-1)?.trimEnd()
  t.equal(shown(80), 'pretrain ██████░░░░ 15/25  epoch 2  loss 0.8765  8.0 images/s  40s left')
  t.equal(shown(40), '15/25  loss 0.8765  40s left')
  for (let columns = 20; columns < 130; columns++) t.match(shown(columns), /40s left$/, `${columns} columns`)
})

t.test('durations are short to read', async (t) => {
  t.same([0, 59.6, 185, 7620].map(formatDuration), ['0s', '1m00s', '3m05s', '2h07m'])
})

t.test('a log keeps its lines from run to run and forgives one cut off', async (t) => {
  const path = `${t.testdir()}/log.jsonl`
  t.same(new RunLog(path).read(), [])
  new RunLog(path).write({ step: 1, loss: 0.5 })
  new RunLog(path).write({ step: 2, loss: null })
  appendFileSync(path, '{"step":3,"lo')
  t.same(new RunLog(path).read(), [
    { step: 1, loss: 0.5 },
    { step: 2, loss: null },
  ])
  appendFileSync(path, '\nnull\n[1]\n3\n')
  t.equal(new RunLog(path).read().length, 2, 'nor are rows that are no records')
  new RunLog(path).write({ step: 3 })
  t.same(new RunLog(path).read().at(-1), { step: 3 })
  t.throws(() => new RunLog(`${path}/no`).write({}), { name: 'UserError' })
})
