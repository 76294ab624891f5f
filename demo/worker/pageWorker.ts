import { openDevice } from '../../src/engine/device.js'
import type { Runtime } from '../../src/engine/runtime.js'
import {
  type AdapterSummary,
  type PretrainSettings,
  pretrainSettingsSchema,
  type RunName,
  type WorkerEvent,
} from '../protocol.js'
import { type Faces, fetchFaces, shownFaces } from './faces.js'
import { FineTunePair } from './fineTunePair.js'
import { startingEncoder } from './fineTuneStart.js'
import { becomeOnlyTab } from './onlyTab.js'
import { OwnData } from './ownData.js'
import { adopted, settingsOfFile } from './pretrainedFile.js'
import { type PretrainData, pretrainRun } from './pretrainRun.js'
import type { TrainingJob } from './training.js'
import { type ModelSource, TryIt } from './tryIt.js'

/** People shown while a network learns. */
const SHOWN = 6

/** What is trained, or could be: one at a time has the device. */
interface LifeCycle {
  pause(): Promise<void>
  resume(): Promise<void>
  rest(): Promise<void>
  wake(): void
}

/**
 * Everything that computes for the page, in a worker: one device, the runs, the faces. The page calls its parts through comlink
 * (`worker.pretrain.begin(…)`), and hears of what happens by events.
 */
export class PageWorker {
  readonly pretrain: TrainingJob<PretrainSettings>
  readonly fineTune: FineTunePair
  readonly tryIt: TryIt
  readonly ownData: OwnData
  readonly #lifeCycles: ReadonlyMap<string, LifeCycle>
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
    this.pretrain = pretrainRun('pretrain', runtime, () => this.#pretrainData(), hooks('pretrain'))
    this.fineTune = new FineTunePair(runtime, {
      ...hooks('fineTune'),
      faces: () => this.faces(),
      encoder: () => startingEncoder(this.pretrain),
    })
    this.ownData = new OwnData(runtime, {
      tell,
      takeTurn: (name) => this.#takeTurn(name),
      act1: this.pretrain,
    })
    this.#lifeCycles = new Map<string, LifeCycle>([
      ['pretrain', this.pretrain],
      ['fineTune', this.fineTune],
      ['ownPretrain', this.ownData.pretrain],
      ['ownFineTune', this.ownData.fineTune],
    ])
    this.tryIt = new TryIt(runtime, {
      sources: () =>
        new Map<RunName, ModelSource>([
          ['fineTuneIat', this.fineTune.source('iat')],
          ['fineTunePlain', this.fineTune.source('plain')],
          ['ownFineTune', this.ownData.fineTune],
          ['pretrain', this.pretrain],
          ['ownPretrain', this.ownData.pretrain],
        ]),
      takePretrained: async (file, info, name) => {
        const settings = settingsOfFile(info, name)
        await this.#takeTurn('pretrain')
        await this.pretrain.take(settings, adopted(file, settings))
      },
    })
    runtime.device.lost.then(({ message }) => tell({ type: 'lost', text: message }))
  }

  /** @throws NoAdapterError, DeviceError: this browser cannot compute; UserError: another tab does */
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
      if (await this.pretrain.restore((settings) => pretrainSettingsSchema.parse(settings)))
        await this.#goOn('pretrain')
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
