/** The documents of a data set: dataset.json, folds.json, LICENSE and the card (README.md). */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FaceSet } from './faceSet.js'
import type { RenderOptions } from './options.js'
import { meanRate } from './people.js'
import type { Shard } from './shards.js'

const unitNames: Readonly<Record<number, string>> = {
  ...{
    1: 'inner brow raiser',
    2: 'outer brow raiser',
    4: 'brow lowerer',
    6: 'cheek raiser',
    7: 'lid tightener',
  },
  ...{ 9: 'nose wrinkler', 10: 'upper lip raiser', 12: 'lip corner puller', 14: 'dimpler' },
  ...{ 15: 'lip corner depressor', 17: 'chin raiser', 23: 'lip tightener (a mix)', 24: 'lip presser' },
  ...{ 25: 'lips part (a mix)', 26: 'jaw drop (a mix)' },
}

const licence = `MIT License

Copyright (c) 2026 the authors of fmae-webgpu (the pictures, their labels and the renderer)
Copyright (c) 2020 USC Institute for Creative Technologies (ICT-FaceKit, the face model in the pictures)

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`

/** Prevalence of a unit: mean and standard deviation over subjects. */
function rateRow(faces: FaceSet, unit: number): string {
  const labelled = faces.plans.filter((plan) => plan.split !== 'extra')
  const people = [...new Set(labelled.map((plan) => plan.picture.person))]
  const present = labelled.filter((plan) => plan.picture.present[unit]).length
  const rates = people.map((person) => person.rates[unit])
  const mean = rates.reduce((a, b) => a + b, 0) / rates.length
  const deviation = Math.sqrt(rates.reduce((sum, r) => sum + (r - mean) ** 2, 0) / rates.length)
  const au = faces.set.aus[unit]
  const share = (present / labelled.length).toFixed(3)
  return `| ${au} | ${unitNames[au] ?? ''} | ${present} | ${share} | ${mean.toFixed(3)} ± ${deviation.toFixed(3)} |`
}

function commandOf(options: RenderOptions): string {
  const correlation = options.correlation ?? 'none'
  return [
    'npm run render-faces -- --model <folder of the ICT face pack> --out data/faces',
    `--people ${options.people} --per-person ${options.perPerson} --extra-people ${options.extraPeople}`,
    `--size ${options.size} --aus ${options.aus} --correlation ${correlation} --seed ${options.seed}`,
    `--quality ${options.quality}`,
  ].join(' \\\n  ')
}

function habits(options: RenderOptions): string {
  if (options.correlation === null) return `Every subject shows every AU at the rate ${meanRate}.`
  const c = options.correlation
  const [a, b] = [meanRate * c, (1 - meanRate) * c].map((x) => x.toFixed(2))
  return `Subject s shows AU j at a rate drawn from Beta(${a}, ${b}).\n  This is the identity shortcut; c = ${c} sets its strength.`
}

