import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { temporaryBeside, writeAtomically } from '../atomicWrite.node.js'
import type { Result } from '../predict/prediction.js'
import { csvText } from '../predict/table.js'
import { encodeHeader } from '../train/checkpoint/safetensors.js'
import { GrowingFile, requireNew } from './growingFile.node.js'

/**
 * The features of all faces as one tensor `features` [faces, width] (f32, safetensors), and a CSV file that says
 * which face each row is. Rows go to disk as they come.
 */
export class FeatureFile {
  #rows = 0

  constructor(
    readonly path: string,
    readonly width: number,
    readonly index: GrowingFile,
    readonly values: GrowingFile,
  ) {}

  /** The name of its CSV file. */
  static indexOf(path: string): string {
    return `${path}.csv`
  }

  /** @throws UserError if it or its index exists or cannot be created */
  static async create(path: string, width: number): Promise<FeatureFile> {
    requireNew(path)
    const index = await GrowingFile.create(FeatureFile.indexOf(path))
    await index.append('row,input,frame,face_id\n')
    return new FeatureFile(path, width, index, await GrowingFile.create(temporaryBeside(path)))
  }

  async add(result: Result): Promise<void> {
    if (!('faces' in result)) return
    for (const { input, frame, faceId, reading } of result.faces) {
      if (!reading) continue
      const { buffer, byteOffset, byteLength } = reading.features
      await this.values.append(new Uint8Array(buffer, byteOffset, byteLength))
      await this.index.append(`${this.#rows++},${csvText(input)},${frame},${faceId}\n`)
    }
  }

  /** Puts the header before the rows. */
  async finish(): Promise<void> {
    const tensor = { name: 'features', shape: [this.#rows, this.width], type: 'F32' } as const
    const { path } = this.values
    await writeAtomically(
      this.path,
      (async function* () {
        yield encodeHeader([tensor], {})
        yield* createReadStream(path) as AsyncIterable<Buffer>
      })(),
    )
  }

  async close(): Promise<void> {
    await this.index.close()
    await this.values.close()
    await rm(this.values.path, { force: true })
  }
}
