import { requireBatch } from '../../data/batches.js'
import { imagesDigest } from '../../data/imagesDigest.js'
import { largestFmaeActivation } from '../../model/largestActivation.js'
import { Pretraining } from '../../train/loop/pretraining.js'
import { fmaeConfig, modelName } from '../../train/modelConfig.js'
import { pretrainSettings } from '../../train/settings.js'
import { runManaged } from '../managedRun.js'
import type { PretrainOptions } from '../options.js'
import { checkpointPath, prepareOut } from '../runFolder.node.js'
import { settingsOf } from '../schemaOptions.js'
import { StopSignal } from '../stopSignal.js'
import { openData } from './openData.js'
import { fittedBatch, imageLoader, openAnnouncedDevice } from './session.js'

/** `pretrain`: trains FMAE on face images; writes checkpoint and log to `--out`. Returns the exit code. */
export async function pretrain(options: PretrainOptions): Promise<number> {
  const config = fmaeConfig(options)
  const set = await openData(options)
  requireBatch(options.data, set.length, options.batchSize)
  const stop = new StopSignal(options.maxMinutes)
  prepareOut(options.out, options.resume)
  const runtime = await openAnnouncedDevice(options)
  const loader = imageLoader(set, config.imageSize, options.standardise, options.cacheMegabytes, options.crop)
  const indices = Array.from({ length: set.length }, (_, index) => index)
  const batches = fittedBatch(options, largestFmaeActivation(config), runtime)
  const run = new Pretraining(runtime, config, { ...options, ...batches }, loader, indices)
  console.log(
    `FMAE ${modelName(options.preset, config)}: ${parameterCount(run)} parameters, ${set.length} images from ${set.name}`,
  )
  const { outcome } = await runManaged({
    run,
    info: {
      config,
      settings: settingsOf(pretrainSettings, options),
      images: await imagesDigest(set, indices),
    },
    out: options.out,
    label: 'pretrain',
    resume: options.resume,
    checkpointEvery: options.checkpointEvery,
    tune: options.tune,
    memoryReport: options.memoryReport,
    keep: options.keep,
    stop,
    onEpoch: async (_, loss) => ({ name: 'loss', value: loss, better: 'lower' }),
  })
  if (outcome === 'stopped') console.log('To continue, run the same command with --resume')
  else console.log(`Saved ${checkpointPath(options.out)}`)
  runtime.close()
  return outcome === 'stopped' ? 130 : 0
}

export function parameterCount({ parameters: { parameters } }: Pick<Pretraining, 'parameters'>): string {
  return parameters.reduce((sum, { size }) => sum + size, 0).toLocaleString('en-US')
}
