import { auName } from '../../src/data/actionUnits.js'
import type { FolderSummary } from '../protocol.js'
import { Figure } from './controls.js'
import { Pixels } from './pixels.js'

/** What was found in a folder. */
export function FolderView({ folder }: { readonly folder: FolderSummary }) {
  const { name, images, subjects, labelled, aus, folds, size, thumbnails } = folder
  return (
    <section class="folder-view" aria-label={`Contents of ${name}`}>
      <h3>{name}</h3>
      <dl class="readings folder-facts">
        <Figure label="Images" value={String(images)} />
        <Figure label="Subjects" value={subjects > 0 ? String(subjects) : 'unknown'} />
        <Figure label="With AU labels" value={String(labelled)} />
        <Figure label="Action units" value={String(aus.length)} />
      </dl>
      <div class="thumbnails">
        {thumbnails.map((rgb, at) => (
          <Pixels key={at} rgb={rgb} size={size} label={`Image ${at + 1}`} />
        ))}
      </div>
      <p class="hint">
        The first images, resized to {size} × {size} pixels as the network gets them.
      </p>
      {aus.length > 0 && (
        <table class="facts">
          <caption>Images in which each action unit is present</caption>
          <tbody>
            {aus.map(({ unit, images: present }) => (
              <tr key={unit}>
                <th scope="row">
                  AU {unit} <small>{auName(unit)}</small>
                </th>
                <td>{present}</td>
                <td>{percent(present / labelled)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {folds.length > 0 && (
        <table class="facts">
          <caption>Folds of subjects. The last fold is held out for testing.</caption>
          <tbody>
            {folds.map((fold) => (
              <tr key={fold.name}>
                <th scope="row">{fold.name}</th>
                <td>{count(fold.subjects, 'subject', 'subjects')}</td>
                <td>{count(fold.images, 'image', 'images')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function percent(share: number): string {
  return `${Math.round(100 * share)}%`
}

function count(number: number, one: string, more: string): string {
  return `${number} ${number === 1 ? one : more}`
}
