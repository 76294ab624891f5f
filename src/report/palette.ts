/**
 * One tone per compared item, the same on the whole page. The hues are from Okabe and Ito (2008) and are distinguishable
 * with any color vision. Every tone also has its own dash and marker, so that nothing depends on color alone.
 */
export const tones = {
  scratch: { light: '#6f7680', dark: '#a3abb6', dash: '2 4', marker: 'square' },
  fmae: { light: '#0072b2', dark: '#56b4e9', dash: '7 4', marker: 'triangle' },
  'fmae-iat': { light: '#c44e00', dark: '#f39a4f', dash: 'none', marker: 'circle' },
  training: { light: '#0072b2', dark: '#56b4e9', dash: 'none', marker: 'circle' },
  'held-out': { light: '#00805d', dark: '#35c49a', dash: '7 4', marker: 'triangle' },
} as const

export type Tone = keyof typeof tones

/** Hues of the subjects in the scatter plots; 7 hues × 3 markers distinguish 21 subjects. */
export const subjectHues: readonly { readonly light: string; readonly dark: string }[] = [
  { light: '#0072b2', dark: '#4ea3e0' },
  { light: '#d55e00', dark: '#f0803c' },
  { light: '#009e73', dark: '#2fc79b' },
  { light: '#b8478f', dark: '#e58fc4' },
  { light: '#c98f00', dark: '#eebb3a' },
  { light: '#2a9fd6', dark: '#8fd3f7' },
  { light: '#4a4f57', dark: '#d5d9df' },
]

export const subjectMarkers = ['circle', 'triangle', 'square'] as const

/** What the page calls the three fine-tunings. */
export const runTitles = { scratch: 'From scratch', fmae: 'FMAE', 'fmae-iat': 'FMAE-IAT' } as const
