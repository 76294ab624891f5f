import { UserError } from '../errors.js'

/** Single action units of the Facial Action Coding System (Ekman & Friesen 1978; 2002 edition). */
const facsUnits: readonly number[] = [
  1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
  31, 32, 33, 34, 35, 36, 37, 38, 39, 41, 42, 43, 44, 45, 46, 51, 52, 53, 54, 55, 56, 57, 58, 61, 62, 63, 64,
  65, 66,
]

/** Marks an inactive AU in the reference's label format. */
const ABSENT = 999

/**
 * The active AUs of one label list, ascending: 999 entries are dropped, the others are checked against
 * `allowed` (null: any FACS unit). `where` begins the error message, such as `labels.jsonl line 3`.
 */
export function activeUnits(
  labels: readonly number[],
  allowed: readonly number[] | null,
  where: string,
): readonly number[] {
  const active = [...new Set(labels.filter((unit) => unit !== ABSENT))].sort((a, b) => a - b)
  const unknown = active.find((unit) => !(allowed ?? facsUnits).includes(unit))
  if (unknown === undefined) return active
  const expected = allowed ? `one of ${allowed.join(', ')}` : 'a FACS number'
  throw new UserError(`${where}: unknown AU ${unknown}; expected ${expected}, or ${ABSENT} for inactive`)
}

/** The AUs that occur in the labels, ascending, for sets that do not declare them; null without labels. */
export function unitsSeen(labels: Iterable<readonly number[] | null>): readonly number[] | null {
  const seen = new Set<number>()
  let labelled = false
  for (const units of labels) {
    labelled ||= units !== null
    for (const unit of units ?? []) seen.add(unit)
  }
  return labelled ? [...seen].sort((a, b) => a - b) : null
}

/** Names of AUs in the Facial Action Coding System (2002 edition). */
const unitNames: Readonly<Record<number, string>> = {
  1: 'inner brow raiser',
  2: 'outer brow raiser',
  4: 'brow lowerer',
  5: 'upper lid raiser',
  6: 'cheek raiser',
  7: 'lid tightener',
  8: 'lips toward each other',
  9: 'nose wrinkler',
  10: 'upper lip raiser',
  11: 'nasolabial deepener',
  12: 'lip corner puller',
  13: 'sharp lip puller',
  14: 'dimpler',
  15: 'lip corner depressor',
  16: 'lower lip depressor',
  17: 'chin raiser',
  18: 'lip pucker',
  20: 'lip stretcher',
  22: 'lip funneler',
  23: 'lip tightener',
  24: 'lip pressor',
  25: 'lips part',
  26: 'jaw drop',
  27: 'mouth stretch',
  28: 'lip suck',
  43: 'eyes closed',
  45: 'blink',
}

/** Such as "lip corner puller"; empty for an AU that is not in the list. */
export function auName(au: number): string {
  return unitNames[au] ?? ''
}
