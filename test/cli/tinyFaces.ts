import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { PhiloxStream } from '../../src/engine/random.js'
import { makeTar } from '../data/makeShard.js'

/** The AUs that the tiny faces show. */
export const tinyAus = [1, 2, 12]
const SIZE = 32
const PICTURES = 6
const PEOPLE = ['ann', 'bob', 'cid', 'dot']

type Members = Record<string, Uint8Array | string>

/** A noisy JPEG with a bright row for every active AU. */
export function tinyJpeg(seed: number, aus: readonly number[]): Promise<Buffer> {
  const stream = new PhiloxStream(seed, 1)
  const pixels = Buffer.from(Float32Array.from({ length: SIZE * SIZE * 3 }, () => 128 * stream.uniform()))
  for (const au of aus) pixels.fill(255, 2 * au * SIZE * 3, (2 * au + 2) * SIZE * 3)
  return sharp(pixels, { raw: { width: SIZE, height: SIZE, channels: 3 } })
    .jpeg()
    .toBuffer()
}

/** 24 labelled pictures of four people. */
export async function tinyMembers(): Promise<Members> {
  const members: Members = {}
  for (let at = 0; at < PEOPLE.length * PICTURES; at++) {
    const draw = new PhiloxStream(at, 2)
    const AUs = tinyAus.filter(() => draw.uniform() < 0.5)
    const key = String(at).padStart(3, '0')
    members[`${key}.jpg`] = await tinyJpeg(at, AUs)
    members[`${key}.json`] = JSON.stringify({ subject: PEOPLE[at % PEOPLE.length], AUs })
  }
  return members
}

export const tinyFolds = {
  folds: [
    { name: 'fold1', subjects: ['ann', 'bob'] },
    { name: 'fold2', subjects: ['cid'] },
    { name: 'fold3', subjects: ['dot'] },
  ],
}

/** Writes a WebDataset of the members: one shard, `dataset.json` and `folds.json`. */
export async function writeFaces(
  folder: string,
  members: Members,
  folds: object = tinyFolds,
): Promise<string> {
  mkdirSync(folder, { recursive: true })
  const shards = [{ file: 'faces.tar', split: 'day' }]
  writeFileSync(join(folder, 'faces.tar'), await makeTar(members))
  writeFileSync(join(folder, 'dataset.json'), JSON.stringify({ name: 'tiny faces', aus: tinyAus, shards }))
  writeFileSync(join(folder, 'folds.json'), JSON.stringify(folds))
  return folder
}

/** A network that trains in seconds on any adapter. */
export const tinyEncoder = '--image-size 32 --patch-size 16 --width 16 --depth 2 --heads 2'.split(' ')
export const tinyModel = [
  ...tinyEncoder,
  ...'--decoder-width 16 --decoder-depth 1 --decoder-heads 2'.split(' '),
]
