import { Command } from 'commander'
import t from 'tap'
import { fineTuneOptions, pretrainOptions } from '../../src/cli/options.js'
import { addSchemaOptions, resolveOptions } from '../../src/cli/schemaOptions.js'
import { readers } from '../../src/data/readers/table.js'

function parse(...args: string[]) {
  const command = addSchemaOptions(new Command().exitOverride(), fineTuneOptions)
  command.parse(['--data', 'faces', '--out', 'run', ...args], { from: 'user' })
  return resolveOptions(fineTuneOptions, {}, command.opts())
}

t.test('flags become typed options, the rest are defaults', async (t) => {
  const options = parse('--aus', '6,12', '--lambda', '0.5', '--no-flip', '--preset', 'vit-s')
  t.match(options, { aus: [6, 12], lambda: 0.5, flip: false, preset: 'vit-s', epochs: 8, tune: true })
})

t.test('a list given twice adds up', async (t) => {
  t.same(parse('--aus', '6', '--aus', '12,25').aus, [6, 12, 25])
  t.same(parse('--train-on', 'a', '--train-on', 'b').trainOn, ['a', 'b'])
})

t.test('a text given twice is refused, whatever it is', async (t) => {
  for (const [flag, value] of [
    ['--data', 'other'],
    ['--out', 'run'],
    ['--test-fold', 'fold1'],
  ])
    t.throws(() => parse('--test-fold', 'fold1', flag, value), {
      message: `${flag} is given twice; expected once`,
    })
})

t.test('of a number given twice the last counts, and that is said', async (t) => {
  const said = t.capture(console, 'log')
  t.equal(parse('--epochs', '1', '--epochs', '5').epochs, 5)
  t.equal(parse('--epochs', '5', '--epochs', '5').epochs, 5)
  t.same(
    said().map(({ args }) => args),
    [['Note: --epochs is given as 1 and as 5; the last value is used.']],
  )
})

t.test('--help of --data names every kind of label file and shard that a reader accepts', async (t) => {
  const help = addSchemaOptions(new Command(), fineTuneOptions).helpInformation().replace(/\s+/g, ' ')
  for (const { reads } of readers) t.ok(help.includes(reads), reads)
})

t.test('every option stands under a heading of --help', async (t) => {
  for (const schema of [pretrainOptions, fineTuneOptions]) {
    const help = addSchemaOptions(new Command(), schema).helpInformation()
    const [ungrouped] = help.split(/\n\nData:/)
    t.notMatch(ungrouped, /--[a-z]+-/, 'only --help stands without a heading')
  }
})
