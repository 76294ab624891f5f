import { proxyMarker } from 'comlink'
import { auTargets } from '../../src/data/folds.js'
import type { PickedFile } from '../../src/data/openFiles.browser.js'
import type { Runtime } from '../../src/engine/runtime.js'
import { UserError } from '../../src/errors.js'
import type { SafetensorsFile } from '../../src/train/checkpoint/safetensors.js'
import { classify } from '../../src/train/loop/evaluation.js'
import type { FineTuning } from '../../src/train/loop/fineTuning.js'
import { stepsPerEpoch } from '../../src/train/loop/trainLoop.js'
import { actionUnitMetrics } from '../../src/train/metrics/actionUnitMetrics.js'
import type { TrainingRun } from '../../src/train/trainingRun.js'
import { oneAfterOther } from '../oneAfterOther.js'
import {
  type Evaluation,
  type FineTuneSettings,
  type FolderMark,
  type FolderSummary,
  type OwnFineTunePlan,
  type OwnPretrainSettings,
  ownFineTunePlanSchema,
  ownPretrainSettingsSchema,
  type PretrainSettings,
  type WaitingRun,
  type WorkerEvent,
} from '../protocol.js'
import { damagedRun } from './damagedRun.js'
import { fineTuneRun } from './fineTuneRun.js'
import { startingEncoder } from './fineTuneStart.js'
import { LifeCycle } from './lifeCycle.js'
import { OwnFolder } from './ownFolder.js'
import { pretrainRun } from './pretrainRun.js'
import type { ModelSource, Run } from './training.js'

interface Hooks {
  readonly tell: (event: WorkerEvent) => void
  /** Asks whatever else trains to stop. */
  readonly takeTurn: (name: 'ownPretrain' | 'ownFineTune') => Promise<void>
  /** Of the bundled faces: its encoder is what a classifier starts from where there is no better one. */
  readonly pretrained: () => ModelSource
}

const EVALUATION_BATCH = 64

/**
 * Pretraining and fine-tuning on a folder of the visitor's. Runs are kept in the browser's storage, images
 * are not: after a reload a run waits until its folder is picked again.
 */
export class OwnData {
  /** The page calls it where it is. */
  readonly [proxyMarker] = true
  readonly pretrain: Run<OwnPretrainSettings>
  readonly fineTune: Run<OwnFineTunePlan>
  #folder: OwnFolder | null = null
  /** While a classifier is made. */
  #encoder: SafetensorsFile | null = null
  /** What a visitor asks for: another folder waits until a run is made of the one before. */
  readonly #inTurn = oneAfterOther()

