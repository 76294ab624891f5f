import type { ActionUnitMetrics } from '../../train/metrics/actionUnitMetrics.js'

/** Per-AU F1 (%) and ROC-AUC as lines of text. */
export function auTable(aus: readonly number[], metrics: ActionUnitMetrics): string {
  const { f1PerAu, f1BestPerAu, aucPerAu, f1At05, f1Best, threshold, auc, loss, baseRateEntropy } = metrics
  const row = (name: string, at05: number, best: number, area: number | null) =>
    `${name.padEnd(8)}${percent(at05)}${percent(best)}${(area?.toFixed(3) ?? 'n/a').padStart(10)}`
  const lines = [
    `${'AU'.padEnd(8)}${'F1@0.5'.padStart(10)}${`F1@${threshold.toFixed(2)}`.padStart(10)}${'AUC'.padStart(10)}`,
    ...aus.map((au, i) => row(String(au), f1PerAu[i], f1BestPerAu[i], aucPerAu[i]!)),
    row('mean', f1At05, f1Best, auc),
    `AU loss ${loss.toFixed(4)}; predicting the base rates gives ${baseRateEntropy.toFixed(4)}.`,
    'The second threshold was chosen on these same images, so its F1 is optimistic.',
  ]
  return lines.join('\n')
}

function percent(share: number): string {
  return (100 * share).toFixed(1).padStart(10)
}
