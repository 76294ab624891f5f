import { statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { cannotRead, readWhole } from '../data/files.node.js'
import { MAX_IMAGE_FILE } from '../data/fileTree.js'
import type { ImageSet } from '../data/imageSet.js'
import { type OpenOptions, openImageSet } from '../data/openImageSet.node.js'
import type { InputImage } from './prediction.js'
import { requireFfmpeg, videoFrames } from './video.node.js'

/** What a path given to `predict` leads to. */
export interface Input {
  readonly path: string
  readonly kind: 'image' | 'set' | 'video'
  /** How many images; null for a video. */
  readonly length: number | null
  /** What its reader ignored or found twice, one sentence each. */
  readonly notes: readonly string[]
  images(): AsyncIterable<InputImage>
}

const videoEndings = [
  '.mp4',
  '.m4v',
  '.mov',
  '.avi',
  '.mkv',
  '.webm',
  '.mpg',
  '.mpeg',
  '.wmv',
  '.mts',
  '.3gp',
]
const setEndings = ['.tar', '.gz', '.tgz', '.jsonl', '.json']

/**
 * Opens a path: an image, a video, or what training reads too (a folder, a shard, a label file).
 * @param prefix whether the images of a set are named with its path
 * @throws UserError if it is not there, or its reader refuses it
 */
export async function openInput(path: string, options: OpenOptions, prefix: boolean): Promise<Input> {
  const ending = extname(path).toLowerCase()
  if (isFolder(path) || setEndings.includes(ending)) {
    const set = await openImageSet(path, options)
    const images = () => imagesOf(set, prefix ? path : '')
    return { path, kind: 'set', length: set.length, notes: set.notes ?? [], images }
  }
  if (videoEndings.includes(ending)) {
    await requireFfmpeg(path)
    return { path, kind: 'video', length: null, notes: [], images: () => framesOf(path) }
  }
  return { path, kind: 'image', length: 1, notes: [], images: () => oneImage(path) }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    throw cannotRead(path, error)
  }
}

/** The frames of a video. What ffmpeg cannot decode is one unreadable image. */
async function* framesOf(path: string): AsyncGenerator<InputImage> {
  try {
    yield* videoFrames(path)
  } catch (error) {
    yield { input: path, frame: 0, timestamp: null, content: () => Promise.reject(error) }
  }
}

async function* oneImage(path: string): AsyncGenerator<InputImage> {
  yield encoded(path, () => readWhole(path, MAX_IMAGE_FILE))
}

async function* imagesOf(set: ImageSet, folder: string): AsyncGenerator<InputImage> {
  for (let i = 0; i < set.length; i++) yield encoded(join(folder, set.sample(i).id), () => set.bytes(i))
}

function encoded(input: string, bytes: () => Promise<Uint8Array>): InputImage {
  return { input, frame: 0, timestamp: null, content: async () => ({ encoded: await bytes() }) }
}
