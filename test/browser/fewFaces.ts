import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openImageSet } from '../../src/data/openImageSet.node.js'
import { root } from '../cli/program.js'
import { makeTar } from '../data/makeShard.js'

/** Subjects of each fold: with fewer, the maps of features would not have theirs. */
export const SUBJECTS_PER_FOLD = 8
const EXTRA_IMAGES = 64

/** Writes a part of the bundled faces over a folder of them: an epoch takes a tenth of the time. */
export async function writeFewFaces(folder: string): Promise<void> {
  const faces = await openImageSet(join(root, 'data', 'faces'))
  const folds = faces.folds!.map(({ name, subjects }) => ({
    name,
    subjects: subjects.slice(0, SUBJECTS_PER_FOLD),
  }))
  const chosen = new Set(folds.flatMap(({ subjects }) => subjects))
  const splits = new Map<string, Record<string, Uint8Array | string>>()
  let extra = 0
  for (let at = 0; at < faces.length; at++) {
    const { subject, aus, split } = faces.sample(at)
    const isExtra = split === 'extra'
    if (isExtra ? extra++ >= EXTRA_IMAGES : !chosen.has(subject!)) continue
    const members = splits.get(split!) ?? {}
    const key = String(at).padStart(6, '0')
    members[`${key}.jpg`] = await faces.bytes(at)
    members[`${key}.json`] = JSON.stringify({ subject, AUs: aus })
    splits.set(split!, members)
  }
  for (const [split, members] of splits) writeFileSync(join(folder, `${split}.tar`), await makeTar(members))
  const shards = [...splits.keys()].map((split) => ({ file: `${split}.tar`, split }))
  const dataset = { name: faces.name, imageSize: 64, aus: faces.aus, shards }
  writeFileSync(join(folder, 'dataset.json'), JSON.stringify(dataset))
  writeFileSync(join(folder, 'folds.json'), JSON.stringify({ folds }))
}
