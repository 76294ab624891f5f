import { UserError } from '../errors.js'

/** Finds the subject in an image path; null if the path does not match. */
export type SubjectRule = (imagePath: string) => string | null

/** Patterns of the subject in `img_path`, for the published label files of each data set. */
const namedRules = new Map<string, RegExp>([
  /** `2F15_T8/frame_1.jpg` → F15 */
  ['bp4d', /^.([FM]\d{2})/],
  /** `F001_T1/frame_12.jpg` → F001 */
  ['bp4dplus', /^([FM]\d{3})/],
  /** `RightVideoSN001/frame_1.jpg` → SN001 */
  ['disfa', /^[^/]*(SN\d{3})\//],
])

/** `bp4d`, `bp4dplus`, `disfa`, or a regular expression whose first group (or whole match) is the subject. */
export function subjectRule(text: string): SubjectRule {
  let pattern = namedRules.get(text)
  try {
    pattern ??= new RegExp(text)
  } catch (error) {
    throw new UserError(
      `--subject-from "${text}": expected bp4d, bp4dplus, disfa or a regular expression (${(error as Error).message})`,
    )
  }
  return (imagePath) => {
    const match = pattern.exec(imagePath)
    return subjectName(match?.[1] ?? match?.[0] ?? '') || null
  }
}

/** The canonical name of a subject: in Unicode NFC, without surrounding spaces. */
export function subjectName(text: string): string {
  return text.trim().normalize('NFC')
}
