import t from 'tap'
import type * as z from 'zod'
import { openDevice } from '../../src/engine/device.js'
import { type PresetName, presets } from '../../src/model/presets.js'
import { encodeCheckpoint, restoreCheckpoint } from '../../src/train/checkpoint/checkpoint.js'
import { decodeSafetensors, encodeSafetensors } from '../../src/train/checkpoint/safetensors.js'
import { fmaeConfig, vitConfig } from '../../src/train/modelConfig.js'
import { fineTuneRecipes, pretrainRecipes } from '../../src/train/recipes.js'
import {
  comparedFields,
  type FieldNotes,
  fineTuneDefaults,
  fineTuneSettings,
  pretrainDefaults,
  pretrainSettings,
} from '../../src/train/settings.js'
import { noiseAus } from './noiseImages.js'
import { noiseFineTuning, tinyClassifier } from './noiseRuns.js'

const runtime = await openDevice()
t.teardown(() => runtime.close())

t.test('every setting has a default or is left to the data, a group, and a help text', async (t) => {
  for (const schema of [pretrainSettings, fineTuneSettings]) {
    t.ok(schema.safeParse({}).success)
    for (const [name, field] of Object.entries(schema.shape)) {
      const notes = (field as z.ZodType).meta() as Partial<FieldNotes> | undefined
      t.ok(notes?.group && notes.description, name)
    }
  }
})

t.test('a preset that does not exist is refused by name', async (t) => {
  for (const preset of ['huge', 'constructor', undefined] as unknown as PresetName[]) {
    const wanted = {
      name: 'UserError',
      message: `preset: expected one of nano, vit-s, vit-b, vit-l, got "${preset}"`,
    }
    t.throws(() => vitConfig({ ...fineTuneDefaults(), preset }), wanted)
    t.throws(() => fmaeConfig({ ...pretrainDefaults(), preset }), wanted)
  }
})

t.test('recipes are settings', async (t) => {
  for (const recipe of Object.values(pretrainRecipes)) t.doesNotThrow(() => pretrainDefaults(recipe))
  for (const recipe of Object.values(fineTuneRecipes)) t.doesNotThrow(() => fineTuneDefaults(recipe))
  t.throws(() => pretrainDefaults({ nothing: 1 } as object), /nothing/)
})

/** A checkpoint of a run with `settings`, its stored settings changed by `edit`. */
async function checkpointOf(settings: object, edit: (stored: Record<string, unknown>) => void) {
  const run = noiseFineTuning(runtime, tinyClassifier, { batchSize: 2, ...settings })
  const info = {
    config: tinyClassifier,
    settings: fineTuneDefaults({ lambda: 1, batchSize: 2, testFold: 'fold3', ...settings }),
    aus: noiseAus,
  }
  const file = decodeSafetensors(Buffer.concat([...(await encodeCheckpoint('x', run, info, {}))]), 'x')
  const stored = JSON.parse(file.metadata.options)
  edit(stored)
  const metadata = { ...file.metadata, options: JSON.stringify(stored) }
  const edited = decodeSafetensors(Buffer.concat([...encodeSafetensors(file.tensors, metadata)]), 'x')
  return () => restoreCheckpoint(edited, 'x', run, info)
}

t.test('a checkpoint from before a setting existed resumes with the default', async (t) => {
  t.doesNotThrow(
    await checkpointOf({}, (stored) => {
      delete stored.idHeadLearningRateScale
      delete stored.precision
    }),
  )
  const other = await checkpointOf({ precision: 'f32', clipGradient: 1 }, (stored) => {
    delete stored.clipGradient
  })
  t.throws(other, { message: /clipGradient is 0 in the checkpoint and 1 in this run/ })
})

t.test('what 0.2.0 stored beside the settings, such as paths, is of no account', async (t) => {
  t.doesNotThrow(
    await checkpointOf({}, (stored) => {
      Object.assign(stored, { data: 'elsewhere', out: 'runs/old', debug: true, removedSince: 1 })
      // It left the last fold to the data, whose digests are compared.
      delete stored.testFold
    }),
  )
})

t.test('settings that change the numbers must agree', async (t) => {
  for (const [name, value] of Object.entries({ seed: 1, testFold: 'fold1', flip: false, weightDecay: 0.1 })) {
    const restore = await checkpointOf({}, (stored) => {
      stored[name] = value
    })
    t.throws(restore, { message: new RegExp(`: ${name} is .* in the checkpoint`) }, name)
  }
  t.notOk(comparedFields(fineTuneSettings).includes('checkpointActivations'))
})

t.test('model sizes are compared as sizes, not as options', async (t) => {
  t.doesNotThrow(
    await checkpointOf({}, (stored) => {
      Object.assign(stored, { preset: 'vit-l', width: presets.nano.width })
    }),
  )
})
