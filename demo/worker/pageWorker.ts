import { openDevice } from '../../src/engine/device.js'
import type { Runtime } from '../../src/engine/runtime.js'
import {
  type AdapterSummary,
  type FineTuneSettings,
  type PretrainSettings,
  pretrainSettingsSchema,
  type RunName,
  type WorkerEvent,
} from '../protocol.js'
import { type Faces, fetchFaces, shownFaces } from './faces.js'
import { FineTunePair } from './fineTunePair.js'
import { startingEncoder } from './fineTuneStart.js'
import { LifeCycle } from './lifeCycle.js'
import { becomeOnlyTab } from './onlyTab.js'
import { OwnData } from './ownData.js'
import { adopted, settingsOfFile } from './pretrainedFile.js'
import { type PretrainData, pretrainRun } from './pretrainRun.js'
import type { ModelSource, Run } from './training.js'
import { TryIt } from './tryIt.js'

/** Subjects shown while a network learns. */
const SHOWN = 6

type AnyLifeCycle = Pick<LifeCycle<never>, 'pause' | 'resume' | 'rest' | 'wake'>

/**
 * Everything that computes for the page, in a worker: one device, the runs, the faces. The page calls its
 * parts through comlink (`worker.pretrain.begin(…)`), and hears of what happens by events.
 */
export class PageWorker {
  readonly pretrain: Run<PretrainSettings>
  readonly fineTune: LifeCycle<FineTuneSettings, FineTunePair>
  readonly tryIt: TryIt
  readonly ownData: OwnData
  /** One at a time has the device. */
  readonly #lifeCycles: ReadonlyMap<string, AnyLifeCycle>
  #faces: Promise<Faces> | null = null
  /** A run is not begun, and none is paused, before it is known whether one is saved. */
  readonly #restored: Promise<void>
  #nowRestored = () => {}

  private constructor(
    readonly runtime: Runtime,
    readonly tell: (event: WorkerEvent) => void,
  ) {
    const hooks = (name: string) => ({ tell, takeTurn: () => this.#takeTurn(name) })
    this.#restored = new Promise((resolve) => {
      this.#nowRestored = resolve
    })
    const pretraining = pretrainRun('pretrain', runtime, () => this.#pretrainData(), {
      tell,
      settings: pretrainSettingsSchema,
    })
    this.pretrain = new LifeCycle(pretraining, hooks('pretrain'))
    const pretrained = () => pretraining.source(this.pretrain)
    const pair = new FineTunePair(runtime, {
      tell,
      faces: () => this.faces(),
      encoder: () => startingEncoder(pretrained()),
    })
    this.fineTune = new LifeCycle(pair, hooks('fineTune'))
    this.ownData = new OwnData(runtime, {
      tell,
      takeTurn: (name) => this.#takeTurn(name),
      pretrained,
    })
    this.#lifeCycles = new Map<string, AnyLifeCycle>([
      ['pretrain', this.pretrain],
      ['fineTune', this.fineTune],
      ['ownPretrain', this.ownData.pretrain],
      ['ownFineTune', this.ownData.fineTune],
    ])
    this.tryIt = new TryIt(runtime, {
      sources: () =>
        new Map<RunName, ModelSource>([
          ['fineTuneIat', pair.iat.source(this.fineTune)],
          ['fineTunePlain', pair.plain.source(this.fineTune)],
          ['ownFineTune', this.ownData.fineTuned()],
          ['pretrain', pretrained()],
          ['ownPretrain', this.ownData.pretrained()],
        ]),
      takePretrained: async (file, info, name) => {
        const settings = settingsOfFile(info, name)
        await this.#takeTurn('pretrain')
        await this.pretrain.replace(async () => {
          await pretraining.make(settings, adopted(file, settings))
          await pretraining.show()
        })
      },
    })
    runtime.device.lost.then(({ message }) => tell({ type: 'lost', text: message }))
  }

  /** @throws NoAdapterError, DeviceError: this browser cannot compute; OtherTabError: another tab does */
  static async open(tell: (event: WorkerEvent) => void): Promise<PageWorker> {
    const runtime = await openDevice()
    try {
      await becomeOnlyTab()
    } catch (error) {
      runtime.close()
      throw error
    }
    return new PageWorker(runtime, tell)
  }

  adapter(): AdapterSummary {
    const { description, vendor, architecture, software } = this.runtime.caps
    return { description: description || `${vendor} ${architecture}`.trim() || 'not told', software }
  }

  /** Takes up the runs that the browser's storage holds. The page calls it once it listens. */
  async restore(): Promise<void> {
    try {
      if (await this.pretrain.restore()) await this.#goOn('pretrain')
      if (await this.fineTune.restore()) await this.#goOn('fineTune')
      await this.ownData.restore()
    } finally {
      // Where it failed, new runs can be begun all the same.
      this.#nowRestored()
    }
  }

  /** The page is hidden: nothing goes on until it is in sight again. */
  async restAll(): Promise<void> {
    await this.#restored
    await Promise.all([...this.#lifeCycles.values()].map((lifeCycle) => lifeCycle.rest()))
  }

  wakeAll(): void {
    for (const lifeCycle of this.#lifeCycles.values()) lifeCycle.wake()
  }

  async #takeTurn(name: string): Promise<void> {
    await this.#restored
    await this.#pauseOthers(name)
  }

  /** A run that storage held goes on. If that told so of two, the later one does. */
  async #goOn(name: string): Promise<void> {
    await this.#pauseOthers(name)
    await this.#lifeCycles.get(name)!.resume()
  }

  async #pauseOthers(name: string): Promise<void> {
    for (const [other, lifeCycle] of this.#lifeCycles) if (other !== name) await lifeCycle.pause()
  }

  faces(): Promise<Faces> {
    this.#faces ??= fetchFaces((share) => this.tell({ type: 'loading', share }))
    // A server that failed may answer the next time.
    this.#faces.catch(() => {
      this.#faces = null
    })
    return this.#faces
  }

  async #pretrainData(): Promise<PretrainData> {
    const faces = await this.faces()
    return { loader: faces.loader, train: faces.data.pretrain, shown: shownFaces(faces, SHOWN) }
  }
}
