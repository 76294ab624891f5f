import { basename, dirname, join } from 'node:path'
import { unitsSeen } from './actionUnits.js'
import { readFolds, readText } from './files.node.js'
import { readImage } from './imageFolder.node.js'
import type { ImageSet } from './imageSet.js'
import { type JsonLinesOptions, parseJsonLines } from './jsonLines.js'

/** Pictures named by a label file; `root` is where `img_path` starts (default: the label file's folder). */
export function openJsonLines(
  file: string,
  options: JsonLinesOptions & { readonly root?: string | undefined },
): ImageSet {
  const root = options.root ?? dirname(file)
  const records = parseJsonLines(readText(file), file, options)
  return {
    name: basename(file),
    length: records.length,
    aus: options.aus ?? unitsSeen(records.map((record) => record.aus)),
    folds: readFolds(join(dirname(file), 'folds.json')),
    sample: (index) => records[index],
    bytes: (index) => readImage(join(root, records[index].id)),
    describe: (index) => join(root, records[index].id),
  }
}
