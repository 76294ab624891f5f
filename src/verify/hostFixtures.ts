import { classifierParameters } from '../model/auClassifier.js'
import type { ClassifierConfig } from '../model/config.js'
import { fmaeParameters } from '../model/fmae.js'
import { countParameters } from '../model/initialisation.js'
import { sinCosPositions } from '../model/positionEmbedding.js'
import { presets } from '../model/presets.js'
import { classifierConfig } from '../train/modelConfig.js'
import { learningRateAt } from '../train/optim/schedule.js'
import { fineTuneDefaults } from '../train/settings.js'
import { type Check, comparisons } from './check.js'
import * as expected from './fixtureNumbers.js'

/** The fixtures that need no device: sizes of the models, A3 (positions) and A4 (schedule). */
export function hostFixtures(): Check[] {
  return [...sizeFixture(), ...positionFixture(), ...scheduleFixture()]
}

/** Parameter and tensor counts of the published models. */
function sizeFixture(): Check[] {
  const same = comparisons('parameter counts', 0)
  const autoencoders = expected.sizes.flatMap(({ preset, total, trainable, tensors }) => {
    const specs = fmaeParameters(presets[preset])
    const counts = [
      countParameters(specs),
      countParameters(specs.filter((spec) => !spec.frozen)),
      specs.length,
    ]
    return [same(`FMAE ${preset}`, counts, [total, trainable, tensors])]
  })
  const plain = expected.sizes.map(({ preset, classifier }) =>
    same(
      `classifier ${preset}`,
      [countParameters(classifierParameters(classifierOf(preset, 12, 0)))],
      [classifier],
    ),
  )
  const adversarial = expected.identitySizes.map(({ preset, aus, subjects, total }) =>
    same(
      `classifier ${preset}, ${aus} AUs, ${subjects} subjects`,
      [countParameters(classifierParameters(classifierOf(preset, aus, subjects)))],
      [total],
    ),
  )
  return [...autoencoders, ...plain, ...adversarial]
}

/** No subjects: λ = 0 and no identity head. */
function classifierOf(preset: keyof typeof presets, aus: number, subjects: number): ClassifierConfig {
  const lambda = subjects > 0 ? 1 : 0
  return classifierConfig(presets[preset], { aus, subjects }, fineTuneDefaults({ lambda }))
}

/** A3: the sin-cos table at width 384. The first half of the width encodes the column, the second the row. */
function positionFixture(): Check[] {
  const a3 = comparisons('A3 sin-cos table', 1e-6)
  const width = 384
  const table = sinCosPositions(width, 14)
  const { sines, cosines } = expected.positions
  const row = (patch: number) => table.subarray((1 + patch) * width, (2 + patch) * width)
  const half = (patch: number, first: number) => [
    ...row(patch).subarray(first, first + 3),
    ...row(patch).subarray(first + 96, first + 99),
  ]
  const one = [...sines.slice(0, 3), ...cosines]
  const zero = [0, 0, 0, 1, 1, 1]
  return [
    a3('cls row', table.subarray(0, width), new Float32Array(width)),
    a3('patch (0,1), first values', row(1).subarray(0, 4), sines),
    a3('patch (0,1), column half', half(1, 0), one),
    a3('patch (0,1), row half', half(1, 192), zero),
    a3('patch (1,0), column half', half(14, 0), zero),
    a3('patch (1,0), row half', half(14, 192), one),
  ]
}

/** A4: warm-up and half cosine. */
function scheduleFixture(): Check[] {
  const a4 = comparisons('A4 schedule')
  return expected.schedules.flatMap(({ name, schedule, rates }) =>
    rates.map(([epoch, rate]) => a4(`${name}, epoch ${epoch}`, [learningRateAt(schedule, epoch)], [rate])),
  )
}
