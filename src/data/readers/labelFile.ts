import { UserError } from '../../errors.js'
import { activeUnits } from '../actionUnits.js'
import { type FileTree, type FoundFile, type NotFound, textOf } from '../fileTree.js'
import { FOLDS_FILE, readFolds } from '../foldsFile.js'
import type { ImageSample } from '../imageSet.js'
import { imageSetOf, type ReadImage } from '../imageSetOf.js'
import { type SubjectRule, subjectRule } from '../subjectRules.js'
import type { Opening, Reader, ReadOptions } from './reader.js'

/** What one line of a label file says. */
export interface LabelLine {
  /** File and line, for messages. */
  readonly where: string
  /** The image's path as it is written. */
  readonly path: string
  readonly subject: string | null
  /** Active units in any order, 999 for an absent one; null: not labelled. */
  readonly aus: readonly number[] | null
}

export interface Labels {
  readonly lines: readonly LabelLine[]
  /** The units that the file covers; null: it does not say, and they are those that occur. */
  readonly aus: readonly number[] | null
}

export interface LabelFormat {
  /** Endings of its files, without the dot; a folder is read by `labels.` and the first of them. */
  readonly extensions: readonly [string, ...string[]]
  /** `file` begins the messages of the UserErrors. */
  readonly parse: (text: string, file: string) => Labels
}

/** Reads images by a file that names them: one `parse` for each format. */
export function labelFileReader({ extensions, parse }: LabelFormat): Reader {
  const endings = extensions.map((extension) => `.${extension}`)
  const inFolders = `labels${endings[0]}`
  return {
    reads: `labels (${endings.join(', ')})`,
    noun: 'label file',
    owns: (path) => endings.some((ending) => path.toLowerCase().endsWith(ending)),
    chosen: (files) => files.filter(({ path }) => path === inFolders),

    async open(opening) {
      const { tree, root, name, options } = opening
      const [file] = opening.files
      const { lines, aus } = parse(await textOf(file), file.name)
      if (lines.length === 0)
        throw new UserError(`${file.name}: no labels in it; expected a line for each image`)
      // Only to refuse what is no unit: the order is the file's.
      if (aus) activeUnits(aus, null, file.name)
      const samples = samplesOf(lines, aus, options)
      const found = findAll(opening, lines)
      const images = samples.map((sample, at): ReadImage => imageOf(root, sample, lines[at].where, found[at]))
      const folds = await readFolds(tree)
      const set = imageSetOf(images, { name, aus, folds, notes: [] })
      const read = new Set([file.path, FOLDS_FILE])
      for (const image of found) if ('file' in image) read.add(image.file.path)
      return { set, read }
    },
  }
}

function samplesOf(
  lines: readonly LabelLine[],
  aus: readonly number[] | null,
  { subjectFrom }: ReadOptions,
): ImageSample[] {
  const rule = subjectFrom === undefined ? null : subjectRule(subjectFrom)
  return lines.map((line) => ({
    id: line.path,
    subject: subjectOf(line, rule),
    aus: line.aus && activeUnits(line.aus, aus, line.where),
    split: null,
  }))
}

function subjectOf({ path, subject, where }: LabelLine, rule: SubjectRule | null): string | null {
  const found = subject ?? rule?.(path) ?? null
  if (found === null && rule)
    throw new UserError(`${where}: the subject rule finds no subject in img_path "${path}"`)
  return found
}

/** The files of all lines: one that is not there is known before anything is trained. */
function findAll({ root, options }: Opening, lines: readonly LabelLine[]): (FoundFile | NotFound)[] {
  const found = lines.map(({ path }) => root.find(path))
  const missing = found.filter((image) => 'reason' in image).length
  const first = found.findIndex((image) => 'reason' in image)
  const image = found[first]
  if (first < 0 || !('reason' in image) || options.badImages === 'skip') return found
  const more = missing > 1 ? `; ${missing} of its ${lines.length} images cannot be read` : ''
  throw new UserError(
    `${lines[first].where}: image ${fullPath(root, lines[first].path)}: ${image.reason}${more}`,
  )
}

function fullPath({ folder }: FileTree, path: string): string {
  return path.startsWith('/') ? path : `${folder.replace(/\/$/, '')}/${path}`
}

function imageOf(root: FileTree, sample: ImageSample, where: string, found: FoundFile | NotFound): ReadImage {
  if ('file' in found) {
    const { file, identity } = found
    return { sample, where, identity, name: file.name, bytes: () => file.bytes() }
  }
  const name = fullPath(root, sample.id)
  const refuse = async () => {
    throw new UserError(`${name}: ${found.reason}`)
  }
  return { sample, where, identity: name, name, bytes: refuse }
}