  constructor(
    readonly runtime: Runtime,
    readonly hooks: Hooks,
  ) {
    const { tell, takeTurn } = hooks
    const pretraining = pretrainRun<OwnPretrainSettings>(
      'ownPretrain',
      runtime,
      async () => (await this.#decodedFolder()).pretrainData(),
      { tell, settings: ownPretrainSettingsSchema },
    )
    this.pretrain = new LifeCycle(pretraining, { tell, takeTurn: () => takeTurn('ownPretrain') })
    const fineTuning = fineTuneRun<OwnFineTunePlan>(
      'ownFineTune',
      runtime,
      {
        tell,
        settings: ownFineTunePlanSchema,
        data: async () => (await this.#decodedFolder()).classifierData(),
        encoder: () => this.#encoder,
        evaluate: (run, epoch) => this.#evaluate(run as FineTuning, epoch),
      },
      ({ lambda }) => lambda,
    )
    this.fineTune = new LifeCycle(fineTuning, { tell, takeTurn: () => takeTurn('ownFineTune') })
  }

  get #runs() {
    return [this.pretrain, this.fineTune] as const
  }

  pretrained(): ModelSource {
    return this.pretrain.training.source(this.pretrain)
  }

  fineTuned(): ModelSource {
    return this.fineTune.training.source(this.fineTune)
  }

  /** Tells which runs storage holds; they go on when their folder is opened. */
  async restore(): Promise<void> {
    this.hooks.tell({ type: 'waiting', runs: await this.#stored() })
  }

  /**
   * Opens a folder. Runs that storage holds of it are taken up, and go on if they were running when the page
   * was left.
   * @throws UserError that says what is wrong with it, or that the runs were made with another folder
   */
  open(files: readonly PickedFile[]): Promise<FolderSummary> {
    return this.#inTurn(() => this.#open(files))
  }

  async #open(files: readonly PickedFile[]): Promise<FolderSummary> {
    const folder = await OwnFolder.open(files)
    const summary = await folder.summary()
    refuseOther(folder.mark, [...this.#begun(), ...(await this.#stored())])
    // Those that train now go on with the folder as it is read now, though it may be the same.
    const running = this.#runs.filter(({ goesOn }) => goesOn)
    for (const run of this.#runs) await run.pause()
    this.#folder = folder
    this.hooks.tell({ type: 'waiting', runs: [] })
    for (const run of this.#runs) {
      if (!(await run.restore()) && !running.includes(run)) continue
      await run.hooks.takeTurn()
      await run.resume()
    }
    return summary
  }

  /** Throws the runs away, so that another folder can be opened. */
  forget(): Promise<void> {
    return this.#inTurn(async () => {
      for (const run of this.#runs) await run.reset()
      this.hooks.tell({ type: 'waiting', runs: [] })
    })
  }

  /** Pretrains on the folder, or does one step of it. @throws UserError where the images do not do */
  startPretrain(settings: PretrainSettings, oneStep: boolean): Promise<void> {
    return this.#inTurn(() => start(this.pretrain, { ...settings, folder: this.#opened().mark }, oneStep))
  }

  /**
   * Fine-tunes on the folder: from its own pretraining if there is one, else from that of the bundled faces,
   * else from random weights.
   */
  startFineTune(settings: FineTuneSettings, oneStep: boolean): Promise<void> {
    return this.#inTurn(async () => {
      try {
        await start(this.fineTune, this.fineTune.training.settings ?? (await this.#plan(settings)), oneStep)
      } finally {
        this.#encoder = null
      }
    })
  }

  /** Settings of a classifier that is made now, and the encoder that it starts from. */
  async #plan(settings: FineTuneSettings): Promise<OwnFineTunePlan> {
    const { mark } = this.#opened()
    const from = this.#bestStart()
    const { config, pretrained } = await startingEncoder(
      from === 'pretrain' ? this.hooks.pretrained() : this.pretrained(),
    )
    this.#encoder = pretrained?.file ?? null
    const { imageSize, patchSize, width, depth, heads, mlpRatio, layerNormEps } = config
    const encoder = { imageSize, patchSize, width, depth, heads, mlpRatio, layerNormEps }
    return { ...settings, folder: mark, from, encoder, pretrainStep: pretrained?.step ?? null }
  }

  #bestStart(): OwnFineTunePlan['from'] {
    const trained = ({ run }: ModelSource) => (run?.optimizer.stepCount ?? 0) > 0
    if (trained(this.pretrained())) return 'ownPretrain'
    return trained(this.hooks.pretrained()) ? 'pretrain' : 'scratch'
  }

  #opened(): OwnFolder {
    if (!this.#folder) throw new UserError('Choose a folder of images first.')
    return this.#folder
  }

  async #decodedFolder(): Promise<OwnFolder> {
    const folder = this.#opened()
    await folder.decoded((share) => this.hooks.tell({ type: 'reading', share }))
    return folder
  }

  async #evaluate(run: FineTuning, epoch: number): Promise<Evaluation> {
    const { loader, set } = this.#opened()
    const { test, aus } = await this.#opened().classifierData()
    const { auLogits } = await classify(this.runtime, run.model, loader, test, EVALUATION_BATCH)
    const measured = actionUnitMetrics(auLogits, auTargets(set, test, aus), aus.length)
    const { f1At05, f1PerAu, auc, aucPerAu } = measured
    return { epoch, step: stepOf(run, epoch), f1At05, f1PerAu: [...f1PerAu], auc, aucPerAu: [...aucPerAu] }
  }

  /** Runs that are here, which storage need not hold: some browsers have none for pages. */
  #begun(): WaitingRun[] {
    return this.#runs.flatMap(({ status, training: { hooks, settings } }) =>
      settings ? [{ run: hooks.name, step: status.step, folder: settings.folder }] : [],
    )
  }

  /** Runs that storage holds. */
  async #stored(): Promise<WaitingRun[]> {
    const runs: WaitingRun[] = []
    for (const { training } of this.#runs) {
      try {
        const stored = await training.stored()
        if (!stored) continue
        runs.push({
          run: training.hooks.name,
          step: stored.steps.at(-1)?.step ?? 0,
          folder: stored.settings.folder,
        })
      } catch (error) {
        this.hooks.tell(damagedRun(training.title, error))
      }
    }
    return runs
  }
}

async function start<S>(run: Run<S>, settings: S, oneStep: boolean): Promise<void> {
  if (oneStep) await run.advance(1, settings)
  else await run.begin(settings)
}

function stepOf(run: TrainingRun, epoch: number): number {
  return epoch * stepsPerEpoch(run.batches, run.settings.accumulation)
}

function refuseOther({ name, images }: FolderMark, runs: readonly WaitingRun[]): void {
  const other = runs.find(({ folder }) => folder.images !== images)
  if (!other) return
  const { folder, step } = other
  throw new UserError(
    `${name} is not the folder of the saved run “${folder.name}” at step ${step}. That folder has ${folder.images}; this one has ${images}. Choose that folder to continue, or delete the saved runs first.`,
  )
}
