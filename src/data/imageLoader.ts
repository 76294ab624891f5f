import { UserError } from '../errors.js'
import { Budget } from './budget.js'
import type { ImageDecoder, ImageSet } from './imageSet.js'
import { type Standardisation, standardise } from './standardise.js'

export interface ImageLoaderOptions {
  readonly set: ImageSet
  readonly decoder: ImageDecoder
  /** Side length of the network's input in pixels. */
  readonly size: number
  readonly standardisation: Standardisation
  /** Memory for decoded images; default 1 GiB. */
  readonly cacheBytes?: number
  /** Images with more pixels are refused; default 50 million. */
  readonly maxPixels?: number
}

/** Images that are read at the same time: the files of a whole batch may not fit in memory. */
const AT_ONCE = 32

/**
 * Loads images as network input, and caches them up to a memory budget. Nothing is evicted: an epoch visits
 * every image once in random order, so evicting the oldest would make most visits a miss.
 */
export class ImageLoader {
  readonly set: ImageSet
  readonly size: number
  readonly #kept = new Map<number, Float32Array>()
  readonly #capacity: number
  readonly #reading = new Budget(AT_ONCE)

  constructor(readonly options: ImageLoaderOptions) {
    this.set = options.set
    this.size = options.size
    this.#capacity = Math.floor((options.cacheBytes ?? 2 ** 30) / (3 * options.size ** 2 * 4))
  }

  /** → [3, size, size]; read only. @throws UserError that names file and member if it cannot be decoded. */
  async load(index: number): Promise<Float32Array> {
    const known = this.#kept.get(index)
    if (known) return known
    const image = standardise(await this.decode(index), this.size, this.options.standardisation)
    if (this.#kept.size < this.#capacity) this.#kept.set(index, image)
    return image
  }

  /** The image for display: RGB bytes, size·size·3. */
  decode(index: number): Promise<Uint8Array> {
    return this.#reading.run(1, () => this.#read(index))
  }

  async #read(index: number): Promise<Uint8Array> {
    const { decoder, maxPixels } = this.options
    const bytes = await this.set.bytes(index)
    try {
      return await decoder.decode(bytes, this.size, maxPixels)
    } catch (error) {
      if (error instanceof UserError) throw new UserError(`${this.set.describe(index)}: ${error.message}`)
      // Decoders add lines of detail about their own libraries.
      const [reason] = (error instanceof Error ? error.message : String(error)).split('\n', 1)
      throw new UserError(
        `${this.set.describe(index)}: cannot be decoded (${reason}); expected JPEG, PNG or WebP`,
      )
    }
  }
}
