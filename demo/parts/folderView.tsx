import { auName } from '../../src/data/actionUnits.js'
import type { FolderSummary } from '../protocol.js'
import { Figure } from './controls.js'
import { Pixels } from './pixels.js'

/** What was found in a folder. */
export function FolderView({ folder }: { readonly folder: FolderSummary }) {
  const { name, images, subjects, labelled, aus, folds, size, thumbnails } = folder
  return (
    <section class="folder-view" aria-label={`What is in ${name}`}>
      <h3>{name}</h3>
      <dl class="readings folder-facts">
        <Figure label="Pictures" value={String(images)} />
        <Figure label="People" value={subjects > 0 ? String(subjects) : 'not told'} />
        <Figure label="With labels" value={String(labelled)} />
        <Figure label="Action units" value={String(aus.length)} />
      </dl>
      <div class="thumbnails">
        {thumbnails.map((rgb, at) => (
          <Pixels key={at} rgb={rgb} size={size} label={`Picture ${at + 1}`} />
        ))}
      </div>
      <p class="hint">
        The first pictures, at the {size} × {size} pixels that the network gets.
      </p>
      {aus.length > 0 && (
        <table class="facts">
          <caption>Pictures in which an action unit is present</caption>
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
          <caption>People dealt out to folds; the last is tested on and never trained on</caption>
          <tbody>
            {folds.map((fold) => (
              <tr key={fold.name}>
                <th scope="row">{fold.name}</th>
                <td>{count(fold.subjects, 'person', 'people')}</td>
                <td>{count(fold.images, 'picture', 'pictures')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}

function count(number: number, one: string, more: string): string {
  return `${number} ${number === 1 ? one : more}`
}
