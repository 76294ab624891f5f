import { type FileTree, optionalFile, textOf } from './fileTree.js'
import type { Fold } from './folds.js'
import { foldsSchema, parseJson } from './schemas.js'

export const FOLDS_FILE = 'folds.json'

/** The folds in `folds.json` of the folder; null without that file. */
export async function readFolds(tree: FileTree): Promise<readonly Fold[] | null> {
  const file = optionalFile(tree, FOLDS_FILE)
  return file && parseJson(await textOf(file), foldsSchema, file.name).folds
}
