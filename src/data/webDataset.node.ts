import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { UserError } from '../errors.js'
import { inflate, listFolder, readFolds, readRange, readText, withFile } from './files.node.js'
import type { ImageSet } from './imageSet.js'
import { datasetSchema, parseJson } from './schemas.js'
import {
  indexShard,
  isShard,
  type LoadedSample,
  type ShardEntry,
  sampleSet,
  samplesInMemory,
  samplesOfEntry,
} from './webDatasetIndex.js'

function loadShard(file: string, split: string | null, aus: readonly number[] | null): LoadedSample[] {
  if (/\.tar$/i.test(file))
    return withFile(file, (source) => indexShard(source, split, aus)).map((sample) => ({
      ...sample,
      file,
      bytes: () => readRange(file, sample.image.offset, sample.image.size),
    }))
  return samplesInMemory(file, inflate(file), split, aus)
}

function loadEntry(folder: string, entry: ShardEntry, aus: readonly number[] | null): LoadedSample[] {
  const file = join(folder, entry.file)
  return samplesOfEntry(file, entry, loadShard(file, entry.split ?? null, aus))
}

/** Every shard in the folder, sorted by name: the set's where there is no dataset.json. */
function findShards(folder: string): ShardEntry[] {
  return listFolder(folder, { recursive: false })
    .filter(isShard)
    .map((file) => ({ file }))
}

export function holdsShards(folder: string): boolean {
  return existsSync(join(folder, 'dataset.json')) || findShards(folder).length > 0
}

/** The shards of these splits; one that no shard has is an error. */
function ofSplits(path: string, entries: readonly ShardEntry[], splits: readonly string[]): ShardEntry[] {
  const known = new Set(entries.flatMap(({ split }) => split ?? []))
  const unknown = splits.filter((split) => !known.has(split))
  if (unknown.length > 0)
    throw new UserError(
      `${path}: no shard of split ${unknown.join(', ')}; there are ${[...known].join(', ') || 'none'}`,
    )
  return entries.filter(({ split }) => split !== undefined && splits.includes(split))
}

/**
 * A WebDataset: one shard (.tar, .tar.gz), or a folder of them with optional `dataset.json` (shards, splits, action
 * units) and `folds.json`. Plain .tar shards are indexed once and read by offset, so they may be of any size.
 *
 * @param aus the units that labels may name; default: those of dataset.json, else any, and the set's list is what was seen
 * @param splits only shards of these splits; default all
 */
export function openWebDataset(
  path: string,
  aus: readonly number[] | null = null,
  splits: readonly string[] | null = null,
): ImageSet {
  const single = isShard(path)
  const folder = single ? dirname(path) : path
  const datasetFile = join(folder, 'dataset.json')
  const dataset = existsSync(datasetFile)
    ? parseJson(readText(datasetFile), datasetSchema, datasetFile)
    : undefined
  const listed = dataset?.shards ?? findShards(folder)
  const wanted = single
    ? [listed.find((entry) => entry.file === basename(path)) ?? { file: basename(path) }]
    : listed
  const entries = splits ? ofSplits(path, wanted, splits) : wanted
  const allowed = aus ?? dataset?.aus ?? null
  const samples = entries.flatMap((entry) => loadEntry(folder, entry, allowed))
  return sampleSet(dataset?.name ?? basename(path), samples, allowed, readFolds(join(folder, 'folds.json')))
}