function readme(faces: FaceSet, shards: readonly Shard[], options: RenderOptions): string {
  const labelled = options.people * options.perPerson
  const rows = faces.set.aus.map((_, unit) => rateRow(faces, unit)).join('\n')
  const foldRows = faces.folds.map(({ name, subjects }) => {
    const own = shards.filter((shard) => shard.split === name)
    const images = own.reduce((sum, shard) => sum + shard.images, 0)
    return `| ${name} | ${subjects.length} | ${images} | ${own.length} |`
  })
  const extraShards = shards.filter((shard) => shard.split === 'extra').length
  return `# Rendered faces with action-unit labels

The bundled data set: ${labelled} images of ${options.people} subjects (${options.perPerson} each),
and one image each of ${options.extraPeople} further subjects. ${options.size}×${options.size}
pixels, JPEG quality ${options.quality}. For tests and for the main job.

No face shows a real person. Every face is a random sample of the
[ICT-FaceKit](https://github.com/ICT-VGL/ICT-FaceKit) morphable model, rendered by
\`tools/renderFaces\`. Identity, action units (AUs), intensities and pose are exact, because the
images are rendered from them.

![contact sheet](contactSheet.png)

Top: one image each of many subjects. Bottom: the same subjects at rest and with each AU at full
strength.

## How it was made

\`\`\`
${commandOf(options)}
\`\`\`

The same seed gives the same bytes on one adapter. Another GPU or driver may round a pixel
differently. All random numbers are Philox4x32-10. The AU set \`${faces.set.name}\` has
${faces.set.aus.length} units.

- **AU rates.** ${habits(options)}
- **Intensity** of an active AU: U(0.5, 1). Of an inactive one: 0 in 70 of 100 cases, else U(0,
  0.12). A quarter of the images is asymmetric: the weaker side has 0.4 to 0.9 of the labeled
  intensity.
- **Excluded combinations.** AUs that cannot be distinguished do not occur together: 10 with 24; 24
  with 9, 25 and 26; 23 with 26. The sums 6 + 7 and 9 + 10 are at most 1.3.
- **Not labeled:** gaze varies, and one image in 50 shows a blink.
- **Pose:** yaw, pitch and roll with standard deviations of 4.2, 3 and 1.8 degrees, clipped at 9,
  7.2 and 4.8. The crop is aligned to the subject's brows and mouth at rest, then varied by ±5 % in
  size and ±0.25 cm in position.
- **Light and background:** a random direction in front, random strength, tint and ambient light;
  two background colors; noise of 0.6 to 3 gray levels.
- **Appearance per subject:** 100 shape modes from N(0, 1); skin tone, uniform along a ramp from
  light to dark, with its own undertone; brows, irises, lips, lid line, shade of shaved hair and
  beard, spots.

## Files

\`foldN-*.tar.gz\` and \`extra-*.tar.gz\` are WebDataset shards of \`000123.jpg\` and \`000123.json\`:

\`\`\`json
{"subject":"S017","AUs":[1,4,12],"intensities":{"1":0.83,…},"pose":{"yaw":…,"pitch":…,"roll":…}}
\`\`\`

Intensities are 0 to 1, for all AUs of the set. Angles are in degrees. \`folds.json\` lists the
subjects of each fold; no subject is in two. \`dataset.json\` lists the shards and the settings.

| split | subjects | images | shards |
|---|---|---|---|
${foldRows.join('\n')}
| extra | ${options.extraPeople} | ${options.extraPeople} | ${extraShards} |

| AU | | active in | share | rates of the subjects, mean ± deviation |
|---|---|---|---|---|
${rows}

## Limits

- One head topology, no hair (only a painted shade), no wrinkles finer than the mesh, no texture
  maps, no lashes, no cast shadows. Results on these faces say little about photographs.
- The blend-shape weights of each AU are the "closest relation" to FACS given by the authors of
  ICT-FaceKit, with a few mixes chosen by eye. **No certified FACS coder has checked them.** AU 23
  has no shape in the model and is a mix (lips half rolled in, some pucker). AUs 25 and 26 are mixes
  too. AU 24 raises the chin a little. AUs 7 and 24 are small in the image.
- Intensity is linear in the weight of a shape. This is a convention, not a measurement.
- Apart from the combinations above and each subject's rates, AUs are independent. Real faces have
  more structure.
- The shape modes come from a few hundred light-stage scans. Skin, eye and hair colors follow our
  own rules. The set represents no population and supports no statement about any.

## License

MIT, see \`LICENSE\`. Face model: ICT-FaceKit, Copyright (c) 2020 USC Institute for Creative
Technologies, MIT; Li et al., *Learning Formation of Physically-Based Face Attributes*, CVPR 2020
(arXiv 2004.03458).
`
}

/** One line per fold, so that the file is small and readable. */
function foldsJson(faces: FaceSet): string {
  const rows = faces.folds.map((fold) => `  ${JSON.stringify(fold)}`)
  const head = {
    about: 'Subjects of each fold, for subject-exclusive cross-validation.',
    rule: 'Subjects are shuffled by the seed and assigned in turn; all images of a subject are in one fold.',
    key: 'subject',
  }
  return `${JSON.stringify(head).slice(0, -1)},"folds":[\n${rows.join(',\n')}\n]}\n`
}

export async function writeCard(
  folder: string,
  faces: FaceSet,
  shards: readonly Shard[],
  options: RenderOptions,
): Promise<void> {
  const { size, seed, correlation, people, perPerson, extraPeople, quality } = options
  const dataset = {
    name: 'fmae-webgpu rendered faces',
    imageSize: size,
    crop: 'aligned',
    aus: faces.set.aus,
    shards,
    seed,
    correlation: correlation ?? 'none',
    auSet: faces.set.name,
    ...{ people, perPerson, extraPeople, quality },
  }
  const papers = {
    'dataset.json': `${JSON.stringify(dataset, null, 1)}\n`,
    'folds.json': foldsJson(faces),
    LICENSE: licence,
    'README.md': readme(faces, shards, options),
  }
  for (const [file, text] of Object.entries(papers)) await writeFile(join(folder, file), text)
}
