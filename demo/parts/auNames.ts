/** Facial Action Coding System, Ekman and Friesen 1978; 2002 edition. */
const names: Readonly<Record<number, string>> = {
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
  24: 'lip presser',
  25: 'lips part',
  26: 'jaw drop',
  27: 'mouth stretch',
  28: 'lip suck',
  43: 'eyes closed',
  45: 'blink',
}

/** "lip corner puller"; empty for a unit without a common name. */
export function auName(au: number): string {
  return names[au] ?? ''
}
