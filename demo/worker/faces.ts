import { imageDecoder } from '../../src/train/data/decodeImage.browser.js'
import { PictureLoader } from '../../src/train/data/pictureLoader.js'
import { fetchWebDataset } from '../../src/train/data/webDataset.browser.js'
import { type MainJobData, mainJobData } from '../../src/train/quickstart/faces.js'

/** The bundled faces, dealt out as in the main job: people of fold 3 are never trained on. */
export interface Faces {
  readonly data: MainJobData
  readonly loader: PictureLoader
}

/** Side of the bundled faces in pixels. */
export const FACE_SIZE = 64

/** Fetches the faces that lie beside the page. */
export async function fetchFaces(onLoaded: (share: number) => void): Promise<Faces> {
  const set = await fetchWebDataset(new URL('faces/', self.location.href), onLoaded)
  const loader = new PictureLoader({
    set,
    decoder: imageDecoder,
    size: FACE_SIZE,
    standardisation: 'highpass',
  })
  return { data: mainJobData(set, 'fold3', 0), loader }
}

/** One picture each of the first people whom nothing was trained on. */
export function shownFaces({ data }: Faces, people: number): number[] {
  const seen = new Set<string | null>()
  return Array.from(data.unseen).filter((index) => {
    const { subject } = data.set.record(index)
    if (seen.has(subject) || seen.size === people) return false
    seen.add(subject)
    return true
  })
}
