import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { streams } from '../../src/data/streams.js'
import { streamOf } from '../../src/engine/parameters.js'
import { classifierParameters } from '../../src/model/auClassifier.js'
import { fmaeParameters } from '../../src/model/fmae.js'
import { presets } from '../../src/model/presets.js'
import { classifierConfig } from '../../src/train/modelConfig.js'
import { fineTuneDefaults } from '../../src/train/settings.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

t.test('no two users of a seed share a stream of random numbers', async (t) => {
  const numbers = Object.values(streams)
  t.equal(new Set(numbers).size, numbers.length)
  const settings = fineTuneDefaults({ lambda: 1, idHeadLayers: 3 })
  const names = Object.values(presets).flatMap((preset) => [
    ...fmaeParameters(preset),
    ...classifierParameters(classifierConfig(preset, { aus: 12, subjects: 41 }, settings)),
  ])
  const ofParameters = new Set(names.map(({ name }) => streamOf(name)))
  t.equal(
    ofParameters.size,
    new Set(names.map(({ name }) => name)).size,
    'parameters have streams of their own',
  )
  t.notOk(numbers.some((number) => ofParameters.has(number)))
})

t.test('every stream of a run is in the list', async (t) => {
  const files = execFileSync('git', ['ls-files', 'src/data', 'src/train', 'src/report', 'demo'], {
    cwd: root,
  })
    .toString()
    .split('\n')
    .filter((path) => /\.tsx?$/.test(path))
  const strangers = files.flatMap((path) => {
    const uses =
      readFileSync(join(root, path), 'utf8').match(/new (?:PhiloxStream|RandomState)\([^)]*\)/g) ?? []
    return uses.filter((use) => !use.includes('streams.')).map((use) => `${path}: ${use}`)
  })
  t.same(strangers, [])
})
