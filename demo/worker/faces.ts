import { imageDecoder } from '../../src/data/decodeImage.browser.js'
import { type MainJobData, mainJobData } from '../../src/data/faces.js'
import { ImageLoader } from '../../src/data/imageLoader.js'
import type { ImageSet } from '../../src/data/imageSet.js'
import { fetchWebDataset } from '../../src/data/webDataset.browser.js'

/** The bundled faces, split as in the main job: the subjects of fold 3 are held out. */
export interface Faces {
  readonly data: MainJobData
  readonly loader: ImageLoader
}

/** Side of the bundled faces in pixels. */
export const FACE_SIZE = 64

/** Fetches the faces that lie beside the page. */
export async function fetchFaces(onLoaded: (share: number) => void): Promise<Faces> {
  const set = await fetchWebDataset(new URL('faces/', self.location.href), onLoaded)
  const loader = new ImageLoader({
    set,
    decoder: imageDecoder,
    size: FACE_SIZE,
    standardisation: 'highpass',
  })
  return { data: mainJobData(set, 'fold3', 0), loader }
}

/** One image each of the first held-out subjects. */
export function shownFaces({ data }: Faces, subjects: number): number[] {
  return onePerSubject(data.set, data.unseen, subjects)
}

/** The first image of each subject, so many at most; images without a subject are taken as they come. */
export function onePerSubject(set: ImageSet, indices: ArrayLike<number>, count: number): number[] {
  const seen = new Set<string>()
  const first = Array.from(indices).filter((index) => {
    const { subject } = set.sample(index)
    if (subject === null) return true
    const known = seen.has(subject)
    seen.add(subject)
    return !known
  })
  return first.slice(0, count)
}
